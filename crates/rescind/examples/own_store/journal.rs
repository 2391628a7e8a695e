//! A store of one's own, complete: a journal in one file. Every line is a change as JSON, flushed before it is
//! acknowledged; opening reads the lines from the first to the last.
//!
//! What it trades away: everything is in memory, too; every write waits for a flush of its own; and the file only grows,
//! since a sweep frees memory and adds a line. It is for one process with some thousands of sessions.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::{Act, ChainTag, CutOff, Entry, NewEntry, Scope};
use rescind::position::{Generation, Incarnation, Seq};
use rescind::random::{Random, SystemRandom};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Batch, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use rescind::time::{Clock, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};

/// How every file begins.
const BEGIN: &[u8] = b"{\"Begin\":";

/// A durable store in one file of JSON lines.
pub struct JournalStore {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

/// One line of the file: what a write has changed.
#[derive(Serialize, Deserialize)]
enum Change {
    Begin { incarnation: [u8; 16], head: Seq },
    Session(Session),
    Entries(Vec<Entry>),
    Record(String, String, Record),
    Forget { sessions: Vec<SessionId>, records: Vec<(String, String)>, scopes: Vec<Scope>, log: Option<Seq> },
}

struct State {
    file: File,
    /// After a write or a flush that failed, nobody knows what is on the medium: nothing more is acknowledged.
    broken: bool,
    incarnation: Incarnation,
    /// The position and tag before the first entry that `log` still has, and those of the newest.
    base: (Seq, ChainTag),
    head: (Seq, ChainTag),
    log: BTreeMap<Seq, (Entry, ChainTag)>,
    newest: HashMap<Scope, Entry>,
    sessions: BTreeMap<SessionId, Session>,
    records: BTreeMap<(String, String), Record>,
}

impl JournalStore {
    /// Opens the file, or makes it, with the machine's clock and randomness.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Arc::new(SystemClock), &SystemRandom)
    }

    /// Opens the file, or makes it: `clock` is the store's time, and `random` names the history of a new file.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where another process has it or it cannot be read and written,
    /// [`StoreErrorKind::Corrupt`] where a line of it is none of ours.
    pub fn open_with(path: impl AsRef<Path>, clock: Arc<dyn Clock>, random: &dyn Random) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let wrong = |error: &dyn std::fmt::Display| fault(StoreErrorKind::Unavailable, "open", path, error);
        let mut file = File::options().read(true).append(true).create(true).open(path).map_err(|e| wrong(&e))?;
        file.try_lock().map_err(|error| wrong(&error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
        // A line without an end was never acknowledged: the process died while it wrote it.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut state = State::new(file);
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').take_while(|line| line.ends_with(b"\n"));
        for (line, number) in lines.zip(1_u64..) {
            let change = serde_json::from_slice(line).map_err(|error| {
                fault(StoreErrorKind::Corrupt, "open", path, &format!("line {number}: {error}; restore a backup"))
            })?;
            state.apply(change);
        }
        if whole == 0 && !(bytes.starts_with(BEGIN) || BEGIN.starts_with(&bytes)) {
            return Err(fault(StoreErrorKind::Corrupt, "open", path, &"it is no journal; name another file"));
        }
        // Only now is the file known to be ours.
        state.file.set_len(whole as u64).and_then(|()| state.file.sync_all()).map_err(|error| wrong(&error))?;
        // The file's name must outlive a crash as well as its content.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| wrong(&error))?;
        if whole == 0 {
            let mut incarnation = [0; 16];
            random.fill(&mut incarnation).map_err(|error| wrong(&error))?;
            state.commit("open", Change::Begin { incarnation, head: Seq::ZERO })?;
        }
        Ok(Self { clock, state: Arc::new(Mutex::new(state)) })
    }

    /// Works under the lock, on a thread that may wait for the disk, and to the end: also when nobody waits any more.
    async fn run<T: Send + 'static>(
        &self,
        op: &'static str,
        work: impl FnOnce(&mut State, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (state, clock) = (Arc::clone(&self.state), Arc::clone(&self.clock));
        let broken = move || StoreError::new(StoreErrorKind::Broken, op, "a call was interrupted; restart");
        let task = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().map_err(|_| broken())?;
            let now = clock.wall();
            work(&mut state, now)
        });
        task.await.unwrap_or_else(|_| Err(broken()))
    }
}

fn fault(kind: StoreErrorKind, op: &'static str, path: &Path, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::new(kind, op, format!("{}: {why}", path.display()))
}

impl State {
    fn new(file: File) -> Self {
        let incarnation = Incarnation::from_bytes([0; 16]);
        let start = (Seq::ZERO, ChainTag::genesis(incarnation));
        let (log, newest) = (BTreeMap::new(), HashMap::new());
        let (sessions, records) = (BTreeMap::new(), BTreeMap::new());
        Self { file, broken: false, incarnation, base: start, head: start, log, newest, sessions, records }
    }

