//! Time in a life: one true time, and the clocks of machines that differ from it. The true time is the runtime's, which
//! goes on when nobody has anything to do, plus the leaps in which every machine was suspended.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rescind::time::{BootTime, Clock, Timestamp};
use tokio::time::{Instant, timeout};

/// When every life begins, by right clocks.
const BEGIN: u64 = 1_750_000_000_000;

/// The true time. **Units:** milliseconds since the life began.
#[derive(Debug)]
pub(crate) struct TrueTime {
    start: Instant,
    leapt: AtomicU64,
}

impl TrueTime {
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), leapt: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> u64 {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        elapsed + self.leapt()
    }

    /// What a right wall clock says. **Units:** milliseconds.
    pub(crate) fn wall(&self) -> u64 {
        BEGIN + self.now()
    }

    /// Every machine is suspended for so long: all clocks show it, and nobody did anything meanwhile.
    pub(crate) fn leap(&self, millis: u64) {
        self.leapt.fetch_add(millis, Ordering::Relaxed);
    }

    pub(crate) fn leapt(&self) -> u64 {
        self.leapt.load(Ordering::Relaxed)
    }
}

/// A machine's clocks: the wall clock may be off, the one that never steps is not.
#[derive(Debug)]
pub(crate) struct MachineClock {
    time: Arc<TrueTime>,
    off: AtomicI64,
    steps: AtomicU64,
}

impl MachineClock {
    pub(crate) fn new(time: &Arc<TrueTime>, off: i64) -> Self {
        Self { time: Arc::clone(time), off: AtomicI64::new(off), steps: AtomicU64::new(0) }
    }

    /// The wall clock is off by so many milliseconds from now on.
    pub(crate) fn step_to(&self, off: i64) {
        self.off.store(off, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

impl Clock for MachineClock {
    fn wall(&self) -> Timestamp {
        let right = self.time.wall();
        Timestamp::from_millis(right.saturating_add_signed(self.off.load(Ordering::Relaxed)))
    }

    fn boot(&self) -> BootTime {
        BootTime::from_millis(3_600_000 + self.time.now())
    }
}

/// Lets time pass. Everybody has done by then what they had to do.
pub(crate) async fn pass(millis: u64) {
    // Nothing comes of it, so the runtime's clock goes on to the end of the span.
    assert!(timeout(Duration::from_millis(millis), pending::<()>()).await.is_err());
}
