//! The store in memory: the reference for the contract, for tests and for trying things out. One lock, plain
//! collections, nothing on disk. Knows no policy.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::{
    Advance, Appended, Batch, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use crate::id::{SessionId, Subject};
use crate::log::{Act, ChainTag, CutOff, Entry, NewEntry, Scope};
use crate::position::{Generation, Incarnation, Seq};
use crate::random::{Random, RandomFailed, SystemRandom};
use crate::session::{Loaded, NewSession, Session};
use crate::time::{Clock, SystemClock, Timestamp};

/// A store in memory. **Not durable**: with the process, every session and every revocation is gone.
///
/// It makes every other promise of [`Store`]. A new one has a new incarnation, so whoever followed the one before
/// finds that history was lost.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    openings: Openings,
}

/// How many hold the store at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Openings {
    One,
    Several,
}

#[cfg_attr(feature = "testing", derive(Clone))]
struct State {
    incarnation: Incarnation,
    /// The position and tag before the first entry that `log` still has.
    floor: (Seq, ChainTag),
    /// The newest position and its tag.
    head: (Seq, ChainTag),
    /// The entries between floor and head, each with the tag after it.
    log: VecDeque<(Entry, ChainTag)>,
    /// The newest entry of each scope: the scope's state.
    scopes: HashMap<Scope, Entry>,
    sessions: BTreeMap<SessionId, Session>,
    records: BTreeMap<(&'static str, String), Record>,
}

impl MemoryStore {
    /// Makes an empty store with the machine's clock and randomness.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn new() -> Result<Self, RandomFailed> {
        Self::with(Arc::new(SystemClock), &SystemRandom)
    }

    /// Makes an empty store that tells the time by `clock`.
    ///
    /// # Errors
    /// [`RandomFailed`] where `random` gives no name for the incarnation.
    pub fn with(clock: Arc<dyn Clock>, random: &dyn Random) -> Result<Self, RandomFailed> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let incarnation = Incarnation::from_bytes(bytes);
        let start = (Seq::ZERO, ChainTag::genesis(incarnation));
        Ok(Self {
            clock,
            openings: Openings::One,
            state: Mutex::new(State {
                incarnation,
                floor: start,
                head: start,
                log: VecDeque::new(),
                scopes: HashMap::new(),
                sessions: BTreeMap::new(),
                records: BTreeMap::new(),
            }),
        })
    }

    /// The same store, which now says that it is [shared](Store::is_shared): for several handles in one process, which
    /// stand for as many nodes.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { openings: Openings::Several, ..self }
    }

    /// A copy as the store stands, as a replica or a backup of this moment has it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Broken`] where a write was interrupted.
    #[cfg(feature = "testing")]
    pub fn copy(&self) -> Result<Self, StoreError> {
        let (state, _) = self.lock("copy")?;
        Ok(Self { clock: Arc::clone(&self.clock), openings: self.openings, state: Mutex::new(state.clone()) })
    }

    /// Takes the lock and reads the time under it: one call, one moment.
    fn lock(&self, op: &'static str) -> Result<(MutexGuard<'_, State>, Timestamp), StoreError> {
        // A thread that panicked under the lock may have left half a write.
        let poisoned = |_| StoreError::new(StoreErrorKind::Broken, op, "a write was interrupted; restart");
        let state = self.state.lock().map_err(poisoned)?;
        Ok((state, self.clock.wall()))
    }
}

impl State {
    fn head_at(&self, now: Timestamp) -> Head {
        Head { incarnation: self.incarnation, seq: self.head.0, tag: self.head.1, now }
    }

    /// The highest active cut-off above the session's position on the four scopes that a session has.
    fn loaded(&self, session: &Session, now: Timestamp) -> Loaded {
        let cut_off = [
            Scope::session(session.id),
            Scope::Subject(session.subject.clone()),
            Scope::Client(session.client.clone()),
            Scope::All,
        ]
        .iter()
        .filter_map(|scope| self.scopes.get(scope).and_then(active))
        .filter(|cut_off| cut_off.seq > session.position)
        .max_by_key(|cut_off| cut_off.seq);
        Loaded { session: session.clone(), cut_off, now }
    }

    /// Gives the entries their positions; the scope of the first lift that does not fit is the error.
    fn place(&self, new: Vec<NewEntry>, now: Timestamp) -> Result<Vec<Entry>, Scope> {
        let mut newest_here = HashMap::new();
        let mut placed = Vec::with_capacity(new.len());
        let mut seq = self.head.0;
        let latest = self.log.back().map_or(Timestamp::EPOCH, |(entry, _)| entry.at);
        for new in new {
            seq = seq.next();
            let mut entry = Entry::new(seq, now, latest, new);
            let newest = newest_here.get(&entry.scope).or_else(|| self.scopes.get(&entry.scope));
            if let Act::Lift { of } = entry.act
                && newest.and_then(active).is_none_or(|cut_off| cut_off.seq != of)
            {
                return Err(entry.scope);
            }
            let superseded = newest.map_or(Timestamp::EPOCH, |newest| newest.remember_until);
            entry.remember_until = entry.remember_until.max(superseded);
            newest_here.insert(entry.scope.clone(), entry.clone());
            placed.push(entry);
        }
        Ok(placed)
    }
}

