//! The store in memory against a naive model: the whole log as a list from which every state is worked out anew.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rescind::id::SessionId;
use rescind::log::{Act, CutOff, Entry, NewEntry, Scope};
use rescind::position::{Generation, Seq};
use rescind::session::{NewSession, Session};
use rescind::store::{Advance, Appended, Feed, MemoryStore, Store};
use rescind::testing::{ManualClock, SeededRandom, client, cut_off, lift, new_session, sid, subject};
use rescind::time::{Clock, Timestamp};

/// A step of a run. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Open { subject: u8, client: u8 },
    Advance { session: u8, from: u8, to: u8 },
    Append(Vec<Write>),
    Wait { seconds: u8 },
    Sweep { limit: u8 },
}

#[derive(Debug, Clone)]
enum Write {
    CutOff {
        scope: u8,
        life: u8,
    },
    /// `of` counts back from the head, so that most lifts are near what they mean.
    Lift {
        scope: u8,
        of: u8,
    },
    /// Of the scope's own newest entry.
    LiftNewest {
        scope: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = prop_oneof![
        4 => (any::<u8>(), any::<u8>()).prop_map(|(scope, life)| Write::CutOff { scope, life }),
        1 => (any::<u8>(), 0..4_u8).prop_map(|(scope, of)| Write::Lift { scope, of }),
        3 => any::<u8>().prop_map(|scope| Write::LiftNewest { scope }),
    ];
    let step = prop_oneof![
        2 => (0..3_u8, 0..2_u8).prop_map(|(subject, client)| Step::Open { subject, client }),
        1 => (any::<u8>(), 0..3_u8, 0..4_u8).prop_map(|(session, from, to)| Step::Advance { session, from, to }),
        4 => prop::collection::vec(write, 0..4).prop_map(Step::Append),
        1 => (0..100_u8).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..20_u8).prop_map(|limit| Step::Sweep { limit }),
    ];
    prop::collection::vec(step, 1..40)
}

/// Everything that ever happened; nothing is forgotten and nothing is kept twice.
#[derive(Default)]
struct Model {
    log: Vec<Entry>,
    sessions: Vec<Session>,
}

impl Model {
    fn head(&self) -> Seq {
        Seq::new(self.log.len() as u64)
    }

    fn newest(&self, scope: &Scope) -> Option<&Entry> {
        self.log.iter().rfind(|entry| entry.scope == *scope)
    }

    /// The rule of DESIGN §1, as written: of a session's scopes, those whose newest entry is a cut-off above it.
    fn covering(&self, session: &Session) -> Option<CutOff> {
        self.log
            .iter()
            .filter(|entry| match &entry.scope {
                Scope::Session(_) => entry.scope == Scope::session(session.id),
                Scope::Subject(subject) => *subject == session.subject,
                Scope::Client(client) => *client == session.client,
                Scope::All => true,
                Scope::Token(_) | Scope::Key(_) => false,
            })
            .filter(|entry| entry.act == Act::CutOff && self.newest(&entry.scope) == Some(entry))
            .filter(|entry| entry.seq > session.position)
            .max_by_key(|entry| entry.seq)
            .map(cut_off_of)
    }

    /// Appends where every lift fits.
    fn append(&mut self, new: Vec<NewEntry>, now: Timestamp) -> Option<Vec<Entry>> {
        let before = self.log.len();
        for new in new {
            if let Act::Lift { of } = new.act {
                let fits = self.newest(&new.scope).is_some_and(|newest| newest.seq == of && newest.act == Act::CutOff);
                if !fits {
                    self.log.truncate(before);
                    return None;
                }
            }
            let superseded = self.newest(&new.scope).map_or(Timestamp::EPOCH, |newest| newest.remember_until);
            let mut entry = Entry::new(self.head().next(), now, Timestamp::EPOCH, new);
            entry.remember_until = entry.remember_until.max(superseded);
            self.log.push(entry);
        }
        Some(self.log[before..].to_vec())
    }
}

fn cut_off_of(entry: &Entry) -> CutOff {
    CutOff { scope: entry.scope.clone(), seq: entry.seq, at: entry.at }
}

