//! Makes a call of the server to the system fail at a chosen moment, by strace, which is attached to it while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rescind_test_kit::{Error, Process, Result};
use rustix::process::Signal;

/// Which call fails, how, and from which one on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Injection {
    /// The calls' names, with commas.
    pub(crate) calls: &'static str,
    /// `EIO`.
    pub(crate) error: &'static str,
    /// The first of each thread's that fails.
    pub(crate) first: usize,
    /// And the last.
    pub(crate) last: Option<usize>,
}

impl Injection {
    /// As strace reads it.
    pub(crate) fn when(&self) -> String {
        let Self { first, last, .. } = self;
        match last {
            None => format!("{first}+"),
            Some(last) if last == first => format!("{first}"),
            Some(last) => format!("{first}..{last}"),
        }
    }
}

/// strace at work. It ends with the server.
#[derive(Debug)]
pub(crate) struct Strace {
    process: Process,
    log: PathBuf,
}

impl Strace {
    /// Whether there is one.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is not.
    pub(crate) fn is_there() -> Result<()> {
        let tried = Command::new("strace").arg("--version").output();
        let missing = |error| Error::Missing(format!("strace does not run ({error}); Debian has it in strace"));
        tried.map(drop).map_err(missing)
    }

    /// Attaches to a process; of its calls those fail that are about this file.
    ///
    /// # Errors
    /// [`Error::Missing`] where it may not attach.
    pub(crate) fn attach(pid: u32, file: &Path, injection: Injection, home: &Path) -> Result<Self> {
        let log = home.join("strace.calls");
        let _ = fs::remove_file(&log);
        let Injection { calls, error, .. } = injection;
        let when = injection.when();
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid.to_string(), "-P"]).arg(file).arg("-o").arg(&log);
        command.args(["-e", &format!("inject={calls}:error={error}:when={when}"), "-e", &format!("trace={calls}")]);
        let process = Process::new("strace", home.join("strace.log"));
        let _ = fs::remove_file(process.log_file());
        process.spawn(command)?;
        process.wait_until_ready(|| process.log().contains("attached")).map_err(|error| {
            Error::Missing(format!(
                "{error}\nstrace may not attach to the server; it needs the right to (root, or CAP_SYS_PTRACE)"
            ))
        })?;
        Ok(Self { process, log })
    }

    /// How many calls have failed so far.
    pub(crate) fn failed(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().matches("(INJECTED)").count()
    }

    /// Lets the server go on alone.
    ///
    /// # Errors
    /// Where strace does not end.
    pub(crate) fn detach(&self) -> Result<()> {
        if self.process.is_running() { self.process.stop(Signal::TERM).map(drop) } else { Ok(()) }
    }
}