    /// Writes the change as a line, flushes it, and only then lets anybody see it.
    fn commit(&mut self, op: &'static str, change: Change) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::new(StoreErrorKind::Broken, op, error);
        let mut line = serde_json::to_vec(&change).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.check(op)?;
        self.broken = true;
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(failed)?;
        self.broken = false;
        self.apply(change);
        Ok(())
    }

    fn check(&self, op: &'static str) -> Result<(), StoreError> {
        let text = "a write has failed, and nothing is known of what is on the disk; mend the disk and restart";
        if self.broken { Err(StoreError::new(StoreErrorKind::Broken, op, text)) } else { Ok(()) }
    }

    /// Does as the line says. Opening does nothing else, so what is read back is what was.
    fn apply(&mut self, change: Change) {
        match change {
            Change::Begin { incarnation, head } => {
                self.incarnation = Incarnation::from_bytes(incarnation);
                self.head = (head, ChainTag::genesis(self.incarnation));
                self.base = self.head;
                self.log.clear();
            }
            Change::Session(session) => drop(self.sessions.insert(session.id, session)),
            Change::Entries(entries) => {
                for entry in entries {
                    self.head = (entry.seq, self.head.1.next(&entry));
                    self.newest.insert(entry.scope.clone(), entry.clone());
                    self.log.insert(entry.seq, (entry, self.head.1));
                }
            }
            Change::Record(kind, id, record) => drop(self.records.insert((kind, id), record)),
            Change::Forget { sessions, records, scopes, log } => {
                self.sessions.retain(|sid, _| sessions.binary_search(sid).is_err());
                self.records.retain(|key, _| records.binary_search(key).is_err());
                self.newest.retain(|scope, _| scopes.binary_search(scope).is_err());
                while let Some(first) = self.log.first_entry().filter(|first| Some(*first.key()) <= log) {
                    let (entry, tag) = first.remove();
                    self.base = (entry.seq, tag);
                }
            }
        }
    }

    fn head_at(&self, now: Timestamp) -> Head {
        Head { incarnation: self.incarnation, seq: self.head.0, tag: self.head.1, now }
    }

    /// The session with the highest active cut-off above its position, on the four scopes that a session has.
    fn loaded(&self, session: &Session, now: Timestamp) -> Loaded {
        let (subject, client) = (session.subject.clone(), session.client.clone());
        let cut_off = [Scope::session(session.id), Scope::Subject(subject), Scope::Client(client), Scope::All]
            .iter()
            .filter_map(|scope| self.newest.get(scope).and_then(active))
            .filter(|cut_off| cut_off.seq > session.position)
            .max_by_key(|cut_off| cut_off.seq);
        Loaded { session: session.clone(), cut_off, now }
    }

    /// Gives the entries their positions. The error is the scope of the first lift that does not fit.
    fn place(&self, new: Vec<NewEntry>, now: Timestamp) -> Result<Vec<Entry>, Scope> {
        let latest = self.log.last_key_value().map_or(Timestamp::EPOCH, |(_, (entry, _))| entry.at);
        let mut placed: Vec<Entry> = Vec::with_capacity(new.len());
        for (new, distance) in new.into_iter().zip(1..) {
            let mut entry = Entry::new(self.head.0.plus(distance), now, latest, new);
            let same = |other: &&Entry| other.scope == entry.scope;
            let newest = placed.iter().rfind(same).or_else(|| self.newest.get(&entry.scope));
            if let Act::Lift { of } = entry.act
                && newest.and_then(active).is_none_or(|cut_off| cut_off.seq != of)
            {
                return Err(entry.scope);
            }
            // What the one before it covered, it covers, too: it is kept no shorter.
            entry.remember_until =
                newest.map_or(entry.remember_until, |it| it.remember_until.max(entry.remember_until));
            placed.push(entry);
        }
        Ok(placed)
    }

    fn sweep(&mut self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let ended = self.sessions.values().filter(|session| session.expires_at < before);
        let sessions: Vec<_> = ended.map(|session| session.id).take(limit).collect();
        let left = limit.saturating_sub(sessions.len());
        let ended = self.records.iter().filter(|(_, record)| record.ends.is_some_and(|ends| ends < before));
        let records: Vec<_> = ended.map(|(key, _)| key.clone()).take(left).collect();
        let left = left.saturating_sub(records.len());
        let due = |entry: &&Entry| entry.remember_until < before;
        let mut scopes: Vec<_> = self.newest.values().filter(due).map(|entry| entry.scope.clone()).take(left).collect();
        scopes.sort_unstable();
        let left = left.saturating_sub(scopes.len());
        // From the front only: a hole in the log would look like lost history.
        let front: Vec<_> = self.log.values().map(|(entry, _)| entry).take(left).take_while(due).collect();
        let log = front.last().map(|entry| entry.seq);
        let swept =
            Swept { sessions: sessions.len(), records: records.len(), scopes: scopes.len(), entries: front.len() };
        if swept.rows() > 0 {
            self.commit("sweep", Change::Forget { sessions, records, scopes, log })?;
        }
        Ok(swept)
    }
}

