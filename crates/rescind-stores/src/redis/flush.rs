//! Acknowledging what the server answers before it is safe: WAITAOF where the server flushes later, WAIT where replicas must
//! have it. Owns the connection that waits, so that nobody else's call stands behind it.
//!
//! Both commands wait for the last write of their own connection. The log of writes is one, so a small write that comes
//! after others' and is safe means that theirs are: one wait serves all that were answered before it began.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::{mpsc, oneshot};

use super::durability;
use super::fault::Fault;
use super::keys::Keys;
use super::link::{Connection, Link};
use super::reply::Reply;

/// How long a flush may take: with `appendfsync everysec` up to a second and the flush itself.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long the server waits, of that.
const WAIT_MILLIS: u64 = 2_000;

/// So many may wait for the next flush.
const QUEUE: usize = 4_000;

/// A caller that waits: the connection that its write was answered on, and where to say that it is safe.
struct Waiting {
    number: u64,
    safe: oneshot::Sender<Result<(), Fault>>,
}

/// The way to the task that waits for flushes.
pub(super) struct Flusher {
    queue: mpsc::Sender<Waiting>,
    link: Arc<Link>,
}

impl Flusher {
    pub(super) fn new(link: Arc<Link>, keys: &Keys) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let work = Work { link: Arc::clone(&link), probe: keys.probe(), connection: None };
        tokio::spawn(work.serve(waiting));
        Self { queue, link }
    }

    /// Returns when what was answered on the connection `number` is safe. At once, where the server answers only then.
    pub(super) async fn flushed(&self, number: u64) -> Result<(), Fault> {
        if !self.link.watch.flushes_later() && self.link.address.replicas == 0 {
            return Ok(());
        }
        let (safe, said) = oneshot::channel();
        let ended = || Fault::unavailable("the task that waits for flushes has ended; restart");
        self.queue.send(Waiting { number, safe }).await.map_err(|_| ended())?;
        said.await.unwrap_or_else(|_| Err(ended()))
    }
}

struct Work {
    link: Arc<Link>,
    probe: Vec<u8>,
    /// The waiting connection, and the instance that it leads to.
    connection: Option<(Connection, String)>,
}

impl Work {
    async fn serve(mut self, mut queue: mpsc::Receiver<Waiting>) {
        let mut waiting = Vec::new();
        while queue.recv_many(&mut waiting, QUEUE).await > 0 {
            let flushed = match tokio::time::timeout(PATIENCE, self.flush()).await {
                Ok(flushed) => flushed,
                Err(_) => Err(Fault::unavailable("no flush in time: whether the write is safe is unknown")),
            };
            if flushed.is_err() {
                self.connection = None;
            }
            let now = self.link.number();
            for Waiting { number, safe } in waiting.drain(..) {
                let other =
                    || Err(Fault::unavailable("the connection changed before the write was safe: it is unknown"));
                drop(safe.send(if number == now { flushed.clone() } else { other() }));
            }
        }
    }

    /// Writes and waits until that is safe.
    async fn flush(&mut self) -> Result<(), Fault> {
        let (mut connection, instance) = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // After a failover the writes to be proven were another instance's.
        if self.instance() != Some(instance.clone()) {
            return Err(Fault::unavailable("another instance answers now: whether the write is safe is unknown"));
        }
        let mut write = redis::cmd("SET");
        write.arg(&self.probe).arg(1).arg("PX").arg(60_000);
        connection.query(&write).await.map_err(Fault::from)?;
        let replicas = self.link.address.replicas;
        if self.link.watch.flushes_later() {
            let mut wait = redis::cmd("WAITAOF");
            wait.arg(1).arg(0).arg(WAIT_MILLIS);
            let mut counts = Reply::new(connection.query(&wait).await.map_err(Fault::from)?)?;
            if counts.number()? < 1 {
                return Err(Fault::unavailable("no flush in time (WAITAOF): whether the write is safe is unknown"));
            }
        }
        if replicas > 0 {
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(WAIT_MILLIS);
            let have = match connection.query(&wait).await.map_err(Fault::from)? {
                Value::Int(have) => u32::try_from(have).unwrap_or(0),
                _ => 0,
            };
            if have < replicas {
                let text = format!(
                    "{have} of {replicas} replicas have the write (replicas= in the URL): whether it is safe is unknown"
                );
                return Err(Fault::unavailable(text));
            }
        }
        self.connection = Some((connection, instance));
        Ok(())
    }

    async fn connect(&self) -> Result<(Connection, String), Fault> {
        let mut connection = self.link.door.connect(PATIENCE).await.map_err(Fault::from)?;
        let findings = durability::inspect(&mut connection).await.map_err(Fault::from)?;
        let instance = findings.nodes.first().and_then(|node| node.said("run_id")).unwrap_or_default().to_owned();
        Ok((connection, instance))
    }

    /// The instance that writes go to.
    fn instance(&self) -> Option<String> {
        let found = self.link.watch.found()?;
        found.nodes.first()?.said("run_id").map(str::to_owned)
    }
}
