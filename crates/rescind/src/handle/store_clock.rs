//! The store's time between two readings, by which nodes judge each other: their own clocks may differ. Owns the
//! estimate, which is never ahead, and the watch over steps; asks no store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::{BootTime, Timestamp};
use crate::view::STEP_TOLERANCE;

/// The store's clock, as last read.
#[derive(Debug)]
pub(super) struct StoreClock {
    reading: Mutex<Reading>,
    /// How often it surely stepped.
    steps: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    store: Timestamp,
    /// When it was asked.
    began: BootTime,
    boot: BootTime,
    /// Since when the store's clock has gone along with the one that never steps.
    steady_since: Option<BootTime>,
}

impl Reading {
    fn now(self, boot: BootTime) -> Timestamp {
        self.store.plus(boot.since(self.boot))
    }

    /// By how much the clock surely stepped until it was asked at `began` and said `store`, whose answer was here at `boot`.
    /// What an answer took, as to a process that stood still, is no step.
    fn step(self, began: BootTime, store: Timestamp, boot: BootTime) -> Option<Duration> {
        let latest = self.store.plus(boot.since(self.began));
        let earliest = self.store.plus(began.since(self.boot));
        let off = store.since(latest).max(earliest.since(store));
        (off > STEP_TOLERANCE).then_some(off)
    }
}

impl StoreClock {
    pub(super) const fn new(store: Timestamp, boot: BootTime) -> Self {
        // When that was asked is not known: the first step forward may pass for a late answer.
        let began = BootTime::from_millis(0);
        let reading = Reading { store, began, boot, steady_since: None };
        Self { reading: Mutex::new(reading), steps: AtomicU64::new(0) }
    }

    /// The store was asked at `began` and answered with `store`, and the answer was here at `boot`: its time is `store` or
    /// later then.
    pub(super) fn note(&self, began: BootTime, store: Timestamp, boot: BootTime) {
        let mut reading = self.lock();
        if let Some(off) = reading.step(began, store, boot) {
            self.steps.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                seconds = off.as_secs(),
                "the store's clock stepped. Nothing revoked comes back by it; keep it with NTP, slewing"
            );
        }
        let expected = reading.now(boot);
        let off = store.since(expected).max(expected.since(store));
        let steady_since = if off > STEP_TOLERANCE { Some(boot) } else { reading.steady_since };
        *reading = Reading { store, began, boot, steady_since };
    }

    /// The store's time at `boot`, or a little before it.
    pub(super) fn now(&self, boot: BootTime) -> Timestamp {
        self.lock().now(boot)
    }

    /// Whether the clock has not stepped for so long. Right after a step everybody seems to have been silent.
    pub(super) fn steady_for(&self, span: Duration, boot: BootTime) -> bool {
        self.lock().steady_since.is_none_or(|since| boot.since(since) > span)
    }

    /// How often the clock surely stepped.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
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
        clock.note(boot(15), at(5), boot(15));
        assert!(clock.steady_for(Duration::from_secs(2), boot(15)));
        for stepped in [3_605, 5] {
            clock.note(boot(15), at(stepped), boot(15));
            assert!(!clock.steady_for(Duration::from_secs(2), boot(17)));
            assert!(clock.steady_for(Duration::from_secs(2), boot(18)));
        }
        assert_eq!(clock.steps(), 2);
    }

    #[test]
    fn a_late_answer_is_no_step_of_the_clock() {
        let (at, boot) =
            (|secs: u64| Timestamp::from_secs(1_000 + secs), |secs: u64| BootTime::from_millis(secs * 1000));
        let clock = StoreClock::new(at(0), boot(10));
        clock.note(boot(11), at(1), boot(11));
        clock.note(boot(12), at(2), boot(60));
        clock.note(boot(61), at(51), boot(61));
        assert_eq!(clock.steps(), 0);
        clock.note(boot(62), at(40), boot(62));
        assert_eq!(clock.steps(), 1);
    }
}
