//! Why a command did not do what it was asked, in words that name the remedy, and the exit code that follows.
//! Knows nothing of single commands.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// A file that the command needs cannot be read.
    #[error("cannot read {path}: {source}. {remedy}", path = .path.display())]
    File { path: PathBuf, source: io::Error, remedy: &'static str },
    /// A file or a stream has something in it that cannot be meant.
    #[error("{0}")]
    Input(String),
    /// Nobody answers.
    #[error(
        "cannot reach the server at {url}: {why}. Is it running? Start it with `rescind serve`, or name its admin \
         listener with --server URL"
    )]
    Unreachable { url: String, why: String },
    /// The server answered something that is none of its answers.
    #[error(
        "{url} answered {status} as the admin listener never does here. Is it the public listener, or another program? \
         The admin listener is http://127.0.0.1:7001 where nothing else was said; name it with --server URL"
    )]
    Foreign { url: String, status: u16 },
    /// The admin token is not the server's.
    #[error(
        "the server at {url} refuses the admin token from {from}. Name the file of that server's data directory with \
         --admin-token-file F or --data DIR"
    )]
    Unauthorized { url: String, from: String },
    /// The server refused.
    #[error("{}", .0.said())]
    Refused(Refusal),
    /// Some of several things failed; each was reported.
    #[error("{0}")]
    Partly(String),
    /// The user broke off.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// A refusal as the server worded it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) description: String,
    pub(crate) retry_after: Option<String>,
}

impl Refusal {
    fn said(&self) -> String {
        let text = if self.description.is_empty() { &self.error } else { &self.description };
        match &self.retry_after {
            Some(seconds) => {
                format!("{text} (the server cannot do it now, nothing was changed; try again in {seconds} s)")
            }
            None => text.clone(),
        }
    }
}

impl Failure {
    /// 1 where something failed, 2 where the command line is wrong. A reader who left early is no failure.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) {
        if matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return;
        }
        // Where standard error is closed too, the exit code alone has to tell.
        let _ = io::Write::write_fmt(
            &mut io::stderr(),
            format_args!("error: {}\n", super::output::printable(&self.to_string())),
        );
    }
}
