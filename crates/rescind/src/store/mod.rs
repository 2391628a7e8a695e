//! The contract of a store: the durable half of Rescind. Owns the trait and the shapes that cross it. Policy lives
//! in the engine; a store only reads, appends and compares-and-sets.
//!
//! # How to add a store
//! 1. Implement [`Store`] for a type of yours. The trait shows a whole one to start from.
//! 2. Run the conformance suite on it: one call of `rescind::store::conformance::run` (feature `testing`) from a test,
//!    with a function that makes an empty home for it. No case can be left out.
//!
//! # What every store promises
//! * **Durable.** When a write returns `Ok`, it survives the death of the process and of the machine.
//! * **All or nothing.** A write that returns `Err` happened whole or not at all; which, is found by reading again.
//! * **One order.** Positions are 1, 2, 3 … without gaps; a reader never sees an entry before its predecessors.
//! * **One moment.** What one call returns was true together at one moment, with the store's time of that moment.
//! * **Any limit.** A limit of 0 reads or forgets nothing; one of [`usize::MAX`] is no error.
//! * **Times and versions** up to 2^63 − 1 are kept exactly.
//! * **To the end.** A write goes on to its end when the future that asked for it is dropped.

#[cfg(feature = "testing")]
pub mod conformance;
mod error;
#[cfg(feature = "testing")]
mod failing;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::error::{StoreError, StoreErrorKind};
#[cfg(feature = "testing")]
pub use self::failing::{FailingStore, Fault, Gate, Operation, Which};
pub use self::memory::MemoryStore;
use crate::id::{SessionId, Subject};
use crate::log::{ChainTag, CutOff, Entry, NewEntry};
use crate::position::{Generation, Incarnation, Seq};
use crate::session::{Loaded, NewSession, Session};
use crate::time::Timestamp;

/// A durable store of sessions, the log, and small records.
///
/// Every method may fail with a [`StoreError`]; the kinds are listed at [`StoreErrorKind`].
///
/// # A store of one's own
/// This one is complete and durable, and the conformance suite runs on exactly this text. [`Session`], [`Entry`] and
/// [`Record`] are read and written by serde, so a store may keep them as it likes.
///
/// ```
#[doc = include_str!("../../examples/own_store/journal.rs")]
/// ```
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Inserts a session at the log's head and the store's time, both read in the inserting transaction, and returns it whole.
    ///
    /// **Atomicity:** a cut-off that is appended later has a higher position; one appended earlier has not.
    ///
    /// # Errors
    /// [`StoreError`]; a session id that exists already is [`StoreErrorKind::Corrupt`].
    async fn open(&self, session: NewSession) -> Result<Session, StoreError>;

    /// Reads a session, the highest active cut-off that covers it, and the time; `None` where there is no such row.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError>;

    /// Sets the generation from `from` to `to` and the last rotation to the store's time, where the row still stands at `from`.
    ///
    /// `to` may equal `from` (the session is used without a rotation) and may be more than one above it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError>;

    /// Lists a subject's sessions, newest first, dead ones included, each with the cut-off that covers it.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError>;

    /// Appends entries at contiguous positions in their order, all or none, and returns them as stored.
    ///
    /// A lift is checked in the same transaction: its `of` must be the newest entry on its scope and a cut-off,
    /// else nothing of the call is written and [`Appended::Conflict`] names the newest. Entries of the same call count
    /// in their order: a batch may hold a cut-off and its lift.
    ///
    /// An entry's time is never before its predecessor's, also where the clock stepped back ([`Entry::new`]), and it is
    /// remembered no shorter than the entry that it supersedes on its scope: what that covered, it covers too.
    ///
    /// **Cost:** concurrent calls share one flush to stable storage.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError>;

    /// Reads up to `limit` entries after `after`, in order without gaps, with the tags around them and the head.
    ///
    /// [`Feed::Gone`] where entries after `after` were swept, or `after` is not a position of this incarnation
    /// (above the head, or before the incarnation began): the reader loads a snapshot.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError>;

    /// Reads every active cut-off that was appended at or after `since`, with the head and its tag, of one moment.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError>;

    /// Forgets what ended before `before`: sessions whose `expires_at` is earlier, a scope's newest entry whose
    /// `remember_until` is earlier, log entries from the front while their `remember_until` is earlier, and records
    /// whose `ends` is earlier. At most `limit` rows a call; fewer only where nothing more is due. The head and its
    /// tag stay.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError>;

    /// Says that the store can be read, with its head and time.
    ///
    /// # Errors
    /// [`StoreError`]; a store that can no longer write says so here.
    async fn health(&self) -> Result<Head, StoreError>;

    /// Starts a new incarnation in place of `lost`: the head becomes `head` and its tag the genesis of `new`.
    /// Sessions, records and every scope's newest entry stay; the entries before are not read again. Returns false, and changes nothing, where `lost` is not the present one or `head` is not above the present head.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError>;

    /// Reads a record. One whose end has passed is still returned until it is swept: whoever reads it judges.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError>;

    /// Writes a record where its version still is `expected`; 0 stands for "there is none". The new version is one higher.
    ///
    /// The end is replaced with the body: `None` keeps the record for good, else [`sweep`](Self::sweep) forgets it
    /// after `ends`. A swept record is as one that was never written: `expected` 0 makes it again, from version 1.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError>;

    /// Lists a kind's records in the order of their ids' bytes, after the id `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError>;

    /// Waits until the log may have grown. A hint, and never more: whoever follows the log polls it all the same, so a
    /// store without a way to call its readers waits for ever, as this one does, and one that calls in vain costs a read.
    ///
    /// May be dropped while it waits: a call that came meanwhile ends the next wait at once.
    async fn woken(&self) {
        std::future::pending::<()>().await;
    }

    /// Whether several processes may have this store open at once. They then register in it and prove by writing that
    /// it is still the one that all write to. Only a store that refuses a second process may say no.
    fn is_shared(&self) -> bool {
        true
    }

    /// How far behind the log the last answers may have been: zero for a store that holds the log itself, more for one
    /// that is a copy of another.
    fn behind(&self) -> Duration {
        Duration::ZERO
    }

    /// The longest life of an access token that any answer told of: zero for a store that holds the log itself, in which
    /// it is registered.
    fn longest_life(&self) -> Duration {
        Duration::ZERO
    }
}

