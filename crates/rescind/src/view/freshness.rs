//! Whether the view is known to be complete up to now. Owns the mark `as_of` and the watch over clock steps;
//! knows nothing of cut-offs.

use std::time::Duration;

use crate::sync::{AtomicI64, AtomicU64, Ordering};
use crate::time::{BootTime, Clock, Timestamp};

/// The wall clock and the clock that never steps may drift apart by this much since the view was loaded before the
/// wall clock counts as stepped. Slewing moves both, so only steps count.
pub(crate) const STEP_TOLERANCE: Duration = Duration::from_secs(1);

/// By how much clocks may have been wrong, in all, without a revoked session coming back: the store remembers cut-offs for
/// this much longer than right clocks would need.
pub(crate) const CLOCK_MARGIN: Duration = Duration::from_hours(24);

/// By how much the store's clock and a node's may each be wrong, in either direction, for a while or for good, without a
/// revoked access token coming back. The log's times, which never go back, are those of cut-offs: nothing there tells that
/// a token was issued by a wrong clock.
const CLOCK_ERROR: Duration = Duration::from_hours(1);

/// A view keeps cut-offs for this much longer than right clocks would need: the clock that a token was issued by may have
/// been ahead, and the one that it is judged by behind.
pub(crate) const KEPT_LONGER: Duration = CLOCK_ERROR.saturating_mul(2);

/// A view is loaded with cut-offs that are this much older than right clocks would need: beside that, the store's clock may
/// have been behind when they were appended, and be ahead when they are loaded.
pub(crate) const LOADED_LONGER: Duration = CLOCK_ERROR.saturating_mul(4);

/// The offset of the clocks before the view was loaded: nothing can have stepped against it.
const NEVER: i64 = i64::MIN;

/// What both clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock: what `exp` and `iat` are compared with.
    pub wall: Timestamp,
    /// The clock that never steps: what freshness is measured on.
    pub boot: BootTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall(), boot: clock.boot() }
    }

    fn offset(self) -> i64 {
        let signed = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        signed(self.wall.as_millis()).saturating_sub(signed(self.boot.as_millis()))
    }
}

/// How current the view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Complete up to at most the bound ago.
    Fresh,
    /// Complete up to this long ago, which is above the bound.
    Stale(Duration),
    /// Never loaded, history lost, or the wall clock stepped and the view is not loaded again yet: nothing may be answered.
    Unknown,
}

/// The moment up to which the view is complete, on the clock that never steps.
#[derive(Debug)]
pub(crate) struct Mark {
    /// Milliseconds since boot, plus one; 0 for "unknown".
    as_of: AtomicU64,
    /// Wall clock minus boot clock when the view was loaded, in milliseconds: small steps add up to a step.
    offset: AtomicI64,
    bound: Duration,
}

impl Mark {
    pub(crate) fn new(bound: Duration) -> Self {
        Self { as_of: AtomicU64::new(0), offset: AtomicI64::new(NEVER), bound }
    }

    /// Whether the view, read after this call, may be believed at `now`.
    ///
    /// Taken before the tables: what was applied by then is in them, so a reader can only see more than the mark says.
    pub(crate) fn freshness(&self, now: Now) -> Freshness {
        match self.age(now) {
            None => Freshness::Unknown,
            Some(age) if age > self.bound => Freshness::Stale(age),
            Some(_) => Freshness::Fresh,
        }
    }

    /// Takes the mark, and the tables after it: what was applied by the moment that the mark names is in them.
    pub(crate) fn before<T>(&self, now: Now, tables: impl FnOnce() -> T) -> (Freshness, T) {
        let freshness = self.freshness(now);
        (freshness, tables())
    }

    /// How long ago the view was complete; `None` where that is unknown.
    pub(crate) fn age(&self, now: Now) -> Option<Duration> {
        let as_of = self.as_of.load(Ordering::Acquire).checked_sub(1)?;
        (!self.stepped(now)).then(|| now.boot.since(BootTime::from_millis(as_of)))
    }

    /// Whether the wall clock stepped since the view was loaded.
    pub(crate) fn stepped(&self, now: Now) -> bool {
        self.drift(now) > STEP_TOLERANCE
    }

