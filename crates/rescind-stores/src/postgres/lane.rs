//! A lane: what waits together is read or written together, by one statement that is one transaction, and answered after
//! its commit. Owns the queue and how long a batch waits for those who come; knows no table.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rescind::store::{StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use super::fault::Fault;
use super::link::Link;

/// At most so many calls share one transaction; as many may wait for the next.
const BATCH: usize = 1_000;

/// A batch waits for its writers at most this long, and at most half as long as the last one took.
const PATIENCE: Duration = Duration::from_millis(2);

/// Calls of one kind, and the statement that runs many of them.
pub(super) trait Work: Send + 'static {
    type Job: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// The order in which jobs take their rows' locks. Two nodes that write the same rows take them in the same order,
    /// or they would wait for each other.
    fn arrange(_: &mut [Waiting<Self>])
    where
        Self: Sized,
    {
    }

    /// Whether the job shares its transaction with no other.
    fn is_alone(_: &Self::Job) -> bool {
        false
    }

    /// How much a job is of a batch that may weigh [`BATCH`].
    fn weight(_: &Self::Job) -> usize {
        1
    }

    /// Writes all jobs durably, or none; an answer for each, in their order.
    fn run(link: &Link, jobs: &[&Self::Job]) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

/// A job and who waits for its answer.
pub(super) struct Waiting<W: Work> {
    pub(super) job: W::Job,
    answer: oneshot::Sender<Result<W::Answer, Fault>>,
}

/// The way into a lane. When it is dropped, what is queued is still written.
pub(super) struct Lane<W: Work> {
    queue: mpsc::Sender<Waiting<W>>,
    link: Arc<Link>,
}

impl<W: Work> Lane<W> {
    pub(super) fn start(link: &Arc<Link>) -> Self {
        let (queue, jobs) = mpsc::channel(BATCH);
        tokio::spawn(serve(Arc::clone(link), jobs));
        Self { queue, link: Arc::clone(link) }
    }

    /// Has the job written, and waits for the answer. Once queued, it is written whether or not anyone waits.
    pub(super) async fn call(&self, op: &'static str, job: W::Job) -> Result<W::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        let ended = || StoreError::new(StoreErrorKind::Unavailable, op, "the runtime that writes has ended");
        self.queue.send(Waiting { job, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?.map_err(|fault| fault.error(op, self.link.server()))
    }
}

/// Runs batches until the last handle is gone and the queue is empty.
async fn serve<W: Work>(link: Arc<Link>, mut queue: mpsc::Receiver<Waiting<W>>) {
    let mut waiting: Vec<Waiting<W>> = Vec::new();
    let (mut expected, mut patience) = (0, Duration::ZERO);
    loop {
        if waiting.is_empty() {
            let Some(first) = queue.recv().await else { return };
            waiting.push(first);
        }
        gather(&mut waiting, &mut queue, expected, patience).await;
        let mut batch = cut(&mut waiting);
        W::arrange(&mut batch);
        let begun = stopwatch();
        let size = batch.len();
        write(&link, batch).await;
        patience = (begun.elapsed() / 2).min(PATIENCE);
        expected = size + waiting.len() + queue.len();
    }
}

/// Takes what waits, and waits a little for those who wrote with the last batch and are about to again. Without that,
/// whoever is quickest is written alone and all others wait for it. A lone writer never waits.
async fn gather<W: Work>(
    waiting: &mut Vec<Waiting<W>>,
    queue: &mut mpsc::Receiver<Waiting<W>>,
    expected: usize,
    patience: Duration,
) {
    let until = tokio::time::Instant::from_std(stopwatch()) + patience;
    while waiting.len() < BATCH {
        match queue.try_recv() {
            Ok(more) => waiting.push(more),
            Err(_) if waiting.len() >= expected => return,
            Err(_) => match timeout_at(until, queue.recv()).await {
                Ok(Some(more)) => waiting.push(more),
                Ok(None) | Err(_) => return,
            },
        }
    }
}

/// Takes from the front what one transaction may hold.
fn cut<W: Work>(waiting: &mut Vec<Waiting<W>>) -> Vec<Waiting<W>> {
    let (mut weight, mut count) = (0_usize, 0);
    for next in waiting.iter() {
        let alone = W::is_alone(&next.job);
        weight = weight.saturating_add(W::weight(&next.job));
        if count > 0 && (alone || weight > BATCH) {
            break;
        }
        count += 1;
        if alone {
            break;
        }
    }
    waiting.drain(..count).collect()
}

/// Writes a batch and answers. Where the server refuses what one of the calls brought, each is tried alone.
async fn write<W: Work>(link: &Link, batch: Vec<Waiting<W>>) {
    let jobs: Vec<_> = batch.iter().map(|waiting| &waiting.job).collect();
    match W::run(link, &jobs).await {
        Ok(answers) => {
            for (waiting, answer) in batch.into_iter().zip(answers) {
                // Nobody listens where the caller has been dropped; the work is done all the same.
                drop(waiting.answer.send(Ok(answer)));
            }
        }
        Err(fault) if fault.is_by_input() && batch.len() > 1 => {
            for waiting in batch {
                let alone = W::run(link, &[&waiting.job]).await;
                let answer = alone.and_then(|mut answers| {
                    answers.pop().ok_or_else(|| Fault::corrupt("a batch of one was answered with none"))
                });
                drop(waiting.answer.send(answer));
            }
        }
        Err(fault) => {
            for waiting in batch {
                drop(waiting.answer.send(Err(fault.clone())));
            }
        }
    }
}

/// Starts measuring how long a batch works or waits: no time of the store's comes from it.
#[expect(clippy::disallowed_methods, reason = "the given clock counts whole milliseconds, and a batch lasts less")]
fn stopwatch() -> Instant {
    Instant::now()
}
