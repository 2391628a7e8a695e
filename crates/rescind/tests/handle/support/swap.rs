//! A store that can be replaced by another while it is in use, as an operator does who puts a backup in its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::NewEntry;
use rescind::position::{Generation, Incarnation, Seq};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError, Swept,
};
use rescind::time::Timestamp;
use tokio::sync::watch;

use super::TestStore;

/// A store in the place of which another can be put. It says that it is shared, unless it is a copy, and calls its readers.
pub(crate) struct SwapStore {
    present: Mutex<Arc<TestStore>>,
    behind: Duration,
    grown: watch::Sender<()>,
    /// Whether every round of a follower finds another history than the last one.
    restless: AtomicBool,
}

/// As many entries are read by a round; other readings are smaller.
const ROUND: usize = 4096;

impl SwapStore {
    pub(crate) fn new(first: Arc<TestStore>) -> Self {
        Self {
            present: Mutex::new(first),
            behind: Duration::ZERO,
            grown: watch::Sender::new(()),
            restless: AtomicBool::default(),
        }
    }

    /// One that is a copy of another store, and may be so far behind it.
    pub(crate) fn behind(first: Arc<TestStore>, behind: Duration) -> Self {
        Self { behind, ..Self::new(first) }
    }

    pub(crate) fn replace(&self, by: Arc<TestStore>) {
        *self.present.lock().unwrap() = by;
    }

    /// Whether the history is to change before every round that reads it.
    pub(crate) fn set_restless(&self, restless: bool) {
        self.restless.store(restless, Ordering::Relaxed);
    }

    fn now(&self) -> Arc<TestStore> {
        Arc::clone(&self.present.lock().unwrap())
    }
}

#[async_trait]
impl Store for SwapStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.now().open(session).await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.now().load(sid).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.now().advance(sid, from, to).await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        self.now().sessions_of(subject, page).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        let appended = self.now().append(entries).await;
        self.grown.send_replace(());
        appended
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        if limit == ROUND && self.restless.load(Ordering::Relaxed) {
            let Head { incarnation, seq, .. } = self.now().health().await?;
            let new = Incarnation::from_bytes(u128::from(seq.get()).to_be_bytes());
            self.now().reincarnate(incarnation, new, seq.next()).await?;
        }
        self.now().after(after, limit).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.now().snapshot(since).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.now().sweep(before, limit).await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        self.now().health().await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.now().reincarnate(lost, new, head).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        self.now().record(kind, id).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        self.now().put_record(kind, id, expected, body, ends).await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.now().records(kind, after, limit).await
    }

    async fn woken(&self) {
        self.grown.subscribe().changed().await.unwrap();
    }

    /// A copy proves nothing by writing, and is written to by nobody.
    fn is_shared(&self) -> bool {
        self.behind.is_zero()
    }

    fn behind(&self) -> Duration {
        self.behind
    }
}