/// What can be given to a handle as its store: a store, or one that is shared already.
pub trait IntoStore {
    /// The store, shared.
    fn into_store(self) -> Arc<dyn Store>;
}

impl<S: Store> IntoStore for S {
    fn into_store(self) -> Arc<dyn Store> {
        Arc::new(self)
    }
}

impl<S: Store> IntoStore for Arc<S> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

impl IntoStore for Arc<dyn Store> {
    fn into_store(self) -> Arc<dyn Store> {
        self
    }
}

/// What became of a compare-and-set on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// The row moved, at this store time.
    Advanced(Timestamp),
    /// The row was not at the expected generation, or is gone. Nothing was written.
    Stale,
}

/// Which part of a listing to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Continue behind this session, which need not be there any more; `None` from the newest.
    pub after: Option<SessionId>,
    /// At most this many.
    pub limit: usize,
}

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPage {
    /// The sessions, newest (highest id) first, each with the cut-off that covers it.
    pub sessions: Vec<Loaded>,
    /// The last of them where more follow; `None` at the end.
    pub next: Option<SessionId>,
}

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The entries as stored, at contiguous positions.
    Done(Vec<Entry>),
    /// A lift did not fit. Nothing was written.
    Conflict {
        /// The newest entry, as it is stored without this call's own, on the scope of the first lift that did not
        /// fit; `None` where the scope has none.
        newest: Option<Entry>,
    },
}

/// The log after a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The entries follow without a gap.
    Batch(Batch),
    /// What follows cannot be told from the log: load a snapshot.
    Gone(Head),
}

/// A contiguous part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The tag at the position that was asked for.
    pub prev_tag: ChainTag,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// The tag at the last of them; `prev_tag` where there are none.
    pub tag: ChainTag,
    /// The head of the same moment.
    pub head: Head,
}

/// Where a store's log stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The history that the positions belong to.
    pub incarnation: Incarnation,
    /// The newest position.
    pub seq: Seq,
    /// The tag at the newest position.
    pub tag: ChainTag,
    /// The store's time of the moment.
    pub now: Timestamp,
}

/// The active cut-offs of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The head of the same moment.
    pub head: Head,
    /// The active cut-offs, in the order of their positions.
    pub cut_offs: Vec<CutOff>,
}

/// What a sweep forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Session rows.
    pub sessions: usize,
    /// Scopes whose newest entry is forgotten.
    pub scopes: usize,
    /// Log entries.
    pub entries: usize,
    /// Records whose end has passed.
    pub records: usize,
}

impl Swept {
    /// All rows together; equal to the limit where more may be due.
    pub const fn rows(self) -> usize {
        self.sessions + self.scopes + self.entries + self.records
    }
}

/// The kind of a record: a namespace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordKind(pub &'static str);

impl RecordKind {
    /// The key ring, encrypted under the root secret. One record.
    pub const KEYS: Self = Self("keys");
    /// What nodes must agree on: lifetimes, issuer. One record.
    pub const SETTINGS: Self = Self("settings");
    /// Users who may sign in. One record a user.
    pub const USERS: Self = Self("users");
    /// Nodes that share the store. One record a node.
    pub const NODES: Self = Self("nodes");
    /// How a lost history was gone on with. One record an incarnation that took another's place; it ends.
    pub const HEALINGS: Self = Self("healings");
    /// Which sessions were opened by which session at a sign-in provider. One record a session there; it ends.
    pub const PROVIDER_SESSIONS: Self = Self("provider_sessions");
    /// Names that count once: a logout token's `jti`, a sign-in's `state`. One record a name; it ends.
    pub const SPENT: Self = Self("spent");
}

/// A small document under compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// 1 when first written, one higher with every write.
    pub version: u64,
    /// The document.
    pub body: Vec<u8>,
    /// From when on a sweep may forget it; `None` where it stays.
    pub ends: Option<Timestamp>,
}

/// What became of writing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Written; the version it has now.
    Written(u64),
    /// The version was not the expected one. Nothing was written.
    Stale,
}
