//! The only place where time passes: the clock that histories are told on, and a worker's rest.

use std::thread;
use std::time::{Duration, Instant};

/// A clock that starts at zero.
#[derive(Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "a history of other processes is told in real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Between two requests of a worker: so the load is bounded.
#[expect(clippy::disallowed_methods, reason = "paces a load; nothing is hoped for meanwhile")]
pub fn rest(pace: Duration) {
    thread::sleep(pace);
}
