//! A Redis Cluster on this machine.

use std::net::SocketAddr;

use super::{CLI, Redis};
use crate::error::{Error, Result};
use crate::port::Port;
use crate::programs::{command, find, run};
use crate::wait;

const PRIMARIES: usize = 3;

/// Three primaries, and so many replicas of each. All end when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    /// The ports on which the nodes talk to each other; held for as long as they live.
    _buses: Vec<Port>,
}

impl Cluster {
    /// Starts three primaries with so many replicas each. A node counts as down after a second.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed; [`Error::Failed`] with the end of a log.
    pub fn start(replicas_each: usize) -> Result<Self> {
        let count = PRIMARIES * (1 + replicas_each);
        let buses: Vec<Port> = (0..count).map(|_| Port::free()).collect::<Result<_>>()?;
        let node = |bus: &Port| {
            Redis::options()
                .setting("cluster-enabled", "yes")
                .setting("cluster-node-timeout", "1000")
                .setting("cluster-port", &bus.number.to_string())
                .start()
        };
        let nodes: Vec<Redis> = buses.iter().map(node).collect::<Result<_>>()?;
        let mut create = command(&find(CLI, "redis-tools")?, None)?;
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| node.address().to_string()));
        run(create.args(["--cluster-replicas", &replicas_each.to_string(), "--cluster-yes"]))?;
        let cluster = Self { nodes, _buses: buses };
        cluster.wait_until_whole(replicas_each)?;
        Ok(cluster)
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// The node that owns the slot of this key now.
    ///
    /// # Errors
    /// [`Error::Failed`] where none says that it does.
    pub fn owner_of(&self, key: &str) -> Result<&Redis> {
        // A node that does not own it answers MOVED.
        let owns = |node: &&Redis| {
            let answers = node.process.is_running() && !node.process.is_paused();
            answers && node.info("role").is_ok_and(|role| role == "master") && node.cli(&["EXISTS", key]).is_ok()
        };
        self.nodes.iter().find(owns).ok_or_else(|| Error::failed(format!("no node owns the slot of {key}")))
    }

    /// Waits until a replica has taken the place of `old` as owner of this key's slot.
    ///
    /// # Errors
    /// [`Error::Failed`] when none does.
    pub fn wait_for_failover(&self, key: &str, old: &Redis) -> Result<&Redis> {
        let mut new = None;
        wait::until("a replica has taken the place of its primary", || {
            new = self.owner_of(key).ok().filter(|node| node.address() != old.address());
            new.is_some()
        })?;
        new.ok_or_else(|| Error::failed("no other node owns it"))
    }

    /// Every node says that the cluster works, and every replica is in sync.
    fn wait_until_whole(&self, replicas_each: usize) -> Result<()> {
        let whole = |node: &Redis| {
            let state = node.cli(&["CLUSTER", "INFO"]).unwrap_or_default();
            let role = node.info("role").unwrap_or_default();
            let synced = match role.as_str() {
                "master" => node.info("connected_slaves").is_ok_and(|count| count == replicas_each.to_string()),
                _ => node.info("master_link_status").is_ok_and(|link| link == "up"),
            };
            state.contains("cluster_state:ok") && synced
        };
        wait::until("the cluster is whole", || self.nodes.iter().all(whole))
    }
}
