//! The load: workers that go on until the fault has come, and then ask about everything. Fast: as many requests as the
//! nodes answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rescind_test_kit::{Error, Result, until_within};

use crate::asked::{Answer, Scope};
use crate::client::Client;
use crate::nodes::Nodes;
use crate::worker::{Shared, Worker};

/// Enough that waiting writes share a flush.
const WORKERS: usize = 16;
/// However slow the machine is.
const PATIENCE: Duration = Duration::from_mins(2);

/// The workers, at rest.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) client: Client,
    workers: Vec<Worker>,
}

/// A load that runs. It stops when this is dropped, and what it has asked by then is noted.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) shared: Arc<Shared>,
    workers: Vec<JoinHandle<Worker>>,
}

impl Load {
    pub(crate) fn of(nodes: &Nodes, seed: u64) -> Result<Self> {
        let client = Client::of(&nodes.all, &nodes.history)?;
        let workers = (0..WORKERS).map(|number| Worker::new(&client, number, seed)).collect();
        Ok(Self { client: client.keeping(), workers })
    }

    /// Lets the workers go.
    pub(crate) fn begin(self, seed: u64) -> Running {
        let shared = Arc::new(Shared::default());
        let start = |mut worker: Worker| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                worker.work(&shared, seed);
                worker
            })
        };
        let workers = self.workers.into_iter().map(start).collect();
        Running { client: self.client, shared, workers }
    }

    /// Asks these nodes about everything of the cycle, and of what was before so much for each worker; gives how much.
    pub(crate) fn ask_about_all(&mut self, nodes: &[usize], earlier: usize) -> Result<usize> {
        let answered = AtomicUsize::new(0);
        self.each(|worker| {
            answered.fetch_add(worker.ask_about_all(nodes, earlier)?, Ordering::Relaxed);
            Ok(())
        })?;
        Ok(answered.into_inner())
    }

    /// Asks about everything that there ever was; gives how much, and what is lost by the witness's word.
    pub(crate) fn audit(&mut self, nodes: &[usize]) -> Result<(usize, Vec<String>)> {
        let witnessed = self.client.history.witness.read()?;
        let found = std::sync::Mutex::new((0, Vec::new()));
        self.each(|worker| {
            let (asked, wrong) = worker.audit(nodes, &witnessed)?;
            let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            found.0 += asked;
            found.1.extend(wrong);
            Ok(())
        })?;
        Ok(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn each(&mut self, work: impl Fn(&mut Worker) -> Result<()> + Sync) -> Result<()> {
        thread::scope(|scope| {
            let work = &work;
            let at_work: Vec<_> = self.workers.iter_mut().map(|worker| scope.spawn(move || work(worker))).collect();
            at_work.into_iter().try_for_each(|one| one.join().unwrap_or_else(|_| Err(died())))
        })
    }
}

impl Running {
    /// Waits until so many revocations were acknowledged in this cycle.
    pub(crate) fn goes_on_until(&self, acknowledged: usize) -> Result<()> {
        until_within(PATIENCE, format!("{acknowledged} revocations are acknowledged"), || {
            self.acknowledged() >= acknowledged
        })
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Cuts off everything, or everything that this key has signed; it has to be acknowledged.
    pub(crate) fn cut_off(&self, node: usize, scope: &Scope) -> Result<()> {
        self.is_cut_off(scope, &self.client.revoke(node, scope).0)
    }

    /// The same at every node.
    pub(crate) fn cut_off_everywhere(&self, node: usize, scope: &Scope) -> Result<()> {
        self.is_cut_off(scope, &self.client.revoke_everywhere(node, scope).0)
    }

    fn is_cut_off(&self, scope: &Scope, answer: &Answer) -> Result<()> {
        if *answer != Answer::Yes {
            return Err(Error::Failed(format!("no fault, and {scope} is not revoked: {answer:?}")));
        }
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        if scope.kind == "all" {
            self.shared.signed_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tells the workers to stop, and waits for what they have asked.
    pub(crate) fn end(mut self) -> Result<(Load, Arc<Shared>)> {
        let workers: Vec<Worker> =
            self.stop().into_iter().map(|worker| worker.map_err(|_| died())).collect::<Result<_>>()?;
        Ok((Load { client: self.client.clone(), workers }, Arc::clone(&self.shared)))
    }

    fn stop(&mut self) -> Vec<thread::Result<Worker>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.workers.drain(..).map(JoinHandle::join).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// No node's fault.
fn died() -> Error {
    Error::Missing("a worker of the load died; see above".to_owned())
}