    /// How far the wall clock has stepped since the view was loaded, in either direction.
    pub(crate) fn drift(&self, now: Now) -> Duration {
        let offset = self.offset.load(Ordering::Acquire);
        if offset == NEVER {
            return Duration::ZERO;
        }
        let drift = now.offset().saturating_sub(offset);
        Duration::from_millis(drift.unsigned_abs())
    }

    /// By a reading that began at `began`, the view is complete up to `as_of`. Called after the tables were written.
    pub(crate) fn complete_up_to(&self, as_of: BootTime, began: Now) {
        if self.as_of.load(Ordering::Acquire) == 0 {
            self.offset.store(began.offset(), Ordering::Release);
        }
        self.as_of.store(as_of.as_millis().saturating_add(1), Ordering::Release);
    }

    /// How old the view may be before it is stale.
    pub(crate) const fn bound(&self) -> Duration {
        self.bound
    }

    /// Nothing may be answered until the next [`complete_up_to`](Self::complete_up_to).
    pub(crate) fn forget(&self) {
        self.as_of.store(0, Ordering::Release);
    }

    /// The same, after a step of the wall clock that was noted: only a further one counts again.
    pub(crate) fn forget_at(&self, now: Now) {
        self.forget();
        self.offset.store(now.offset(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: u64, boot: u64) -> Now {
        Now { wall: Timestamp::from_millis(wall), boot: BootTime::from_millis(boot) }
    }

    fn complete_at(mark: &Mark, at: Now) {
        mark.complete_up_to(at.boot, at);
    }

    #[test]
    fn a_view_is_fresh_up_to_the_bound_and_stale_behind_it() {
        let mark = Mark::new(Duration::from_secs(2));
        assert_eq!(mark.freshness(now(1_000_000, 0)), Freshness::Unknown);
        complete_at(&mark, now(1_000_000, 0));
        assert_eq!(mark.freshness(now(1_002_000, 2_000)), Freshness::Fresh);
        assert_eq!(mark.freshness(now(1_002_001, 2_001)), Freshness::Stale(Duration::from_millis(2_001)));
    }

    #[test]
    fn a_view_that_was_never_loaded_has_seen_no_step() {
        let mark = Mark::new(Duration::from_secs(2));
        assert!(!mark.stepped(now(1_000_000, 0)));
        assert_eq!(mark.freshness(now(1_000_000, 0)), Freshness::Unknown);
    }

    #[test]
    fn steps_too_small_to_count_add_up_until_the_view_is_loaded_again() {
        let mark = Mark::new(Duration::from_secs(2));
        complete_at(&mark, now(1_000_000, 0));
        complete_at(&mark, now(999_300, 100));
        assert_eq!(mark.freshness(now(999_300, 100)), Freshness::Fresh);
        assert_eq!(mark.freshness(now(998_600, 200)), Freshness::Unknown);
        mark.forget();
        complete_at(&mark, now(998_600, 200));
        assert_eq!(mark.freshness(now(998_600, 200)), Freshness::Fresh);
    }

    #[test]
    fn a_step_of_the_wall_clock_in_either_direction_makes_the_view_unknown_at_once() {
        let mark = Mark::new(Duration::from_secs(2));
        complete_at(&mark, now(1_000_000, 500));
        assert_eq!(mark.freshness(now(1_000_900, 600)), Freshness::Fresh);
        assert_eq!(mark.freshness(now(1_002_000, 600)), Freshness::Unknown);
        assert_eq!(mark.freshness(now(997_000, 600)), Freshness::Unknown);
    }
    #[test]
    fn clocks_that_drift_by_the_tolerance_have_not_stepped_and_by_a_millisecond_more_they_have() {
        let mark = Mark::new(Duration::from_secs(2));
        complete_at(&mark, now(1_000_000, 0));
        for (wall, stepped) in [(1_001_000, false), (1_001_001, true), (999_000, false), (998_999, true)] {
            assert_eq!(mark.stepped(now(wall, 0)), stepped, "{wall}");
        }
    }
}
