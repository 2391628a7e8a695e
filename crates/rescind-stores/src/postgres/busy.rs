//! How many writes may be under way, those counted that were given up and still last at the server. Owns their
//! connections until the server is done with them.
//!
//! A write that gets no answer in time may be waiting at the server: for the synchronous standby, or for a disk. To close
//! its connection ends nothing there, and the next write would take another one: while the standby is away, they would fill
//! the server. To cancel it would make it visible without the standby's word, which is the promise. So its connection is
//! kept, and its turn with it, until the server has answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deadpool::managed::Object;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::dial::Lease;

/// Connections that are left for reading, whatever the writes do.
const READS: usize = 2;

/// The turns of a node's writes.
pub(super) struct Busy {
    turns: Arc<Semaphore>,
    lasting: Arc<AtomicUsize>,
    /// Raised where those that last are given up.
    given_up: watch::Sender<u64>,
}

/// One write's turn.
pub(super) struct Turn {
    held: OwnedSemaphorePermit,
    lasting: Arc<AtomicUsize>,
    given_up: watch::Receiver<u64>,
}

impl Busy {
    /// For a pool of so many connections.
    pub(super) fn of(pool: usize) -> Self {
        let turns = pool.saturating_sub(READS).max(1);
        Self { turns: Arc::new(Semaphore::new(turns)), lasting: Arc::default(), given_up: watch::Sender::new(0) }
    }

    /// A turn, where one is free.
    pub(super) fn turn(&self) -> Option<Turn> {
        Arc::clone(&self.turns).try_acquire_owned().ok().map(|held| self.begun(held))
    }

    /// The next turn that is free.
    pub(super) async fn next_turn(&self) -> Option<Turn> {
        // Nobody closes it.
        Arc::clone(&self.turns).acquire_owned().await.ok().map(|held| self.begun(held))
    }

    /// Whether writes that were given up may still last.
    pub(super) fn is_lasting(&self) -> bool {
        self.lasting.load(Ordering::Acquire) > 0
    }

    /// Closes the connections of those that were given up: nobody is at them any more.
    pub(super) fn give_up(&self) {
        self.given_up.send_modify(|times| *times += 1);
    }

    fn begun(&self, held: OwnedSemaphorePermit) -> Turn {
        Turn { held, lasting: Arc::clone(&self.lasting), given_up: self.given_up.subscribe() }
    }
}

impl Turn {
    /// The write was given up, and may last. Its connection goes back to the pool when the server has answered.
    pub(super) fn outlasts(self, connection: Lease) {
        let Self { held, lasting, mut given_up } = self;
        lasting.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            // Answers come in the order of the questions: this one behind the one that is outstanding.
            let is_done = tokio::select! {
                answered = connection.simple_query("") => answered.is_ok(),
                _ = given_up.changed() => false,
            };
            if !is_done {
                drop(Object::take(connection));
            }
            lasting.fetch_sub(1, Ordering::AcqRel);
            drop(held);
        });
    }
}
