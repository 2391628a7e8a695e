//! What a fault is tried on: a real store, three nodes of the real binary in front of it, and on wish a proxy on each
//! node's way there. Owns their start and what is noted when a node is taken down. The load is in `load`; what it noted,
//! the witness, and what is right are `rescind_torture`'s.

mod audit;
mod load;
mod pool;
mod report;
mod resume;
mod round;
mod store;

use std::sync::Arc;

use rescind_test_kit::{Node, NodeOptions, Proxy, Result, or_skip, until};

pub(crate) use rescind_torture::{Answer, At, BOUND, History, Server, ServerKind, What};

pub(crate) use self::load::Load;
pub(crate) use self::report::Report;
pub(crate) use self::resume::best_of_three;
pub(crate) use self::round::{Round, on_each_store, on_postgres, on_redis, rounds};
pub(crate) use self::store::Store;

pub(crate) const NODES: usize = 3;
pub(crate) const ALL: [usize; NODES] = [0, 1, 2];

/// How the nodes reach the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Direct,
    /// Each through a proxy of its own, `Rig::links`.
    Proxied,
}

/// Three nodes on one store.
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) links: Vec<Proxy>,
    pub(crate) nodes: Nodes,
}

impl Rig {
    /// Starts a store and its nodes; `None` after a skip.
    pub(crate) fn start(round: &Round, links: Links) -> Option<Self> {
        Some(Self::on(round, or_skip(Store::start(round.kind, None), rescind::testing::skip)?, links))
    }

    /// The same on a store that runs already.
    pub(crate) fn on(round: &Round, store: Store, links: Links) -> Self {
        let links: Vec<Proxy> = match links {
            Links::Direct => Vec::new(),
            Links::Proxied => (0..NODES).map(|_| Proxy::start(store.address()).unwrap()).collect(),
        };
        let url = |node: usize| links.get(node).map_or_else(|| store.url(), |link| link.through(&store.url()));
        let nodes = Nodes::start(&[url(0), url(1), url(2)], |options| options).in_round(round);
        Self { store, links, nodes }
    }
}

/// The nodes, and the history of what they were asked.
pub(crate) struct Nodes {
    pub(crate) all: Vec<Node>,
    pub(crate) history: Arc<History>,
    seed: u64,
}

impl Nodes {
    /// Starts one node for each URL of the store; returns when all are ready.
    pub(crate) fn start(urls: &[String], options: impl Fn(NodeOptions) -> NodeOptions) -> Self {
        Self::try_start(urls, options).unwrap()
    }

    /// The same, where the machine may lack what the options ask for.
    pub(crate) fn try_start(urls: &[String], options: impl Fn(NodeOptions) -> NodeOptions) -> Result<Self> {
        let start = |(number, url): (usize, &String)| {
            let node = Node::of(env!("CARGO_BIN_EXE_rescind")).store(url).environment("RESCIND_NODE", &name(number));
            options(node).start()
        };
        let all: Vec<Node> = urls.iter().enumerate().map(start).collect::<Result<_>>()?;
        for node in &all {
            node.wait_until_ready()?;
        }
        let nodes = Self { all, history: Arc::new(History::begin()?), seed: 0 };
        until("the nodes know each other", || nodes.all.iter().all(|node| live_nodes(node) == urls.len()))?;
        Ok(nodes)
    }

    /// Their load follows from the round's seed.
    pub(crate) fn in_round(mut self, round: &Round) -> Self {
        self.seed = round.seed;
        self
    }

    /// What one node says of another one's state.
    pub(crate) fn state(&self, says: usize, of: usize) -> String {
        let reply = self.all[says].send_admin("GET", "/admin/v1/nodes", "").unwrap().json();
        let listed = reply["nodes"].as_array().and_then(|nodes| nodes.iter().find(|node| node["id"] == name(of)));
        listed.and_then(|node| node["state"].as_str()).unwrap_or("not listed").to_owned()
    }

    /// SIGKILL, which is noted: no answer is right from now on.
    pub(crate) fn kill(&self, node: usize) {
        self.history.goes_down(node);
        self.all[node].kill().unwrap();
    }

    /// It ended, or is about to end, by itself.
    pub(crate) fn ends(&self, node: usize) {
        self.history.goes_down(node);
    }

    /// Starts a killed one on its data; returns when it listens.
    pub(crate) fn start_again(&self, node: usize) {
        self.all[node].start_again().unwrap();
        self.history.comes_up(node);
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self, node: usize) {
        self.history.goes_down(node);
        self.all[node].pause().unwrap();
        self.history.stands_still(node);
    }

    /// SIGCONT. What it was asked while it stood still, it decides after this.
    pub(crate) fn resume(&self, node: usize) {
        self.history.moves_on(node);
        self.all[node].resume().unwrap();
        self.history.comes_up(node);
    }

    /// What one node gives to Prometheus.
    pub(crate) fn metrics(&self, node: usize) -> String {
        self.all[node].send_admin("GET", "/metrics", "").unwrap().text()
    }

    /// A number of one node's `/admin/v1/stats`.
    pub(crate) fn stat(&self, node: usize, name: &str) -> u64 {
        let reply = self.all[node].send_admin("GET", "/admin/v1/stats", "").unwrap();
        reply.json()[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", reply.text()))
    }
}

/// What each request that is not served says once more.
const NOISE: [&str; 3] = ["\"not served\"", "the view is stale", "a refresh token is ahead"];
/// So many warnings of each node are shown.
const WARNINGS: usize = 15;

impl Drop for Nodes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, node) in self.all.iter().enumerate() {
                let log = node.log();
                let loud =
                    log.lines().filter(|line| ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word)));
                let lines: Vec<&str> = loud.filter(|line| !NOISE.iter().any(|noise| line.contains(noise))).collect();
                let last = &lines[lines.len().saturating_sub(WARNINGS)..];
                eprintln!("--- node {number}, its last warnings ---\n{}", last.join("\n"));
            }
        }
    }
}

/// What a node is called among the others.
pub(crate) fn name(node: usize) -> String {
    format!("node-{node}")
}

/// How many live nodes this one knows.
fn live_nodes(node: &Node) -> usize {
    let reply = node.send_admin("GET", "/admin/v1/nodes", "").unwrap().json();
    reply["nodes"].as_array().map_or(0, |nodes| nodes.iter().filter(|node| node["state"] == "live").count())
}
