//! A primary with replicas, and three Sentinels that agree on who it is.

use std::net::SocketAddr;

use super::{Redis, SERVER, cli, takes_commands};
use crate::error::{Error, Result};
use crate::port::Port;
use crate::process::Process;
use crate::programs::{command, find};
use crate::scratch::Scratch;
use crate::{files, wait};

const SENTINELS: usize = 3;
const CONFIG: &str = "sentinel.conf";

/// A primary with replicas under three Sentinels, of which two must agree. All end when this is dropped.
#[derive(Debug)]
pub struct SentinelSet {
    servers: Vec<Redis>,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    process: Process,
    port: Port,
    scratch: Scratch,
}

impl SentinelSet {
    /// The name under which the Sentinels know the primary.
    pub const NAME: &'static str = "rescind";

    /// Starts a primary with so many replicas. The Sentinels take a server for down after three seconds: they ask each second,
    /// and after one they would take the new primary of a busy machine for down as well, and promote once more.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed; [`Error::Failed`] with the end of a log.
    pub fn start(replicas: usize) -> Result<Self> {
        let primary = Redis::start()?;
        let replicas: Vec<Redis> = (0..replicas).map(|_| primary.replica()).collect::<Result<_>>()?;
        let sentinels = (0..SENTINELS).map(|_| Sentinel::start(&primary)).collect::<Result<_>>()?;
        let set = Self { servers: std::iter::once(primary).chain(replicas).collect(), sentinels };
        set.wait_until_complete()?;
        Ok(set)
    }

    /// Where the Sentinels listen.
    pub fn sentinels(&self) -> Vec<SocketAddr> {
        self.sentinels.iter().map(|sentinel| sentinel.port.address()).collect()
    }

    /// All servers, the first primary first.
    pub fn servers(&self) -> &[Redis] {
        &self.servers
    }

    /// The server that most Sentinels name as primary now.
    ///
    /// # Errors
    /// [`Error::Failed`] where they do not agree.
    pub fn primary(&self) -> Result<&Redis> {
        let named: Vec<u16> = self.sentinels.iter().filter_map(Sentinel::names).collect();
        let votes =
            |server: &&Redis| named.iter().filter(|port| **port == server.address().port()).count() > SENTINELS / 2;
        self.servers.iter().find(votes).ok_or_else(|| Error::failed(format!("the Sentinels name {named:?}")))
    }

    /// Waits until the Sentinels name another primary than `old`, and that one takes writes.
    ///
    /// # Errors
    /// [`Error::Failed`] when they do not.
    pub fn wait_for_failover(&self, old: &Redis) -> Result<&Redis> {
        let mut new = None;
        wait::until("the Sentinels have made another server primary", || {
            let named = self.primary().ok().filter(|server| server.address() != old.address());
            new = named.filter(|server| server.info("role").is_ok_and(|role| role == "master"));
            new.is_some()
        })?;
        new.ok_or_else(|| Error::failed("no other server is primary"))
    }

    /// Asks a Sentinel to make another server primary, though this one works.
    ///
    /// # Errors
    /// [`Error::Failed`] with the Sentinel's word.
    pub fn fail_over(&self) -> Result<()> {
        let Some(first) = self.sentinels.first() else { return Err(Error::failed("there is no Sentinel")) };
        cli(first.port.number, &["SENTINEL", "FAILOVER", Self::NAME]).map(drop)
    }

    /// SIGKILL to the Sentinel with this number, from 0.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is none.
    pub fn kill_sentinel(&self, number: usize) -> Result<()> {
        self.sentinel(number)?.process.kill()
    }

    /// Starts the Sentinel with this number again.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is none, or with the end of its log.
    pub fn start_sentinel_again(&self, number: usize) -> Result<()> {
        self.sentinel(number)?.start_again()
    }

    fn sentinel(&self, number: usize) -> Result<&Sentinel> {
        self.sentinels.get(number).ok_or_else(|| Error::failed(format!("there is no Sentinel {number}")))
    }

    /// Each knows the other two and all replicas: before that none can be made primary.
    fn wait_until_complete(&self) -> Result<()> {
        let others = format!("num-other-sentinels\n{}\n", SENTINELS - 1);
        let replicas = format!("num-slaves\n{}\n", self.servers.len() - 1);
        wait::until("the Sentinels know each other and the replicas", || {
            self.sentinels.iter().all(|sentinel| {
                let state = cli(sentinel.port.number, &["SENTINEL", "MASTER", Self::NAME]).unwrap_or_default() + "\n";
                state.contains(&others) && state.contains(&replicas)
            })
        })
    }
}

impl Sentinel {
    fn start(primary: &Redis) -> Result<Self> {
        let scratch = Scratch::new("sentinel")?;
        let port = Port::free()?;
        let name = SentinelSet::NAME;
        let settings = format!(
            "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor {name} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {name} 3000\nsentinel failover-timeout {name} 5000\n\
             sentinel parallel-syncs {name} 1\n",
            port.number,
            scratch.path().display(),
            primary.address().port(),
        );
        files::write(&scratch.join(CONFIG), &settings, None)?;
        let sentinel = Self { process: Process::new("Sentinel", scratch.join("log")), port, scratch };
        sentinel.start_again()?;
        Ok(sentinel)
    }

    fn start_again(&self) -> Result<()> {
        let mut server = command(&find(SERVER, "redis-server")?, None)?;
        server.arg(self.scratch.join(CONFIG)).arg("--sentinel");
        self.process.spawn(server)?;
        self.process.wait_until_ready(|| takes_commands(self.port.address()))
    }

    /// The port of the primary that it knows.
    fn names(&self) -> Option<u16> {
        let answer = cli(self.port.number, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SentinelSet::NAME]).ok()?;
        answer.lines().nth(1)?.parse().ok()
    }
}