/// One scope of a few, so that runs come back to the same ones.
fn scope(n: u8) -> Scope {
    match n % 7 {
        0..=2 => Scope::Subject(subject(&format!("s{}", n % 3))),
        3 => Scope::Client(client(&format!("c{}", n / 7 % 2))),
        4 | 5 => Scope::session(sid(u64::from(n / 7 % 4))),
        _ => Scope::All,
    }
}

/// The newest entry of each scope among `entries`, in any order: what a resync keeps.
fn union<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> HashMap<Scope, Entry> {
    let mut newest: HashMap<Scope, Entry> = HashMap::new();
    for entry in entries {
        let kept = newest.entry(entry.scope.clone()).or_insert_with(|| entry.clone());
        if kept.seq < entry.seq {
            *kept = entry.clone();
        }
    }
    newest
}

/// The cut-offs among the newest entries, in the order of their positions.
fn active(newest: &HashMap<Scope, Entry>) -> Vec<CutOff> {
    let mut active: Vec<_> = newest.values().filter(|entry| entry.act == Act::CutOff).map(cut_off_of).collect();
    active.sort_by_key(|cut_off| cut_off.seq);
    active
}

struct Run {
    clock: Arc<ManualClock>,
    store: MemoryStore,
    model: Model,
    /// How long sessions live and entries are remembered at least.
    life: Duration,
}

