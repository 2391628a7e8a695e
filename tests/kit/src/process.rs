//! One running server: all its processes, ended or stopped as one. Knows no server by name.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, Result};
use crate::spawner;
use crate::wait::until;

/// How much of a log an error shows.
const TAIL_LINES: usize = 40;

/// A server's processes. Killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// How the last one ended, where it did so by itself.
    ended: Option<ExitStatus>,
}

impl Process {
    /// A server that does not run yet. Its output goes to `log`.
    pub fn new(name: impl Into<String>, log: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), log: log.into(), state: Mutex::default() }
    }

    /// Starts it. Its output is appended to the log.
    ///
    /// # Errors
    /// [`Error::Failed`] where it runs already or does not start.
    pub fn spawn(&self, mut command: Command) -> Result<()> {
        let mut state = self.state();
        if state.child.is_some() {
            return Err(Error::failed(format!("{} runs already; stop or kill it first", self.name)));
        }
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(Error::io(format!("{} cannot be opened", self.log.display())))?;
        let errors = log.try_clone().map_err(Error::io("the log cannot be shared"))?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = spawner::spawn(command).map_err(Error::io(format!("{} does not start", self.name)))?;
        *state = State { child: Some(child), ended: None };
        Ok(())
    }

    /// Waits until `ready` says yes.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of the log when the process has ended, or the deadline has passed.
    pub fn wait_until_ready(&self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let mut ended = None;
        let waited = until(format!("{} is ready", self.name), || {
            ended = self.ended();
            ended.is_some() || !self.is_running() || ready()
        });
        match (ended, waited) {
            (None, Ok(())) if !self.is_running() => Err(self.failed(format!("{} was killed at its start", self.name))),
            (None, Ok(())) => Ok(()),
            (Some(status), _) => Err(self.failed(format!("{} has ended ({status})", self.name))),
            (None, Err(error)) => Err(self.failed(error)),
        }
    }

    /// The id of its first process.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run.
    pub fn pid(&self) -> Result<u32> {
        self.state().child.as_ref().map(Child::id).ok_or_else(|| self.not_running())
    }

    /// Whether it was started, and has not ended since.
    pub fn is_running(&self) -> bool {
        self.state().child.is_some()
    }

    /// Whether its first process is stopped.
    pub fn is_paused(&self) -> bool {
        self.pid().ok().and_then(stat).is_some_and(|(state, _)| state == 'T')
    }

    /// Its status where it has ended by itself. It can be started again.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.state().ended
    }

    /// Whether it has ended by itself since it was started.
    pub fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// SIGKILL to all its processes; returns when they are gone.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run.
    pub fn kill(&self) -> Result<()> {
        let child = self.state().child.take();
        end(child.ok_or_else(|| self.not_running())?)
    }

    /// SIGSTOP to all its processes: they keep their connections and answer nothing.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run.
    pub fn pause(&self) -> Result<()> {
        let stopped = stop_all(self.pid()?);
        until(format!("{} stands still", self.name), || stopped.iter().all(|pid| stands_still(*pid)))
    }

    /// SIGCONT to all its processes.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run.
    pub fn resume(&self) -> Result<()> {
        let pid = self.pid()?;
        for process in tree(pid) {
            send(process, Signal::CONT);
        }
        Ok(())
    }

    /// Asks it by `signal` to end, and waits until it has. A paused server is resumed for it.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run, or does not end; it is killed then.
    pub fn stop(&self, signal: Signal) -> Result<ExitStatus> {
        self.resume()?;
        let mut child = self.state().child.take().ok_or_else(|| self.not_running())?;
        send(child.id(), signal);
        let mut status = None;
        let waited = until(format!("{} has ended", self.name), || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        });
        if let Err(error) = waited {
            end(child)?;
            return Err(self.failed(error));
        }
        status.ok_or_else(|| self.not_running())
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The file that its output goes to.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    fn failed(&self, what: impl std::fmt::Display) -> Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n");
        Error::failed(format!("{what}; the end of its log:\n{tail}"))
    }

    fn not_running(&self) -> Error {
        Error::failed(format!("{} does not run; start it again", self.name))
    }

    /// What is true now: a process that has ended by itself meanwhile is noted.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = state.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
            *state = State { child: None, ended: Some(status) };
        }
        state
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.state().child.take();
        if let Some(child) = child {
            // Nothing is left to do with an error: SIGKILL was sent.
            let _ = end(child);
        }
    }
}

fn end(mut child: Child) -> Result<()> {
    // Stopped first, so that none starts another between the look and the end.
    let all = stop_all(child.id());
    for process in &all {
        send(*process, Signal::KILL);
    }
    child.wait().map_err(Error::io("its end cannot be waited for"))?;
    until("its processes are gone", || all.iter().all(|process| is_gone(*process)))
}

/// Stops a process and all below it; gives them.
fn stop_all(pid: u32) -> Vec<u32> {
    let mut stopped = Vec::new();
    loop {
        let fresh: Vec<u32> = tree(pid).into_iter().filter(|process| !stopped.contains(process)).collect();
        if fresh.is_empty() {
            return stopped;
        }
        for process in fresh {
            send(process, Signal::STOP);
            stopped.push(process);
        }
    }
}

/// A process and all below it, parents first.
fn tree(root: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = numbers
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(pid)?.1))
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// A process's state and parent, from /proc/PID/stat: `pid (name) state parent …`, where the name may hold anything.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether each of its threads has stopped, or it has ended: the signal is on its way to those that run.
fn stands_still(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
        .all(|thread: u32| stat(thread).is_none_or(|(state, _)| matches!(state, 'T' | 't' | 'Z' | 'X')))
}

/// Whether it has ended; a zombie has.
fn is_gone(pid: u32) -> bool {
    stat(pid).is_none_or(|(state, _)| matches!(state, 'Z' | 'X'))
}

/// A process that is gone already is no error: each sender looks afterwards.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
