//! One batch: what waits together is run together, committed once, and answered after that. Owns what a failed
//! commit means for everyone in it, and the checkpoints between batches. Knows no table.

use std::path::Path;
use std::time::{Duration, Instant};

use rescind::store::StoreErrorKind;
use rescind::time::Clock;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::mpsc;

use super::fault::Fault;
use super::transaction::Transaction;

/// The write-ahead log is copied into the database when this many of its pages (16 MB) have not been.
const CHECKPOINT_PAGES: i64 = 4_000;

/// A batch waits for its writers at most this long, and at most half as long as the last commit took.
const PATIENCE: Duration = Duration::from_millis(2);

/// What a call does to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads only: answered without waiting for a flush.
    Read,
    /// Writes: answered after the flush.
    Write,
}

/// A call in the queue.
pub(super) trait Job: Send {
    fn access(&self) -> Access;

    /// Runs the call. A fault that is returned takes the whole transaction down; any other is kept for the answer.
    fn run(&mut self, tx: &Transaction<'_>) -> Result<(), Fault>;

    /// Answers: with what `run` kept, or with the fault that took the transaction down.
    fn answer(self: Box<Self>, down: Option<&Fault>, file: &Path);
}

/// Runs batches on the connection, and remembers how the medium is.
pub(super) struct Batches<'c> {
    connection: &'c Connection,
    clock: &'c dyn Clock,
    file: &'c Path,
    writes: Vec<Box<dyn Job>>,
    /// After a failed flush nobody knows what is on the disk: nothing is acknowledged any more.
    broken: Option<Fault>,
    /// The last write found no room, and none has succeeded since.
    full: Option<Fault>,
    /// How many callers seem to be at it, from the last batch.
    expected: usize,
    /// How long the next batch waits for them.
    patience: Duration,
    /// Since when it has been waiting.
    waiting: Option<Instant>,
    /// Pages in the write-ahead log at which the next checkpoint is due.
    checkpoint_at: i64,
}

impl<'c> Batches<'c> {
    pub(super) fn new(connection: &'c Connection, clock: &'c dyn Clock, file: &'c Path) -> Self {
        Self {
            connection,
            clock,
            file,
            writes: Vec::new(),
            broken: None,
            full: None,
            expected: 0,
            patience: Duration::ZERO,
            waiting: None,
            checkpoint_at: CHECKPOINT_PAGES,
        }
    }

    /// Answers the reads among `jobs` at once, from what is durable; keeps the writes for [`write`](Self::write).
    pub(super) fn take(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        if let Some(fault) = &self.broken {
            jobs.drain(..).for_each(|job| job.answer(Some(fault), self.file));
            return;
        }
        self.probe();
        self.writes.extend(jobs.extract_if(.., |job| job.access() == Access::Write));
        if !jobs.is_empty() {
            self.read(jobs);
        }
    }

    /// Whether the writes should wait a little longer, for those who wrote with the last ones and are about to again.
    ///
    /// Without that, whoever is quickest flushes alone and all others wait for it. A lone writer never waits.
    pub(super) fn wants_more(&mut self, most: usize) -> bool {
        let writes = self.writes.len();
        if writes == 0 || writes >= self.expected.min(most) {
            return false;
        }
        self.waiting.get_or_insert_with(stopwatch).elapsed() < self.patience
    }

    /// Runs, flushes and answers the writes that were taken.
    pub(super) fn write(&mut self, queue: &mpsc::Receiver<Box<dyn Job>>) {
        self.waiting = None;
        if self.writes.is_empty() {
            return;
        }
        let mut jobs = std::mem::take(&mut self.writes);
        let begun = stopwatch();
        let down = self.commit(&mut jobs).err().map(|fault| self.undo(fault));
        self.patience = (begun.elapsed() / 2).min(PATIENCE);
        self.expected = jobs.len() + queue.len();
        for job in jobs.drain(..) {
            job.answer(down.as_ref(), self.file);
        }
        self.writes = jobs;
        self.checkpoint();
    }

