//! The only place of the rig where time passes: the clock that its histories are told on, and a worker's rest.

use std::thread;
use std::time::{Duration, Instant};

/// A clock that starts at zero.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a history of other processes is told in real time")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Between two requests of a worker: so the load is bounded.
#[expect(clippy::disallowed_methods, reason = "paces a load; nothing is hoped for meanwhile")]
pub(super) fn rest(pace: Duration) {
    thread::sleep(pace);
}
