//! The nodes under torture: real processes, and what is noted when one is taken down. What is asked of them is in `client`.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rescind_test_kit::{Error, Node, NodeOptions, Result, until};
use rustix::process::{Pid, Signal, kill_process};

use crate::history::History;

/// What every node is started with beside the defaults: tokens that outlive the torture, and an answer to a lost reply that
/// is still the same when a store was away for a while; a longer one is not allowed.
const SETTINGS: [(&str, &str); 3] = [("--access-lifetime", "12h"), ("--grace", "1m"), ("--log", "warn,rescind=info")];

/// So many characters of a log are shown.
const LOG: usize = 2000;

/// A refresh that is tried again sooner than this is surely within the grace, the answer's own time included.
pub(crate) const RETRIED: Duration = Duration::from_secs(45);

/// Nodes on one store, and the history of what they were asked.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// By their numbers.
    pub(crate) all: Vec<Node>,
    /// What they were asked.
    pub(crate) history: Arc<History>,
    options: Vec<NodeOptions>,
}

impl Nodes {
    /// Starts one node of the program for each store's URL; returns when all are ready and know each other. Without a URL
    /// a node has a store of its own.
    ///
    /// # Errors
    /// Where one does not come up.
    pub(crate) fn start(
        program: &Path,
        urls: &[Option<String>],
        shape: impl Fn(NodeOptions) -> NodeOptions,
    ) -> Result<Self> {
        let mut nodes = Self { all: Vec::new(), history: Arc::new(History::begin()?), options: Vec::new() };
        for (number, url) in urls.iter().enumerate() {
            let mut options = Node::of(program).environment("RESCIND_NODE", &format!("node-{number}"));
            for (name, value) in SETTINGS {
                options = options.arg(name, value);
            }
            options = url.iter().fold(options, |options, url| options.store(url));
            let options = shape(options);
            nodes.all.push(options.clone().start()?);
            nodes.options.push(options.real_clock());
        }
        for node in &nodes.all {
            node.wait_until_ready()?;
        }
        until("the nodes know each other", || {
            (0..nodes.all.len()).all(|node| nodes.stat(node, "nodes_live") == Some(urls.len() as u64))
        })?;
        Ok(nodes)
    }

    /// One of them.
    ///
    /// # Errors
    /// Where there is none of this number.
    pub(crate) fn node(&self, number: usize) -> Result<&Node> {
        self.all.get(number).ok_or_else(|| Error::Failed(format!("there is no node {number}")))
    }

    /// How it is started, without a stepped clock.
    pub(crate) fn options(&self, number: usize) -> NodeOptions {
        self.options.get(number).cloned().unwrap_or_else(|| Node::of(""))
    }

    /// SIGKILL, which is noted; whether it died of that.
    ///
    /// # Errors
    /// Where it does not run, or does not die.
    pub(crate) fn kill(&self, number: usize) -> Result<bool> {
        self.history.goes_down(number);
        kill(self.node(number)?)
    }

    /// Starts it again, and notes when it listens.
    ///
    /// # Errors
    /// With the end of its log, where it does not come up.
    pub(crate) fn start_again(&self, number: usize, options: &NodeOptions) -> Result<()> {
        self.node(number)?.start_again_with(options)?;
        self.history.comes_up(number);
        Ok(())
    }

    /// SIGTERM, and the start of what the options say.
    ///
    /// # Errors
    /// Where it does not end, or not come up.
    pub(crate) fn restart(&self, number: usize, options: &NodeOptions) -> Result<()> {
        self.history.goes_down(number);
        self.node(number)?.stop()?;
        self.start_again(number, options)
    }

    /// SIGSTOP; whether it stands still.
    ///
    /// # Errors
    /// Where it does not run.
    pub(crate) fn pause(&self, number: usize) -> Result<bool> {
        self.history.goes_down(number);
        self.node(number)?.pause()?;
        let still = until("the node stands still", || self.all.get(number).is_some_and(|node| node.is_paused()));
        self.history.stands_still(number);
        Ok(still.is_ok())
    }

    /// SIGCONT. What it was asked while it stood still, it decides after this.
    ///
    /// # Errors
    /// Where it does not run.
    pub(crate) fn resume(&self, number: usize) -> Result<()> {
        self.history.moves_on(number);
        self.node(number)?.resume()?;
        self.history.comes_up(number);
        Ok(())
    }

    /// Of those that have ended, that they have, and the end of their logs.
    pub(crate) fn ended(&self) -> String {
        let mut text = String::new();
        for (number, node) in self.all.iter().enumerate() {
            if let Some(status) = node.ended() {
                let log = node.log();
                let end = log.char_indices().rev().nth(LOG).map_or(0, |(at, _)| at);
                let _ = write!(text, "\nnode {number} has ended ({status}): {}", log.get(end..).unwrap_or_default());
            }
        }
        text
    }

    /// A number of one node's `/admin/v1/stats`; `None` where it does not answer.
    pub(crate) fn stat(&self, number: usize, name: &str) -> Option<u64> {
        let reply = self.all.get(number)?.send_admin("GET", "/admin/v1/stats", "").ok()?;
        (reply.status == 200).then(|| reply.json().get(name)?.as_u64()).flatten()
    }

    /// The same of one that must answer.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn known_stat(&self, number: usize, name: &str) -> Result<u64> {
        self.stat(number, name).ok_or_else(|| Error::Failed(format!("node {number} does not tell its `{name}`")))
    }

    /// The same of all of them together.
    ///
    /// # Errors
    /// Where one does not tell it: then nothing is known.
    pub(crate) fn total(&self, name: &str) -> Result<u64> {
        (0..self.all.len()).map(|node| self.known_stat(node, name)).sum()
    }

    /// Acknowledged refreshes that the nodes found lost. They forgive that, so no answer shows it.
    ///
    /// # Errors
    /// Where one does not tell.
    pub(crate) fn lost_refreshes(&self) -> Result<Option<String>> {
        let ahead = self.total("refresh_ahead")?;
        Ok((ahead > 0).then(|| {
            format!(
                "{ahead} acknowledged refreshes are lost: a node rotates from a token that its store never heard of"
            )
        }))
    }
}

/// SIGKILL; whether it died of that.
///
/// # Errors
/// Where it does not run, or does not die.
pub(crate) fn kill(node: &Node) -> Result<bool> {
    signal(node, Signal::KILL)?;
    until("the killed node is gone", || node.ended().is_some())?;
    Ok(node.ended().is_some_and(|status| status.signal() == Some(9)))
}

fn signal(node: &Node, signal: Signal) -> Result<()> {
    let pid = i32::try_from(node.pid()?).ok().and_then(Pid::from_raw);
    let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| kill_process(pid, signal));
    sent.map_err(|error| Error::Failed(format!("the node cannot be sent a signal: {error}")))
}