impl Run {
    fn new(life: Duration) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with(Arc::clone(&clock) as Arc<dyn Clock>, &SeededRandom::new(1)).unwrap();
        Self { clock, store, model: Model::default(), life }
    }

    fn entry(&self, write: &Write, ahead: u64) -> NewEntry {
        let remember_until = self.clock.wall().plus(self.life);
        match *write {
            Write::CutOff { scope: n, life } => {
                let longer = Duration::from_secs(u64::from(life));
                NewEntry { remember_until: remember_until.plus(longer), ..cut_off(scope(n)) }
            }
            Write::Lift { scope: n, of } => {
                let of = Seq::new((self.model.head().get() + ahead).saturating_sub(u64::from(of)));
                NewEntry { remember_until, ..lift(scope(n), of) }
            }
            Write::LiftNewest { scope: n } => {
                let of = self.model.newest(&scope(n)).map_or(Seq::ZERO, |newest| newest.seq);
                NewEntry { remember_until, ..lift(scope(n), of) }
            }
        }
    }

    async fn step(&mut self, step: &Step) {
        let now = self.clock.wall();
        match step {
            Step::Open { subject, client: app } => {
                let n = self.model.sessions.len() as u64;
                let new = || NewSession {
                    client: client(&format!("c{app}")),
                    absolute: self.life,
                    ..new_session(n, &format!("s{subject}"))
                };
                let expected = Session::open(new(), self.model.head(), now);
                assert_eq!(self.store.open(new()).await.unwrap(), expected);
                self.model.sessions.push(expected);
            }
            Step::Advance { session, from, to } => {
                let (from, to) = (Generation::new(u64::from(*from)), Generation::new(u64::from(*to)));
                let id = sid(u64::from(session % 4));
                let row = self.model.sessions.iter_mut().find(|row| row.id == id && row.generation == from);
                let expected = row.map_or(Advance::Stale, |row| {
                    (row.generation, row.rotated_at) = (to, now);
                    Advance::Advanced(now)
                });
                assert_eq!(self.store.advance(id, from, to).await.unwrap(), expected);
            }
            Step::Append(writes) => {
                let new: Vec<_> = (1..).zip(writes).map(|(ahead, write)| self.entry(write, ahead)).collect();
                let expected = self.model.append(new.clone(), now);
                match self.store.append(new).await.unwrap() {
                    Appended::Done(entries) => assert_eq!(Some(entries), expected),
                    Appended::Conflict { .. } => assert_eq!(expected, None),
                }
            }
            Step::Wait { seconds } => self.clock.advance(Duration::from_secs(u64::from(*seconds))),
            Step::Sweep { limit } => {
                self.store.sweep(now, usize::from(*limit)).await.unwrap();
            }
        }
    }

    async fn check(&self) {
        let snapshot = self.store.snapshot(Timestamp::EPOCH).await.unwrap();
        assert_eq!(snapshot.cut_offs, active(&union(&self.model.log)), "the newest entry of a scope decides");
        assert_eq!(snapshot.head.seq, self.model.head());
        for session in &self.model.sessions {
            let loaded = self.store.load(session.id).await.unwrap().expect("the session is there");
            assert_eq!(&loaded.session, session);
            assert_eq!(loaded.cut_off, self.model.covering(session));
        }
    }

    /// What the store still tells of its log, with the position it starts after.
    async fn told(&self) -> (Seq, Vec<Entry>) {
        let mut after = Seq::ZERO;
        loop {
            match self.store.after(after, usize::MAX).await.unwrap() {
                Feed::Batch(batch) => return (after, batch.entries),
                Feed::Gone(_) => after = after.next(),
            }
        }
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

/// A row that is gone, or one that answers as the model's.
async fn gone_or(store: &MemoryStore, id: SessionId, model: &Session) -> bool {
    match store.load(id).await.unwrap() {
        None => true,
        Some(loaded) => {
            assert_eq!(&loaded.session, model);
            false
        }
    }
}

proptest! {
    #[test]
    fn every_state_is_what_the_whole_log_says(steps in steps()) {
        run(async {
            // Nothing is due within a run, so sweeps forget nothing and the model agrees at every step.
            let mut run = Run::new(Duration::from_hours(24));
            for step in &steps {
                run.step(step).await;
                run.check().await;
            }
            assert_eq!(run.told().await, (Seq::ZERO, run.model.log.clone()));
        });
    }

    #[test]
    fn a_union_of_any_copies_of_the_log_is_the_newest_of_each_scope(
        steps in steps(),
        left in any::<u64>(),
        right in any::<u64>(),
    ) {
        run(async {
            let mut run = Run::new(Duration::from_hours(24));
            for step in &steps {
                run.step(step).await;
            }
            // Two nodes, each with a part of the log; together they have all of it, in an order that is not the log's.
            let (_, log) = run.told().await;
            let has = |mask: u64, entry: &Entry| mask >> (entry.seq.get() % 64) & 1 == 1;
            let first: Vec<_> = log.iter().filter(|entry| has(left, entry)).collect();
            let second: Vec<_> = log.iter().filter(|entry| has(right, entry) || !has(left, entry)).collect();
            let merged = union(second.iter().rev().chain(&first).copied());
            let snapshot = run.store.snapshot(Timestamp::EPOCH).await.unwrap();
            assert_eq!(active(&merged), snapshot.cut_offs);
            assert_eq!(&merged, &union(&log));
            assert_eq!(&merged, &union(merged.values().chain(&log)), "and merging again changes nothing");
        });
    }

    // holds: R19
    #[test]
    fn sweeping_forgets_only_what_is_over(steps in steps()) {
        run(async {
            let mut run = Run::new(Duration::from_mins(1));
            for step in &steps {
                // A lift of what was swept is refused, which the model does not know: it has its own test.
                if matches!(step, Step::Append(writes) if writes.iter().any(|w| !matches!(w, Write::CutOff { .. }))) {
                    continue;
                }
                if matches!(step, Step::Advance { .. }) {
                    continue;
                }
                run.step(step).await;
                let now = run.clock.wall();
                for session in &run.model.sessions {
                    let gone = gone_or(&run.store, session.id, session).await;
                    assert!(!gone || session.expires_at < now, "a session was forgotten early");
                }
                let kept = run.store.snapshot(Timestamp::EPOCH).await.unwrap();
                for newest in union(&run.model.log).values().filter(|newest| newest.remember_until >= now) {
                    assert!(kept.cut_offs.contains(&cut_off_of(newest)), "a cut-off was forgotten early");
                }
                let (after, told) = run.told().await;
                let at = usize::try_from(after.get()).unwrap();
                assert_eq!(told, run.model.log[at..], "the log is told without a hole to its end");
                assert!(run.model.log[..at].iter().all(|entry| entry.remember_until < now));
            }
        });
    }
}
