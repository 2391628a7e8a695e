//! A node whose connection does not move with the store: after a failover it talks to an old primary, which nobody
//! replicates, while the other one works on the new.

use std::sync::Arc;

use super::cluster::{Cluster, Node, pass};
use super::secs;
use super::swap::SwapStore;
use rescind::store::{FailingStore, Fault, MemoryStore, Operation, StoreErrorKind, Which};
use rescind::{Error, Refresh, Refreshed, Rescind, Settings, TokenPair};

/// What writes.
const WRITES: [Operation; 5] =
    [Operation::Open, Operation::Advance, Operation::Append, Operation::PutRecord, Operation::Reincarnate];

/// A node on the store, and another one whose connection does not move with it.
pub(crate) struct Split {
    pub(crate) cluster: Cluster,
    pub(crate) a: Node,
    pub(crate) b: Rescind,
    pub(crate) connection: Arc<SwapStore>,
}

impl Split {
    pub(crate) async fn new(settings: Settings) -> Self {
        let cluster = Cluster::new();
        let a = cluster.node(1).await;
        let connection = Arc::new(SwapStore::new(Arc::new(FailingStore::new(cluster.primary()))));
        let b = cluster.over(Arc::clone(&connection) as _, 2).settings(settings).build().await.unwrap();
        pass(secs(4)).await;
        Self { cluster, a, b, connection }
    }

    /// The store goes on elsewhere with all there is, and `b` is left alone with the old one, which nobody replicates.
    pub(crate) fn fail_over(&self) -> Arc<FailingStore<MemoryStore>> {
        let old = Arc::new(FailingStore::new(self.cluster.lagging()));
        for write in WRITES {
            old.inject(write, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
        }
        self.connection.replace(Arc::clone(&old));
        old
    }

    /// `b` finds the new one.
    pub(crate) fn reconnect(&self) {
        self.connection.replace(Arc::new(FailingStore::new(self.cluster.primary())));
    }

    pub(crate) async fn refresh(&self, pair: &TokenPair) -> Result<Refreshed, Error> {
        self.b.refresh(&pair.refresh_token, Refresh::default()).await
    }
}

/// A store's fault, which tells a client to try again.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(answer: &Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Store(_))), "{answer:?}");
}