/// The entry as a cut-off, where it is one.
fn active(newest: &Entry) -> Option<CutOff> {
    match newest.act {
        Act::CutOff => Some(CutOff { scope: newest.scope.clone(), seq: newest.seq, at: newest.at }),
        Act::Lift { .. } => None,
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        let (mut state, now) = self.lock("open")?;
        if state.sessions.contains_key(&session.id) {
            let text = format!("session {} exists already; ids are never reused", session.id);
            return Err(StoreError::new(StoreErrorKind::Corrupt, "open", text));
        }
        let session = Session::open(session, state.head.0, now);
        state.sessions.insert(session.id, session.clone());
        Ok(session)
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        let (state, now) = self.lock("load")?;
        Ok(state.sessions.get(&sid).map(|session| state.loaded(session, now)))
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        let (mut state, now) = self.lock("advance")?;
        match state.sessions.get_mut(&sid) {
            Some(session) if session.generation == from => {
                session.generation = to;
                session.rotated_at = now;
                Ok(Advance::Advanced(now))
            }
            _ => Ok(Advance::Stale),
        }
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        let (state, now) = self.lock("sessions_of")?;
        let mut rows = state
            .sessions
            .values()
            .rev()
            .filter(|session| session.subject == *subject && page.after.is_none_or(|after| session.id < after));
        let sessions: Vec<_> = rows.by_ref().take(page.limit).map(|session| state.loaded(session, now)).collect();
        let next = rows.next().and(sessions.last()).map(|last| last.session.id);
        Ok(SessionPage { sessions, next })
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        let (mut state, now) = self.lock("append")?;
        let placed = match state.place(entries, now) {
            Ok(placed) => placed,
            Err(scope) => return Ok(Appended::Conflict { newest: state.scopes.get(&scope).cloned() }),
        };
        for entry in &placed {
            let tag = state.head.1.next(entry);
            state.head = (entry.seq, tag);
            state.log.push_back((entry.clone(), tag));
            state.scopes.insert(entry.scope.clone(), entry.clone());
        }
        Ok(Appended::Done(placed))
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        let (state, now) = self.lock("after")?;
        let head = state.head_at(now);
        if after < state.floor.0 || after > head.seq {
            return Ok(Feed::Gone(head));
        }
        let start = state.log.partition_point(|(entry, _)| entry.seq <= after);
        let before = start.checked_sub(1).and_then(|last| state.log.get(last));
        let prev_tag = before.map_or(state.floor.1, |(_, tag)| *tag);
        let part = || state.log.iter().skip(start).take(limit);
        let tag = part().next_back().map_or(prev_tag, |(_, tag)| *tag);
        let entries = part().map(|(entry, _)| entry.clone()).collect();
        Ok(Feed::Batch(Batch { prev_tag, entries, tag, head }))
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        let (state, now) = self.lock("snapshot")?;
        let mut cut_offs: Vec<_> =
            state.scopes.values().filter_map(active).filter(|cut_off| cut_off.at >= since).collect();
        cut_offs.sort_unstable_by_key(|cut_off| cut_off.seq);
        Ok(Snapshot { head: state.head_at(now), cut_offs })
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let (mut state, _) = self.lock("sweep")?;
        let due = |session: &Session| session.expires_at < before;
        let ids: Vec<_> = state.sessions.values().filter(|row| due(row)).map(|row| row.id).take(limit).collect();
        state.sessions.retain(|id, _| ids.binary_search(id).is_err());

        let left = limit.saturating_sub(ids.len());
        let due = |record: &Record| record.ends.is_some_and(|ends| ends < before);
        let keys: Vec<_> =
            state.records.iter().filter(|(_, record)| due(record)).map(|(key, _)| key.clone()).take(left).collect();
        for key in &keys {
            state.records.remove(key);
        }

        let left = left.saturating_sub(keys.len());
        let due = |entry: &Entry| entry.remember_until < before;
        let scopes: Vec<_> =
            state.scopes.values().filter(|entry| due(entry)).take(left).map(|entry| entry.scope.clone()).collect();
        for scope in &scopes {
            state.scopes.remove(scope);
        }

        let mut swept = Swept { sessions: ids.len(), scopes: scopes.len(), entries: 0, records: keys.len() };
        // From the front only: a hole in the log would look like lost history.
        while swept.rows() < limit && state.log.front().is_some_and(|(entry, _)| due(entry)) {
            if let Some((entry, tag)) = state.log.pop_front() {
                state.floor = (entry.seq, tag);
                swept.entries += 1;
            }
        }
        Ok(swept)
    }

    async fn health(&self) -> Result<Head, StoreError> {
        let (state, now) = self.lock("health")?;
        Ok(state.head_at(now))
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        let (mut state, _) = self.lock("reincarnate")?;
        if state.incarnation != lost || head <= state.head.0 {
            return Ok(false);
        }
        let start = (head, ChainTag::genesis(new));
        state.incarnation = new;
        (state.floor, state.head) = (start, start);
        // Nobody can read them any more: their positions are not of this incarnation.
        state.log.clear();
        Ok(true)
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let (state, _) = self.lock("record")?;
        Ok(state.records.get(&(kind.0, id.to_owned())).cloned())
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        let (mut state, _) = self.lock("put_record")?;
        let key = (kind.0, id.to_owned());
        if state.records.get(&key).map_or(0, |record| record.version) != expected {
            return Ok(Put::Stale);
        }
        let version = expected.saturating_add(1);
        state.records.insert(key, Record { version, body, ends });
        Ok(Put::Written(version))
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let (state, _) = self.lock("records")?;
        let of_kind =
            state.records.iter().filter(|((of, id), _)| *of == kind.0 && after.is_none_or(|after| id.as_str() > after));
        Ok(of_kind.take(limit).map(|((_, id), record)| (id.clone(), record.clone())).collect())
    }

    fn is_shared(&self) -> bool {
        self.openings == Openings::Several
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
