//! The servers: a store, and the nodes in front of it.

use std::fs;
use std::sync::Arc;

use rescind::store::Store;
use rescind_stores::postgres::PostgresStore;
use rescind_stores::redis::{Durability, RedisStore};
use rescind_test_kit::{Node, Postgres, Redis};

/// How many nodes share the store.
pub(crate) const NODES: usize = 3;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Redis,
}

impl Kind {
    pub(crate) const EVERY: [Self; 2] = [Self::Postgres, Self::Redis];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
        }
    }
}

/// The store's server; it ends with this value.
pub(crate) enum Ground {
    Postgres(Postgres),
    Redis(Redis),
}

impl Ground {
    /// Starts a server with nothing in it.
    pub(crate) fn start(kind: Kind) -> Self {
        match kind {
            Kind::Postgres => Self::Postgres(Postgres::start().expect("a Postgres")),
            Kind::Redis => {
                // A rewrite of its file would fall into one measurement or another.
                let redis = Redis::options().setting("auto-aof-rewrite-percentage", "0");
                Self::Redis(redis.start().expect("a Redis"))
            }
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Postgres(_) => Kind::Postgres,
            Self::Redis(_) => Kind::Redis,
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }

    /// The store itself, as one more process at it.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Postgres(_) => Arc::new(PostgresStore::open(&self.url()).await.expect("a store")),
            Self::Redis(_) => Arc::new(RedisStore::open(&self.url(), Durability::Strict).await.expect("a store")),
        }
    }

    /// Starts a node; it listens, and is not ready yet.
    pub(crate) fn node(&self) -> Node {
        let node = Node::of(env!("CARGO_BIN_EXE_rescind")).store(&self.url()).environment("RESCIND_LOG", "warn");
        node.start().expect("a node")
    }

    /// Starts all nodes and waits until they are ready.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let nodes: Vec<_> = (0..NODES).map(|_| self.node()).collect();
        for node in &nodes {
            node.wait_until_ready().expect("a node is ready");
        }
        nodes
    }
}

/// A node's admin token.
pub(crate) fn admin_token(node: &Node) -> String {
    let token = fs::read_to_string(node.data_dir().join("admin-token")).expect("the admin token");
    token.trim().to_owned()
}

/// A figure of the node's `/proc/PID/status`, in MiB.
pub(crate) fn memory_mib(node: &Node, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid().expect("it runs"))).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("the field");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
