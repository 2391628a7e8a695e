//! The SQLite store: one file, one process, every acknowledged write flushed. Owns [`SqliteStore`], the contract's face;
//! each method puts one closure over the rows into the owner thread's queue.
//!
//! Writes that wait together share one transaction and one flush; reads never wait for a flush of writes that came with
//! them. The `sqlite3` tool may read the file while the server runs: `SELECT * FROM log_readable`.

mod batch;
mod cells;
mod fault;
mod lock;
mod log;
mod open;
mod owner;
mod records;
mod schema;
mod sessions;
mod sweep;
mod transaction;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::NewEntry;
use rescind::position::{Generation, Incarnation, Seq};
use rescind::random::{Random, SystemRandom};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use rescind::time::{Clock, SystemClock, Timestamp};

use self::batch::Access;
use self::owner::Owner;

/// A durable store in one SQLite file.
///
/// Dropping it finishes what is queued, closes the file, and waits for both.
///
/// ```
/// use rescind::store::Store;
/// use rescind_stores::sqlite::SqliteStore;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("rescind.db");
/// let store = SqliteStore::open(&path).await?; // "rescind.db"
/// assert_eq!(store.health().await?.seq.get(), 0, "nothing was ever revoked");
///
/// // One process at a time: the error names the file and the remedy.
/// let second = SqliteStore::open(&path).await.unwrap_err();
/// assert!(second.to_string().contains("another process"));
/// # Ok(())
/// # }
/// ```
///
/// # The file
/// * It is in WAL mode: beside it lie `-wal`, `-shm` and `.lock`. Copy it with `sqlite3 rescind.db ".backup copy.db"`, which
///   takes the write-ahead log along.
/// * A copy that is put back is older than what was acknowledged. With a high-water file
///   ([`Builder::high_water`](rescind::Builder::high_water)) the next start finds that, and cuts off everything before it.
/// * The layout has a version. Opening brings an older one up to date; one of a newer build is refused and left as it is.
/// * After a flush that failed, the store acknowledges nothing more: mend the disk and restart.
pub struct SqliteStore {
    owner: Owner,
}

impl SqliteStore {
    /// Opens the file, or makes it, with the machine's clock and randomness.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Arc::new(SystemClock), &SystemRandom).await
    }

    /// Opens the file, or makes it: `clock` is the store's time, and `random` names the history of a new file.
    ///
    /// **Cost:** one thread, which ends when the store is dropped.
    ///
    /// # Errors
    /// Each names the file and what to do; the file is then as it was.
    /// * [`StoreErrorKind::Unavailable`]: another process has it, it cannot be read and written, or it is another application's.
    /// * [`StoreErrorKind::Newer`]: a newer version has written it.
    /// * [`StoreErrorKind::Corrupt`]: it is truncated or no database.
    /// * [`StoreErrorKind::Full`]: there is no room to make or migrate it.
    pub async fn open_with(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, StoreError> {
        let mut name = [0; 16];
        random.fill(&mut name).map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "open", error))?;
        let owner = Owner::start(path.as_ref().to_owned(), clock, Incarnation::from_bytes(name)).await?;
        Ok(Self { owner })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.owner.call("open", Access::Write, move |tx| sessions::open(tx, session)).await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.owner.call("load", Access::Read, move |tx| sessions::load(tx, sid)).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.owner.call("advance", Access::Write, move |tx| sessions::advance(tx, sid, from, to)).await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        let subject = subject.clone();
        self.owner.call("sessions_of", Access::Read, move |tx| sessions::of_subject(tx, &subject, page)).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.owner.call("append", Access::Write, move |tx| log::append(tx, entries)).await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        self.owner.call("after", Access::Read, move |tx| log::after(tx, after, limit)).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.owner.call("snapshot", Access::Read, move |tx| log::snapshot(tx, since)).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.owner.call("sweep", Access::Write, move |tx| sweep::sweep(tx, before, limit)).await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        let head = |tx: &transaction::Transaction<'_>| tx.has_room().and_then(|()| tx.head(tx.now()));
        self.owner.call("health", Access::Read, head).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.owner.call("reincarnate", Access::Write, move |tx| log::reincarnate(tx, lost, new, head)).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let id = id.to_owned();
        self.owner.call("record", Access::Read, move |tx| records::read(tx, kind.0, &id)).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        let id = id.to_owned();
        let put = move |tx: &transaction::Transaction<'_>| records::put(tx, kind.0, &id, expected, &body, ends);
        self.owner.call("put_record", Access::Write, put).await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let after = after.map(str::to_owned);
        self.owner.call("records", Access::Read, move |tx| records::list(tx, kind.0, after.as_deref(), limit)).await
    }

    fn is_shared(&self) -> bool {
        false
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("file", &self.owner.file()).finish_non_exhaustive()
    }
}
