//! What a case is given: an empty store, its clock, and the questions that many cases ask. Asserts nothing of its own
//! but that the store answers.

use std::sync::Arc;
use std::time::Duration;

use super::{Durability, Home};
use crate::id::SessionId;
use crate::log::{ChainTag, CutOff, Entry, NewEntry, Scope};
use crate::position::{Generation, Incarnation, Seq};
use crate::session::{Loaded, NewSession, Session};
use crate::store::{Advance, Appended, Batch, Feed, Head, Snapshot, Store, Swept};
use crate::testing::{ManualClock, cut_off, lift, subject};
use crate::time::{Clock, Timestamp};

/// An empty store and what belongs to it.
pub(super) struct Stage {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) home: Arc<dyn Home>,
}

impl Stage {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The store as a second process has it open; the only process's handle where there can be no second.
    pub(super) async fn beside(&self) -> Self {
        let (clock, home) = (Arc::clone(&self.clock), Arc::clone(&self.home));
        let store = if self.store.is_shared() {
            home.open(Arc::clone(&clock) as Arc<dyn Clock>).await
        } else {
            Arc::clone(&self.store)
        };
        Self { store, clock, home }
    }

    /// Closes the store and opens what is there again.
    pub(super) async fn reopen(self) -> (Self, Durability) {
        let Self { store, clock, home } = self;
        assert_eq!(Arc::strong_count(&store), 1, "the case holds the last handle");
        drop(store);
        let store = home.open(Arc::clone(&clock) as Arc<dyn Clock>).await;
        let durability = home.durability();
        (Self { store, clock, home }, durability)
    }

    pub(super) async fn open(&self, session: NewSession) -> Session {
        self.store.open(session).await.unwrap()
    }

    pub(super) async fn load(&self, sid: SessionId) -> Loaded {
        self.store.load(sid).await.unwrap().expect("the session is there")
    }

    /// The position of the cut-off that covers the session.
    pub(super) async fn covered(&self, sid: SessionId) -> Option<Seq> {
        self.load(sid).await.cut_off.map(|cut_off| cut_off.seq)
    }

    pub(super) async fn advance(&self, sid: SessionId, from: u64, to: u64) -> Advance {
        self.store.advance(sid, Generation::new(from), Generation::new(to)).await.unwrap()
    }

    /// Appends what must fit.
    pub(super) async fn append(&self, entries: Vec<NewEntry>) -> Vec<Entry> {
        done(self.store.append(entries).await.unwrap())
    }

    /// Appends one cut-off; its position.
    pub(super) async fn cut(&self, scope: Scope) -> Seq {
        self.append(vec![cut_off(scope)]).await[0].seq
    }

    /// Appends one lift that must fit; its position.
    pub(super) async fn lift(&self, scope: Scope, of: Seq) -> Seq {
        self.append(vec![lift(scope, of)]).await[0].seq
    }

    /// Appends what must not fit; the newest entry that the store names.
    pub(super) async fn refused(&self, entries: Vec<NewEntry>) -> Option<Entry> {
        match self.store.append(entries).await.unwrap() {
            Appended::Conflict { newest } => newest,
            Appended::Done(entries) => panic!("appended what does not fit: {entries:?}"),
        }
    }

    pub(super) async fn head(&self) -> Head {
        self.store.health().await.unwrap()
    }

    pub(super) async fn batch(&self, after: Seq, limit: usize) -> Batch {
        batch(self.store.after(after, limit).await.unwrap())
    }

    pub(super) async fn gone(&self, after: Seq) -> Head {
        match self.store.after(after, 10).await.unwrap() {
            Feed::Gone(head) => head,
            Feed::Batch(batch) => panic!("told the log after {after}: {batch:?}"),
        }
    }

    /// The whole log from its incarnation's first position, its tags checked.
    pub(super) async fn log(&self) -> Vec<Entry> {
        let batch = self.batch(Seq::ZERO, usize::MAX).await;
        assert_eq!(batch.prev_tag, ChainTag::genesis(batch.head.incarnation), "the log starts at its genesis");
        assert_chained(&batch, Seq::ZERO);
        assert_eq!(batch.tag, batch.head.tag, "the whole log ends at the head's tag");
        batch.entries
    }

    pub(super) async fn snapshot(&self, since: Timestamp) -> Snapshot {
        self.store.snapshot(since).await.unwrap()
    }

    /// Sweeps in steps of `limit` until a step is not full; what was forgotten together.
    pub(super) async fn sweep_all(&self, before: Timestamp, limit: usize) -> Swept {
        let mut total = Swept::default();
        for _ in 0..1_000 {
            let swept = self.store.sweep(before, limit).await.unwrap();
            assert!(swept.rows() <= limit, "{swept:?} is above {limit}");
            total.sessions += swept.sessions;
            total.scopes += swept.scopes;
            total.entries += swept.entries;
            total.records += swept.records;
            if swept.rows() < limit {
                return total;
            }
        }
        panic!("sweeping does not end: {total:?}");
    }

    /// Every active cut-off.
    pub(super) async fn active(&self) -> Vec<CutOff> {
        self.snapshot(Timestamp::EPOCH).await.cut_offs
    }
}

pub(super) fn done(appended: Appended) -> Vec<Entry> {
    match appended {
        Appended::Done(entries) => entries,
        Appended::Conflict { newest } => panic!("refused what fits; newest is {newest:?}"),
    }
}

pub(super) fn batch(feed: Feed) -> Batch {
    match feed {
        Feed::Batch(batch) => batch,
        Feed::Gone(head) => panic!("the log is gone; head {head:?}"),
    }
}

/// The entries follow `after` without a gap, and the tags follow from one another.
pub(super) fn assert_chained(batch: &Batch, after: Seq) {
    let mut at = (after, batch.prev_tag);
    for entry in &batch.entries {
        assert_eq!(entry.seq, at.0.next(), "positions have no gap");
        at = (entry.seq, at.1.next(entry));
    }
    assert_eq!(batch.tag, at.1, "the tag at {} follows from the entries", at.0);
    assert!(batch.head.seq >= at.0, "the head is not below what was read");
}

/// The scope of the subject `name`.
pub(super) fn of_subject(name: &str) -> Scope {
    Scope::Subject(subject(name))
}

/// The incarnation of 16 times `byte`.
pub(super) fn incarnation(byte: u8) -> Incarnation {
    Incarnation::from_bytes([byte; 16])
}

/// Names that a careless store would cut, fold, or read as its own language.
pub(super) fn hostile_names() -> Vec<String> {
    let mut names: Vec<_> = [
        "alice",
        "Alice",
        "alice ",
        " alice",
        "'",
        "\"",
        "''; DROP TABLE log; --",
        "x' OR '1'='1",
        "%",
        "_",
        "\\",
        "\\0",
        "$1",
        "?1",
        ":id",
        "*",
        "a:b",
        "a/../b",
        "{\"a\":1}",
        "null",
        "0",
        "00",
        "1e3",
        "{hash}tag",
        "é",
        "e\u{301}",
        "ﬁ",
        "ß",
        "ẞ",
        "İ",
        "🦀",
        "👩‍👩‍👧",
        "\u{202e}evil",
        "\u{200b}",
        "\u{feff}",
        "日本語",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(255));
    names.push(format!("{}y", "x".repeat(254)));
    names
}
