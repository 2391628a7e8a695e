//! A node: the server under test as a process of its own, in front of a store. Knows its command line, not its insides.

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::http::{self, Reply};
use crate::port::Port;
use crate::process::Process;
use crate::programs::command;
use crate::scratch::Scratch;
use crate::wait;

/// What a node is given to say that it lives.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOPBACK_ISSUER: &str = "http://127.0.0.1:7000";

/// How a node is started; see [`Node::of`]. Nodes of one cluster are started from clones.
#[derive(Debug, Clone)]
#[must_use]
pub struct NodeOptions {
    program: PathBuf,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    clock: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The machine's.
    Real,
    /// One that a test can step.
    Stepped,
}

/// A running node with a data directory of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    process: Process,
    options: NodeOptions,
    public: Port,
    admin: Port,
    clock: Option<Clock>,
    scratch: Scratch,
}

impl NodeOptions {
    /// The store's URL.
    pub fn store(self, url: &str) -> Self {
        self.arg("--store", url)
    }

    /// A setting of the command line.
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// A flag of the command line.
    pub fn flag(mut self, name: &str) -> Self {
        self.args.push(name.to_owned());
        self
    }

    /// A variable of the environment; it gets no other `RESCIND_…` than these.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The root secret; nodes on one store share it. 32 times `byte`.
    pub fn root_secret(self, byte: u8) -> Self {
        self.environment("RESCIND_ROOT_SECRET", &format!("{byte:02x}").repeat(32))
    }

    /// Gives it a wall clock that [`Node::set_clock`] can step while it runs. Its other clocks stay real.
    pub fn stepped_clock(mut self) -> Self {
        self.clock = Pace::Stepped;
        self
    }

    /// The same of another build.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = path.into();
        self
    }

    /// The machine's clock again, for a node that was once started with a stepped one.
    pub fn real_clock(mut self) -> Self {
        self.clock = Pace::Real;
        self
    }

    /// Starts it; returns when it listens, which is before it is ready.
    ///
    /// # Errors
    /// [`Error::Missing`] where its clock is to be stepped and libfaketime is not installed; [`Error::Failed`] with the
    /// end of its log.
    pub fn start(self) -> Result<Node> {
        let scratch = Scratch::new("node")?;
        let clock = if self.clock == Pace::Stepped { Some(Clock::new(scratch.join("clock"))?) } else { None };
        let (public, admin) = (Port::free()?, Port::free()?);
        let process = Process::new("rescind", scratch.join("log"));
        let node = Node { process, options: self, public, admin, clock, scratch };
        node.start_again()?;
        Ok(node)
    }
}

/// Its processes: their id, and how they are killed, paused and resumed.
impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Node {
    /// How to start a node of the program at `path`: `env!("CARGO_BIN_EXE_rescind")`. Until it is told otherwise, its
    /// issuer is one that all nodes share, and its root secret, too.
    pub fn of(path: impl Into<PathBuf>) -> NodeOptions {
        let options =
            NodeOptions { program: path.into(), args: Vec::new(), environment: Vec::new(), clock: Pace::Real };
        options.root_secret(7)
    }

    /// Where its public listener is; it stays there when the node is started again.
    pub fn public(&self) -> SocketAddr {
        self.public.address()
    }

    /// Where its admin listener is.
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.scratch.join("data")
    }

    /// Sends a request to its public listener; a body is JSON.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no answer.
    pub fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Result<Reply> {
        exchange(self.public(), method, path, token, body)
    }

    /// Sends a request to its admin listener, with its admin token; a body is JSON.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no answer.
    pub fn send_admin(&self, method: &str, path: &str, body: &str) -> Result<Reply> {
        let token = fs::read_to_string(self.data_dir().join("admin-token"));
        let token = token.map_err(Error::io("the node's admin token cannot be read"))?;
        exchange(self.admin(), method, path, Some(token.trim()), body)
    }

    /// The status of `/readyz`; `None` where it does not answer.
    pub fn readiness(&self) -> Option<u16> {
        self.status_of("/readyz")
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its log.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.process.wait_until_ready(|| self.readiness() == Some(200))
    }

    /// Sets its wall clock so many seconds off the real one.
    ///
    /// # Errors
    /// [`Error::Failed`] where it was started without [`stepped_clock`](NodeOptions::stepped_clock).
    pub fn set_clock(&self, seconds: i64) -> Result<()> {
        let clock = self.clock.as_ref().ok_or_else(|| Error::failed("the node has the machine's clock"))?;
        clock.set(seconds)
    }

    /// Ends it as an operator does, by SIGTERM.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run, or does not end.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(Signal::TERM).map(drop)
    }

    /// Starts it again on the same data, at the same addresses; returns when it listens.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its log, or where it runs.
    pub fn start_again(&self) -> Result<()> {
        self.start_again_with(&self.options)
    }

    /// The same as other options say: another build, other variables. They hold for this one start.
    ///
    /// # Errors
    /// As of [`start_again`](Self::start_again).
    pub fn start_again_with(&self, options: &NodeOptions) -> Result<()> {
        self.spawn_with(options)?;
        self.process.wait_until_ready(|| self.status_of("/livez") == Some(200))
    }

    /// Begins such a start, and waits for nothing.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not start, or runs.
    pub fn spawn_with(&self, options: &NodeOptions) -> Result<()> {
        let mut node = command(&options.program, None)?;
        node.arg("serve").arg("--data").arg(self.data_dir()).args(&options.args);
        node.args(["--listen", &self.public().to_string(), "--admin-listen", &self.admin().to_string()]);
        if !options.args.iter().any(|arg| arg == "--issuer") {
            node.args(["--issuer", LOOPBACK_ISSUER]);
        }
        node.envs(options.environment.iter().map(|(name, value)| (name, value)));
        if let Some(clock) = self.clock.as_ref().filter(|_| options.clock == Pace::Stepped) {
            node.envs(clock.environment());
        }
        self.process.spawn(node)
    }

    /// What it has written to its log and to standard output.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until its log holds `text`.
    ///
    /// # Errors
    /// [`Error::Failed`] when it does not.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        wait::until(format!("the log holds {text:?}"), || self.log().contains(text))
    }

    /// Its scratch directory, for files that it is to read.
    pub fn scratch_dir(&self) -> &Path {
        self.scratch.path()
    }

    fn status_of(&self, path: &str) -> Option<u16> {
        http::exchange_within(PATIENCE, self.public(), "GET", path, &[], b"").ok().map(|reply| reply.status)
    }
}

fn exchange(to: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &str) -> Result<Reply> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    let reply = http::exchange(to, method, path, &headers, body.as_bytes());
    reply.map_err(Error::io(format!("no answer to {method} {path}")))
}
