//! The owner thread: it alone holds the connection, takes what waits in the queue, and has it run as one batch.
//! Owns the queue and the thread's life; what a batch is stands in `batch.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rescind::position::Incarnation;
use rescind::store::{StoreError, StoreErrorKind};
use rescind::time::Clock;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::oneshot;

use super::batch::{Access, Batches, Job};
use super::fault::Fault;
use super::open::{self, Opened};
use super::transaction::Transaction;

/// At most so many calls share one transaction; as many may wait for the next.
const BATCH: usize = 1_000;

struct Call<T, W> {
    op: &'static str,
    access: Access,
    work: Option<W>,
    result: Option<Result<T, Fault>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Call<T, W>
where
    T: Send,
    W: FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send,
{
    fn access(&self) -> Access {
        self.access
    }

    fn run(&mut self, tx: &Transaction<'_>) -> Result<(), Fault> {
        let Some(work) = self.work.take() else { return Ok(()) };
        match work(tx) {
            Err(fault) if fault.takes_transaction() => Err(fault),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, down: Option<&Fault>, file: &Path) {
        let result = match (down, self.result) {
            (Some(fault), _) => Err(fault.error(self.op, file)),
            (None, Some(result)) => result.map_err(|fault| fault.error(self.op, file)),
            (None, None) => return,
        };
        // Nobody listens where the caller has been dropped; the work is done all the same.
        drop(self.answer.send(result));
    }
}

/// The way to the owner thread. Dropping it lets the queue run empty, closes the database, and waits for that.
pub(super) struct Owner {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    file: PathBuf,
}

impl Owner {
    /// Starts the thread and opens the database on it; `incarnation` names the history of a new one.
    pub(super) async fn start(
        file: PathBuf,
        clock: Arc<dyn Clock>,
        incarnation: Incarnation,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(BATCH);
        let (ready, opened) = oneshot::channel();
        let path = file.clone();
        let thread = std::thread::Builder::new()
            .name("rescind-sqlite".to_owned())
            .spawn(move || match open::open(&path, incarnation) {
                Ok(database) => {
                    // The opener may have been dropped; then the queue is closed and the thread ends by itself.
                    drop(ready.send(Ok(database.file.clone())));
                    serve(database, &*clock, jobs);
                }
                Err(fault) => drop(ready.send(Err(fault.error("open", &path)))),
            })
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "open", error))?;
        let file = opened.await.unwrap_or_else(|_| Err(ended("open", &file)))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), file })
    }

    /// Has the owner thread run `work`, and waits for the answer. Once queued, it runs to its end whether or not anyone waits.
    pub(super) async fn call<T, W>(&self, op: &'static str, access: Access, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call = Box::new(Call { op, access, work: Some(work), result: None, answer });
        let queue = self.queue.as_ref().ok_or_else(|| ended(op, &self.file))?;
        queue.send(call).await.map_err(|_| ended(op, &self.file))?;
        answered.await.unwrap_or_else(|_| Err(ended(op, &self.file)))
    }

    /// The database file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn ended(op: &'static str, file: &Path) -> StoreError {
    Fault::new(StoreErrorKind::Broken, "the thread that owns the database has ended").error(op, file)
}

/// Runs batches until the last handle is gone and the queue is empty.
fn serve(database: Opened, clock: &dyn Clock, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let Opened { connection, file, lock } = database;
    let mut batches = Batches::new(&connection, clock, &file);
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
        batches.take(&mut jobs);
        while batches.wants_more(BATCH) {
            match queue.try_recv() {
                Ok(job) => {
                    jobs.push(job);
                    batches.take(&mut jobs);
                }
                Err(TryRecvError::Empty) => std::thread::yield_now(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        batches.write(&queue);
    }
    batches.close();
    drop(connection);
    // Only now may another process open the file.
    drop(lock);
}
