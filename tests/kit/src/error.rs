//! Why the kit could not do what a test asked: something is not installed here, or it failed.

use std::fmt::{self, Debug, Display, Formatter};
use std::io;

/// What the kit's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why not.
pub enum Error {
    /// This machine lacks a program or a right; the test is skipped. Says which, and the remedy.
    Missing(String),
    /// It should have worked; the test fails. Says what was tried, and the end of the server's log where there is one.
    Failed(String),
}

impl Error {
    pub(crate) fn failed(what: impl Display) -> Self {
        Self::Failed(what.to_string())
    }

    /// For `map_err`: what was tried, before the system's word about it.
    pub(crate) fn io(what: impl Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) | Self::Failed(what) => out.write_str(what),
        }
    }
}

/// As `Display`, so that `unwrap` shows a log with its lines.
impl Debug for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, out)
    }
}

impl std::error::Error for Error {}

/// What was started; `None` after `skip` was told what this machine lacks.
///
/// # Panics
/// Where it failed for another reason.
#[expect(clippy::panic, reason = "the caller is a test, and this is its failure")]
pub fn or_skip<T>(started: Result<T>, skip: impl FnOnce(&str)) -> Option<T> {
    match started {
        Ok(started) => Some(started),
        Err(Error::Missing(what)) => {
            skip(&what);
            None
        }
        Err(error @ Error::Failed(_)) => panic!("{error}"),
    }
}
