//! What the tests of the Redis store share: real servers in scratch directories on free loopback ports, ended by their
//! process ids.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rescind::random::SystemRandom;
use rescind::store::StoreError;
use rescind::time::Clock;
use rescind_stores::redis::{Durability, Given, RedisStore};
use tempfile::TempDir;

/// Settings with which nothing that was acknowledged is forgotten.
pub(crate) const SAFE: &[&str] =
    &["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"];

/// A server of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
    arguments: Vec<String>,
}

impl Server {
    /// Starts a server with these settings; `None`, with a skip, where there is none on this machine.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        Self::start_at(free_port(), arguments)
    }

    pub(crate) fn start_at(port: u16, arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(port, directory.path(), &arguments)?;
        let server = Self { child, port, directory, arguments };
        server.wait();
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` says to a command.
    pub(crate) fn cli(&self, command: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(command).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its files.
    pub(crate) fn again(&mut self) {
        self.child = spawn(self.port, self.directory.path(), &self.arguments).unwrap();
        self.wait();
    }

    fn wait(&self) {
        wait_until("the server answers", || self.cli(&["ping"]) == "PONG");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Option<Child> {
    let started = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(directory)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => Some(child),
        Err(error) => {
            rescind::testing::skip(&format!("redis-server cannot be started: {error}"));
            None
        }
    }
}

/// Three masters that share the slots.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

impl Cluster {
    pub(crate) fn start() -> Option<Self> {
        let mut settings = SAFE.to_vec();
        settings.extend(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
        // Each node's bus is 10,000 ports above, which must be free, too.
        let nodes: Option<Vec<_>> = (0..3).map(|_| Server::start_at(free_port_below(55_000), &settings)).collect();
        let nodes = nodes?;
        let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .arg("--cluster-yes")
            .output()
            .unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        for node in &nodes {
            wait_until("the cluster is whole", || node.cli(&["cluster", "info"]).contains("cluster_state:ok"));
        }
        Some(Self { nodes })
    }

    pub(crate) fn url(&self) -> String {
        let places: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", places.join(","))
    }
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn free_port_below(most: u16) -> u16 {
    std::iter::repeat_with(free_port).find(|port| *port < most).unwrap()
}

/// Opens the store with the time given.
pub(crate) async fn open_at(url: &str, clock: Arc<dyn Clock>) -> Result<RedisStore, StoreError> {
    let given = Given { clock: Some(clock), random: Arc::new(SystemRandom) };
    RedisStore::open_with(url, Durability::Strict, given).await
}

/// A prefix that no other test of this process has.
pub(crate) fn fresh_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits for a condition; fails where it does not come.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        pause(Duration::from_millis(50));
    }
    panic!("waited in vain until {what}");
}

/// Lets another process go on, between two looks at a condition.
#[expect(clippy::disallowed_methods, reason = "the condition is another process's; each wait has a deadline")]
fn pause(span: Duration) {
    std::thread::sleep(span);
}