/// The entry as a cut-off, where it is one.
fn active(newest: &Entry) -> Option<CutOff> {
    let cut_off = || CutOff { scope: newest.scope.clone(), seq: newest.seq, at: newest.at };
    (newest.act == Act::CutOff).then(cut_off)
}

#[async_trait]
impl Store for JournalStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.run("open", move |state, now| {
            if state.sessions.contains_key(&session.id) {
                return Err(StoreError::new(
                    StoreErrorKind::Corrupt,
                    "open",
                    "the session exists; ids are never reused",
                ));
            }
            let session = Session::open(session, state.head.0, now);
            state.commit("open", Change::Session(session.clone()))?;
            Ok(session)
        })
        .await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.run("load", move |state, now| Ok(state.sessions.get(&sid).map(|session| state.loaded(session, now)))).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.run("advance", move |state, now| {
            let at = state.sessions.get(&sid).filter(|session| session.generation == from);
            let Some(session) = at.cloned() else { return Ok(Advance::Stale) };
            state.commit("advance", Change::Session(Session { generation: to, rotated_at: now, ..session }))?;
            Ok(Advance::Advanced(now))
        })
        .await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        let subject = subject.clone();
        self.run("sessions_of", move |state, now| {
            let mut rows = state.sessions.values().rev().filter(|session| session.subject == subject);
            let mut rows = rows.by_ref().filter(|session| page.after.is_none_or(|after| session.id < after));
            let sessions: Vec<_> = rows.by_ref().take(page.limit).map(|session| state.loaded(session, now)).collect();
            let next = rows.next().and(sessions.last()).map(|last| last.session.id);
            Ok(SessionPage { sessions, next })
        })
        .await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.run("append", move |state, now| match state.place(entries, now) {
            Err(scope) => Ok(Appended::Conflict { newest: state.newest.get(&scope).cloned() }),
            Ok(placed) => {
                state.commit("append", Change::Entries(placed.clone()))?;
                Ok(Appended::Done(placed))
            }
        })
        .await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        self.run("after", move |state, now| {
            let head = state.head_at(now);
            if after < state.base.0 || after > head.seq {
                return Ok(Feed::Gone(head));
            }
            let prev_tag = state.log.get(&after).map_or(state.base.1, |(_, tag)| *tag);
            let part: Vec<_> = state.log.range(after.next()..).take(limit).map(|(_, entry)| entry.clone()).collect();
            let tag = part.last().map_or(prev_tag, |(_, tag)| *tag);
            let entries = part.into_iter().map(|(entry, _)| entry).collect();
            Ok(Feed::Batch(Batch { prev_tag, entries, tag, head }))
        })
        .await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.run("snapshot", move |state, now| {
            let mut cut_offs: Vec<_> = state.newest.values().filter_map(active).filter(|it| it.at >= since).collect();
            cut_offs.sort_unstable_by_key(|cut_off| cut_off.seq);
            Ok(Snapshot { head: state.head_at(now), cut_offs })
        })
        .await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.run("sweep", move |state, _| state.sweep(before, limit)).await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        self.run("health", |state, now| state.check("health").map(|()| state.head_at(now))).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.run("reincarnate", move |state, _| {
            let fits = state.incarnation == lost && head > state.head.0;
            if fits {
                state.commit("reincarnate", Change::Begin { incarnation: *new.as_bytes(), head })?;
            }
            Ok(fits)
        })
        .await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let key = (kind.0.to_owned(), id.to_owned());
        self.run("record", move |state, _| Ok(state.records.get(&key).cloned())).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        let key = (kind.0.to_owned(), id.to_owned());
        self.run("put_record", move |state, _| {
            if state.records.get(&key).map_or(0, |record| record.version) != expected {
                return Ok(Put::Stale);
            }
            let version = expected.saturating_add(1);
            state.commit("put_record", Change::Record(key.0, key.1, Record { version, body, ends }))?;
            Ok(Put::Written(version))
        })
        .await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let after = after.map(str::to_owned);
        self.run("records", move |state, _| {
            let of_kind = state.records.iter().filter(|((of, _), _)| of == kind.0);
            let behind = of_kind.filter(|((_, id), _)| after.as_ref().is_none_or(|after| id > after));
            Ok(behind.take(limit).map(|((_, id), record)| (id.clone(), record.clone())).collect())
        })
        .await
    }

    // A second process is refused when it opens the file.
    fn is_shared(&self) -> bool {
        false
    }
}
