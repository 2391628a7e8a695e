//! A Redis server: its life, its address, its data. Sentinel and Cluster are sets of them.

mod cluster;
mod sentinel;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

pub use self::cluster::Cluster;
pub use self::sentinel::SentinelSet;
use crate::disk::SmallDisk;
use crate::error::{Error, Result};
use crate::port::Port;
use crate::process::Process;
use crate::programs::{client, command, find, run};
use crate::scratch::{Copied, Scratch};
use crate::{files, wait};

const SERVER: &str = "redis-server";
const CLI: &str = "redis-cli";
/// What redis-cli is given for an answer.
const ANSWER_SECONDS: u32 = 30;
const CONFIG: &str = "redis.conf";

/// Forgets nothing: each write is on disk before it is answered, and nothing is evicted.
const SETTINGS: &str = "\
bind 127.0.0.1
appendonly yes
appendfsync always
save \"\"
maxmemory-policy noeviction
repl-diskless-sync-delay 0
enable-debug-command local
";

/// How a Redis is started; see [`Redis::options`].
#[derive(Debug, Default)]
#[must_use]
pub struct RedisOptions {
    settings: String,
    disk: Option<SmallDisk>,
}

/// A running Redis. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: Port,
    data: PathBuf,
    disk: Option<SmallDisk>,
    scratch: Scratch,
}

impl RedisOptions {
    /// Sets one line of redis.conf, over the kit's own: `appendonly yes`, `appendfsync always`, no snapshots, no eviction.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        let _ = writeln!(self.settings, "{name} {value}");
        self
    }

    /// Keeps the data on this disk, so that it can be filled. Needs 8 MiB.
    pub fn on(mut self, disk: SmallDisk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Starts it; returns when it takes commands.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed; [`Error::Failed`] with the end of its log.
    pub fn start(self) -> Result<Redis> {
        find(SERVER, "redis-server")?;
        find(CLI, "redis-tools")?;
        let scratch = Scratch::new("redis")?;
        let port = Port::free()?;
        let data = self.disk.as_ref().map_or_else(|| scratch.join("data"), |disk| disk.path().join("data"));
        files::make_folder(&data, None)?;
        let own = format!("port {}\ndir {}\n", port.number, data.display());
        files::write(&scratch.join(CONFIG), &format!("{SETTINGS}{own}{}", self.settings), None)?;
        let server =
            Redis { process: Process::new("Redis", scratch.join("log")), port, data, disk: self.disk, scratch };
        server.start_again()?;
        Ok(server)
    }
}

/// Its processes: their id, and how they are killed, paused and resumed.
impl Deref for Redis {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Redis {
    /// Starts one with the default options.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed; [`Error::Failed`] with the end of its log.
    pub fn start() -> Result<Self> {
        Self::options().start()
    }

    /// How to start one otherwise.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where it listens, for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Runs a command; gives the answer as redis-cli shows it to a program: an item a line, without quotes.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn cli(&self, args: &[&str]) -> Result<String> {
        cli(self.port.number, args)
    }

    /// A field of `INFO`; empty where there is none.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn info(&self, field: &str) -> Result<String> {
        let info = self.cli(&["INFO", "everything"])?;
        let value = info.lines().find_map(|line| line.trim_end().strip_prefix(field)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().to_owned())
    }

    /// A replica of this server; returns when it is in sync.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its log.
    pub fn replica(&self) -> Result<Self> {
        let replica = Self::options().setting("replicaof", &format!("127.0.0.1 {}", self.port.number)).start()?;
        wait::until("the replica is in sync", || replica.info("master_link_status").is_ok_and(|link| link == "up"))?;
        Ok(replica)
    }

    /// Makes a replica a primary, with what it has.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn promote(&self) -> Result<()> {
        self.cli(&["REPLICAOF", "NO", "ONE"]).map(drop)
    }

    /// An orderly end, as an operator does it.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run, or does not end.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(Signal::TERM).map(drop)
    }

    /// Starts it again on the same data, at the same address; returns when it takes commands.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its log, or where it runs.
    pub fn start_again(&self) -> Result<()> {
        let mut server = command(&find(SERVER, "redis-server")?, None)?;
        server.arg(self.scratch.join(CONFIG));
        self.process.spawn(server)?;
        self.wait_until_ready()
    }

    /// Waits until it takes commands; where it ends by itself, as for want of room, it is started again.
    ///
    /// # Errors
    /// As [`start_again`](Self::start_again).
    pub fn come_back(&self) -> Result<()> {
        match self.wait_until_ready() {
            Err(_) if self.has_ended() => self.start_again(),
            outcome => outcome,
        }
    }

    fn wait_until_ready(&self) -> Result<()> {
        self.process.wait_until_ready(|| takes_commands(self.address()))
    }

    /// Where its data lies.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The small disk that its data lies on, where it was started on one.
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// A copy of its data, as an operator's backup; it must be stopped.
    ///
    /// # Errors
    /// [`Error::Failed`] where it runs, or nothing can be copied.
    pub fn copy_data(&self) -> Result<Copied> {
        self.must_be_stopped()?;
        Copied::of(&self.data)
    }

    /// Puts an older copy in the place of its data; it must be stopped.
    ///
    /// # Errors
    /// [`Error::Failed`] where it runs, or nothing can be copied.
    pub fn restore(&self, copy: &Copied) -> Result<()> {
        self.must_be_stopped()?;
        files::replace(&copy.folder, &self.data)
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn must_be_stopped(&self) -> Result<()> {
        if self.process.is_running() {
            return Err(Error::failed("Redis runs, so its data changes; stop it first"));
        }
        Ok(())
    }
}

/// redis-cli ends with 0 on an error of the server's too, unless it is told.
fn cli(port: u16, args: &[&str]) -> Result<String> {
    let mut cli = client(&find(CLI, "redis-tools")?, ANSWER_SECONDS)?;
    run(cli.args(["-e", "-p", &port.to_string()]).args(args))
}

/// Whether it answers, and has read its data. A server that asks for a password has.
fn takes_commands(address: SocketAddr) -> bool {
    let limit = Duration::from_secs(1);
    let ask = || -> std::io::Result<[u8; 5]> {
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| &answer == b"+PONG" || &answer == b"-NOAU")
}
