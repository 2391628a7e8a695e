//! Waiting for a condition, with a deadline. The only place of the kit where time passes.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Nothing that is waited for takes longer, on a busy machine either.
pub const DEADLINE: Duration = Duration::from_mins(1);

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Looks again and again until `look` says yes, for at most [`DEADLINE`].
///
/// # Errors
/// [`Error::Failed`] when the deadline has passed; it names `what` was waited for.
pub fn until(what: impl Display, look: impl FnMut() -> bool) -> Result<()> {
    until_within(DEADLINE, what, look)
}

/// Looks again and again until `look` says yes, for at most `limit`.
///
/// # Errors
/// [`Error::Failed`] when the limit has passed; it names `what` was waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline for another process is in real time; between two looks it rests"
)]
pub fn until_within(limit: Duration, what: impl Display, mut look: impl FnMut() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !look() {
        if begin.elapsed() > limit {
            return Err(Error::failed(format!("waited for {limit:?} until {what}")));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}
