//! The nodes that share the store, as an operator sees them, and the wait for a revocation to be everywhere.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Rescind;
pub use super::node_record::NodeState;
use super::node_record::{NodeRecord, Presence};
use super::registry::Registry;
use crate::position::{Incarnation, Seq};
use crate::store::StoreError;
use crate::time::Timestamp;

/// So long after the records could not be read they are asked for again.
const RETRY: Duration = Duration::from_millis(50);

/// A node that shares the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its name.
    pub id: String,
    /// The version of its software.
    pub version: String,
    /// Where it is reached, if it says so.
    pub address: Option<String>,
    /// When it was started, by the store's clock.
    pub started: Timestamp,
    /// How it is doing.
    pub state: NodeState,
    /// When it last wrote its record, by the store's clock.
    pub last_seen: Timestamp,
    /// The history that it has joined; `None` before it has loaded.
    pub incarnation: Option<Incarnation>,
    /// The newest position in its view.
    pub applied: Seq,
    /// How old its view was when it last wrote; `None` where it answered nothing.
    pub staleness: Option<Duration>,
    /// Its staleness bound: behind it, it refuses to answer.
    pub bound: Duration,
}

/// How far a log entry has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// The nodes that are not known to have applied it, by name. Their staleness bound has passed since the entry was
    /// acknowledged, so each of them has applied it or refuses to answer by itself.
    pub laggards: Vec<String>,
    /// Whether every live node is known to have applied it.
    pub everywhere: Everywhere,
}

/// Whether every live node has applied an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Everywhere {
    /// Every one has.
    #[default]
    Applied,
    /// Not known of all: of some, or the store could not be asked. Their bound has passed.
    Bounded,
}

impl Rescind {
    /// The nodes that share the store, in the order of their names: those that live, and for a while those that left or
    /// fell silent. A store that is not shared has one, this one.
    ///
    /// # Errors
    /// The store cannot be asked. [`node`](Self::node) needs no store.
    pub async fn nodes(&self) -> Result<Vec<NodeStatus>, StoreError> {
        let registry = &self.0.registry;
        if !self.0.store.is_shared() {
            return Ok(vec![self.node()]);
        }
        let listing = registry.listing().await?;
        let me = registry.id();
        let others = listing.iter().filter(|(id, _)| *id != me);
        let mut nodes: Vec<_> = others.map(|(id, record)| registry.status(id, record)).collect();
        let at = nodes.partition_point(|node| node.id < me);
        nodes.insert(at, self.node());
        Ok(nodes)
    }

    /// This node, as it knows itself.
    pub fn node(&self) -> NodeStatus {
        let registry = &self.0.registry;
        let now = registry.times.now(registry.clock.boot());
        registry.status(&registry.id(), &registry.record(now, Presence::Here))
    }

    /// Waits until every live node has applied the entry at `seq`, which is acknowledged already: at most until the
    /// staleness bound of those that have not is over since the call, from when on they refuse to answer by themselves.
    ///
    /// A node whose record is older than its bound refuses already and is not waited for, unless this node has not
    /// looked for as long, and cannot tell that from a store whose clock stepped. Followers without a store do
    /// not register; they refuse by themselves within their bound.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{Everywhere, Rescind, Revoke, keys::RootSecret, log::{Scope, Text}, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// let revoke = Revoke { scope: Scope::All, reason: Text::new("leak")?, actor: Text::new("operator")? };
    /// let entry = rescind.revoke(revoke).await?;
    /// assert_eq!(rescind.everywhere(entry.seq).await.everywhere, Everywhere::Applied);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn everywhere(&self, seq: Seq) -> Reached {
        if !self.0.store.is_shared() {
            // Acknowledged is applied here, and there is nobody else.
            return Reached::default();
        }
        self.0.registry.everywhere(seq).await
    }
}

impl Registry {
    fn status(&self, id: &str, record: &NodeRecord) -> NodeStatus {
        NodeStatus {
            id: id.to_owned(),
            version: record.version.clone(),
            address: record.address.clone(),
            started: record.started,
            state: self.state_of(record),
            last_seen: record.at,
            incarnation: record.incarnation(),
            applied: record.applied,
            staleness: record.staleness_ms.map(Duration::from_millis),
            bound: record.bound(),
        }
    }

    async fn everywhere(&self, seq: Seq) -> Reached {
        let acknowledged = self.clock.boot();
        let mut lagged = Vec::new();
        loop {
            // Each look comes a little after the one before, and all who wait share it.
            let looked = timeout(self.me.bound, self.listing()).await.ok().and_then(Result::ok);
            let is_known = looked.is_some();
            let listing = looked.or_else(|| self.last_listing()).unwrap_or_default();
            let laggards = self.laggards(&listing, seq, &lagged);
            if is_known && laggards.is_empty() {
                return Reached::default();
            }
            let longest = laggards.iter().map(|(_, record)| record.bound()).max().unwrap_or(self.me.bound);
            if self.clock.boot().since(acknowledged) > longest {
                let laggards = laggards.into_iter().map(|(id, _)| id.clone()).collect();
                return Reached { laggards, everywhere: Everywhere::Bounded };
            }
            lagged = laggards.iter().map(|(id, _)| id.clone()).collect();
            if !is_known {
                sleep(RETRY).await;
            }
        }
    }

    /// The live nodes beside this one that are not known to have applied the entry. Who `lagged` before and fell silent
    /// since is still one: it refuses, and has not applied it. So is who seems silent and was not found so for long enough: it
    /// may be the store's clock that stepped.
    fn laggards<'a>(
        &self,
        nodes: &'a [(String, NodeRecord)],
        seq: Seq,
        lagged: &[String],
    ) -> Vec<&'a (String, NodeRecord)> {
        let me = self.id();
        let counts = |id: &String, record: &NodeRecord| match self.state_of(record) {
            NodeState::Live => true,
            NodeState::Silent => lagged.contains(id) || !self.is_quiet(id, record),
            NodeState::Left => false,
        };
        let lags = |(id, record): &&(String, NodeRecord)| *id != me && record.applied < seq && counts(id, record);
        nodes.iter().filter(lags).collect()
    }
}