    /// Closes cleanly: everything into the database file. A broken one is left as it is, for recovery at the next start.
    pub(super) fn close(&mut self) {
        let closed = match &self.broken {
            Some(_) => self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(|_| ()),
            None => self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())),
        };
        if let Err(error) = closed {
            tracing::warn!(file = %self.file.display(), %error, "the write-ahead log stays for the next start");
        }
    }

    fn read(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        // Each call answers for itself: a read that fails takes no other down.
        let begun = self.control("BEGIN");
        let tx = Transaction::new(self.connection, self.clock, self.full.as_ref());
        for mut job in jobs.drain(..) {
            let down = begun.clone().and_then(|()| job.run(&tx)).map_err(as_read).err();
            job.answer(down.as_ref(), self.file);
        }
        // Nothing was written, so how it ends is all one; but it must end, or no other can begin.
        if self.control("COMMIT").is_err() && !self.connection.is_autocommit() {
            drop(self.control("ROLLBACK"));
        }
    }

    /// Runs the calls in one transaction and flushes it.
    fn commit(&self, jobs: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        self.control("BEGIN IMMEDIATE")?;
        let tx = Transaction::new(self.connection, self.clock, self.full.as_ref());
        for job in jobs {
            job.run(&tx)?;
        }
        self.control("COMMIT")
    }

    /// Rolls back, and draws the consequences of the fault for everything that comes after.
    fn undo(&mut self, fault: Fault) -> Fault {
        // SQLite has rolled back by itself after some faults.
        let undone = self.connection.is_autocommit() || self.control("ROLLBACK").is_ok();
        let fault = match fault.kind {
            StoreErrorKind::Full | StoreErrorKind::Unavailable if undone => fault,
            _ => fault.of_kind(StoreErrorKind::Broken),
        };
        // A full disk fails every write, and each of them is tried: once is told.
        if self.full.is_none() {
            tracing::error!(file = %self.file.display(), kind = fault.kind.as_str(), %fault, "a write failed");
        }
        match fault.kind {
            StoreErrorKind::Broken => self.broken = Some(fault.clone()),
            StoreErrorKind::Full => self.full = Some(fault.clone()),
            _ => {}
        }
        fault
    }

    /// Where there was no room, tries whether there is now, so that readiness comes back without anybody's write.
    fn probe(&mut self) {
        if self.full.is_none() {
            return;
        }
        let tried = self
            .control("BEGIN IMMEDIATE")
            .and_then(|()| self.control("UPDATE meta SET probes = probes + 1"))
            .and_then(|()| self.control("COMMIT"));
        match tried {
            Ok(()) => self.full = None,
            Err(fault) => drop(self.undo(fault)),
        }
    }

    /// Keeps the write-ahead log from growing. Runs after the answers, so nobody's write waits for it but the next.
    fn checkpoint(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let Ok(pending) = self.checkpoint_step("PRAGMA wal_checkpoint(NOOP)") else { return };
        if pending < self.checkpoint_at {
            return;
        }
        match self.checkpoint_step("PRAGMA wal_checkpoint(PASSIVE)") {
            // Where a reader or a full disk holds it up, try again after as many pages more.
            Ok(left) => self.checkpoint_at = left.saturating_add(CHECKPOINT_PAGES),
            Err(fault) if fault.kind == StoreErrorKind::Full => {
                self.checkpoint_at = pending.saturating_add(CHECKPOINT_PAGES);
            }
            Err(fault) => drop(self.undo(fault)),
        }
    }

    /// Runs the pragma; returns how many pages of the write-ahead log are not in the database yet.
    fn checkpoint_step(&self, pragma: &str) -> Result<i64, Fault> {
        let mut statement = self.connection.prepare_cached(pragma)?;
        let (pages, copied): (i64, i64) = statement.query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
        Ok(pages.saturating_sub(copied))
    }

    fn control(&self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// Starts measuring how long this thread works or waits: no time of the store's comes from it.
#[expect(clippy::disallowed_methods, reason = "the given clock counts whole milliseconds, and a batch lasts less")]
fn stopwatch() -> Instant {
    Instant::now()
}

/// A read that the medium refused leaves nothing in doubt: it says no more than that the store does not answer.
fn as_read(fault: Fault) -> Fault {
    match fault.kind {
        StoreErrorKind::Broken => fault.of_kind(StoreErrorKind::Unavailable),
        _ => fault,
    }
}
