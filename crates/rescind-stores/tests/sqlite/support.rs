//! What the tests of the SQLite store share: a scratch database, and a child process that writes under load.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rescind::position::Seq;
use rescind::random::SystemRandom;
use rescind::store::{Batch, Feed, Store, StoreError};
use rescind::testing::ManualClock;
use rescind::time::Clock;
use rescind_stores::sqlite::SqliteStore;
use tempfile::TempDir;

/// A scratch directory with the name of a database in it.
pub(crate) struct Scratch {
    directory: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("rescind.db")
    }

    /// Opens the store with a clock that stands still.
    pub(crate) async fn open(&self) -> Result<SqliteStore, StoreError> {
        self.open_at(Arc::new(ManualClock::default())).await
    }

    pub(crate) async fn open_at(&self, clock: Arc<dyn Clock>) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(self.file(), clock, &SystemRandom).await
    }

    /// A connection past the store, as the `sqlite3` tool has one.
    pub(crate) fn tool(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }
}

/// The log after a position, which must be there.
pub(crate) async fn log_after(store: &SqliteStore, after: Seq) -> Batch {
    match store.after(after, usize::MAX).await.unwrap() {
        Feed::Batch(batch) => batch,
        Feed::Gone(head) => panic!("the log after {after} is gone; head {head:?}"),
    }
}

/// Skips a test by name where the machine lacks what it needs.
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}
