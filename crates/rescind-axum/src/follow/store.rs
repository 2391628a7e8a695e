//! The log of another node in the place of a store. Owns that every read is a round trip, so that what is known of its
//! age is measured here and not told; that nothing is written; and that the stream of events only wakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::NewEntry;
use rescind::position::{Generation, Incarnation, Seq};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use rescind::time::Timestamp;

use super::upstream::{NoAnswer, Upstream};

/// The log of the node that is followed, as a store that can only be read.
///
/// A round of the view begins before the request is sent, and the answer says how old the other node's own knowledge
/// was when it was asked. So the view is complete as of the beginning less that age, however long a link delays what it
/// carries, and over several hops the ages add up.
pub struct FeedStore {
    upstream: Arc<Upstream>,
    /// The age of the last answer. **Units:** milliseconds.
    behind: AtomicU64,
}

impl FeedStore {
    pub(super) fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, behind: AtomicU64::new(0) }
    }

    /// The same log for a reader of its own: each store remembers the age of its own last answer.
    #[must_use]
    pub fn for_another_reader(&self) -> Self {
        Self::new(Arc::clone(&self.upstream))
    }

    fn note(&self, age: Duration) {
        self.behind.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }
}

impl std::fmt::Debug for FeedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedStore").field("behind_ms", &self.behind).finish_non_exhaustive()
    }
}

fn failed(op: &'static str) -> impl Fn(NoAnswer) -> StoreError {
    move |error| StoreError::new(StoreErrorKind::Unavailable, op, format!("the node that is followed: {error}"))
}

fn no_store<T>(op: &'static str) -> Result<T, StoreError> {
    let problem = "this node follows and has no store; ask the issuer's own nodes";
    Err(StoreError::new(StoreErrorKind::Unavailable, op, problem))
}

#[async_trait]
impl Store for FeedStore {
    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        let answer = self.upstream.after(after, limit).await.map_err(failed("after"))?;
        self.note(answer.age);
        Ok(answer.answer)
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        let (answer, _) = self.upstream.snapshot(since).await.map_err(failed("snapshot"))?;
        self.note(answer.age);
        Ok(answer.answer)
    }

    /// The head of the last answer; where that is old, it asks.
    async fn health(&self) -> Result<Head, StoreError> {
        if let Some(head) = self.upstream.seen() {
            return Ok(head);
        }
        let asked = tokio::time::timeout(self.upstream.bound, self.upstream.about()).await;
        let about = asked.unwrap_or_else(|_| Err(NoAnswer::Unreadable("it did not answer in time".to_owned())));
        let about = about.map_err(failed("health"))?;
        Head::try_from(&about.head).map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "health", error))
    }

    /// Ends where the stream of events has brought entries.
    async fn woken(&self) {
        self.upstream.wake.notified().await;
    }

    /// It writes nothing, so no write of its own could prove anything; whoever it follows has that proof, and its age.
    fn is_shared(&self) -> bool {
        false
    }

    fn behind(&self) -> Duration {
        Duration::from_millis(self.behind.load(Ordering::Acquire))
    }

    fn longest_life(&self) -> Duration {
        self.upstream.longest_life()
    }

    async fn open(&self, _: NewSession) -> Result<Session, StoreError> {
        no_store("open")
    }

    async fn load(&self, _: SessionId) -> Result<Option<Loaded>, StoreError> {
        no_store("load")
    }

    async fn advance(&self, _: SessionId, _: Generation, _: Generation) -> Result<Advance, StoreError> {
        no_store("advance")
    }

    async fn sessions_of(&self, _: &Subject, _: Page) -> Result<SessionPage, StoreError> {
        no_store("sessions_of")
    }

    async fn append(&self, _: Vec<NewEntry>) -> Result<Appended, StoreError> {
        no_store("append")
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<Swept, StoreError> {
        no_store("sweep")
    }

    async fn reincarnate(&self, _: Incarnation, _: Incarnation, _: Seq) -> Result<bool, StoreError> {
        no_store("reincarnate")
    }

    async fn record(&self, _: RecordKind, _: &str) -> Result<Option<Record>, StoreError> {
        no_store("record")
    }

    async fn put_record(
        &self,
        _: RecordKind,
        _: &str,
        _: u64,
        _: Vec<u8>,
        _: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        no_store("put_record")
    }

    async fn records(&self, _: RecordKind, _: Option<&str>, _: usize) -> Result<Vec<(String, Record)>, StoreError> {
        no_store("records")
    }
}
