//! The store's time between two readings, by which nodes judge each other: their own clocks may differ. Owns the
//! estimate, which is never ahead, and the watch over steps; asks no store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::{BootTime, Timestamp};
use crate::view::STEP_TOLERANCE;

/// The store's clock, as last read.
#[derive(Debug)]
pub(super) struct StoreClock(Mutex<Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    store: Timestamp,
    boot: BootTime,
    /// Since when the store's clock has gone along with the one that never steps.
    steady_since: Option<BootTime>,
}

impl Reading {
    fn now(self, boot: BootTime) -> Timestamp {
        self.store.plus(boot.since(self.boot))
    }
}

impl StoreClock {
    pub(super) const fn new(store: Timestamp, boot: BootTime) -> Self {
        Self(Mutex::new(Reading { store, boot, steady_since: None }))
    }

    /// The store answered with `store`, and the answer was here at `boot`: its time is `store` or later then.
    pub(super) fn note(&self, store: Timestamp, boot: BootTime) {
        let mut reading = self.lock();
        let expected = reading.now(boot);
        let off = store.since(expected).max(expected.since(store));
        let steady_since = if off > STEP_TOLERANCE { Some(boot) } else { reading.steady_since };
        *reading = Reading { store, boot, steady_since };
    }

    /// The store's time at `boot`, or a little before it.
    pub(super) fn now(&self, boot: BootTime) -> Timestamp {
        self.lock().now(boot)
    }

    /// Whether the clock has not stepped for so long. Right after a step everybody seems to have been silent.
    pub(super) fn steady_for(&self, span: Duration, boot: BootTime) -> bool {
        self.lock().steady_since.is_none_or(|since| boot.since(since) > span)
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_goes_on_between_readings_and_a_step_is_noticed() {
        let (at, boot) =
            (|secs: u64| Timestamp::from_secs(1_000 + secs), |secs: u64| BootTime::from_millis(secs * 1000));
        let clock = StoreClock::new(at(0), boot(10));
        assert_eq!(clock.now(boot(15)), at(5));
        clock.note(at(5), boot(15));
        assert!(clock.steady_for(Duration::from_secs(2), boot(15)));
        for stepped in [3_605, 5] {
            clock.note(at(stepped), boot(15));
            assert!(!clock.steady_for(Duration::from_secs(2), boot(17)));
            assert!(clock.steady_for(Duration::from_secs(2), boot(18)));
        }
    }
}
