//! The store's time between two readings, by which nodes judge each other: their own clocks may differ. Owns the
//! estimate, which is never ahead, the watch over steps, and which clock is believed where the store's and this node's
//! do not agree; asks no store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::time::{BootTime, Timestamp};
use crate::view::{CLOCK_MARGIN, Now, STEP_TOLERANCE};

/// The store's clock, as last read.
#[derive(Debug)]
pub(super) struct StoreClock {
    reading: Mutex<Reading>,
    /// How often it surely stepped.
    steps: AtomicU64,
    /// Clocks that are no further apart agree: the skew that a check allows.
    slack: Duration,
    standing: Mutex<Standing>,
}

/// An answer of the store that told its time, with this node's clocks before it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) asked: Now,
    pub(super) store: Timestamp,
    /// When the answer was here.
    pub(super) answered: BootTime,
}

/// Two clocks that do not agree. **Units:** milliseconds, by which the store's is ahead of this node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Apart {
    pub(super) ahead: i64,
    pub(super) believed: Believed,
}

/// Which of two clocks that do not agree tokens count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Believed {
    Store,
    Node,
}

/// How the store's clock and this node's stand to each other.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// When both last agreed.
    agreed: Option<Told>,
    /// What was told of.
    apart: Option<Apart>,
    /// By how much the store's clock was ahead, agreed or not.
    ahead: Option<i64>,
}

impl Told {
    /// By how much the store's clock is surely ahead of this node's, or behind it (below 0).
    pub(super) fn ahead(&self) -> i64 {
        // Whatever an answer took, as to a process that stood still, sets no clock apart.
        let latest = self.asked.wall.plus(self.answered.since(self.asked.boot));
        signed(self.store.since(latest)).saturating_sub(signed(self.asked.wall.since(self.store)))
    }

    /// Which of the clocks stepped further since `before`, by the clock that never steps.
    fn stepped_since(&self, before: &Self) -> Option<Believed> {
        let passed = signed(self.asked.boot.since(before.asked.boot));
        let step = |now: Timestamp, then: Timestamp| {
            let went = signed(now.since(then)).saturating_sub(signed(then.since(now)));
            went.saturating_sub(passed).unsigned_abs()
        };
        let (node, store) = (step(self.asked.wall, before.asked.wall), step(self.store, before.store));
        let counts = u128::from(node.max(store)) > STEP_TOLERANCE.as_millis();
        counts.then_some(if node > store { Believed::Store } else { Believed::Node })
    }
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
    pub(super) fn new(store: Timestamp, boot: BootTime, slack: Duration) -> Self {
        // When that was asked is not known: the first step forward may pass for a late answer.
        let began = BootTime::from_millis(0);
        let reading = Mutex::new(Reading { store, began, boot, steady_since: None });
        let slack = slack.max(STEP_TOLERANCE);
        Self { reading, steps: AtomicU64::new(0), slack, standing: Mutex::default() }
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

    /// Compares the clocks, and tells once of each time that they come apart. `others` is what the other nodes found; `None`
    /// before they were asked.
    pub(super) fn compare(&self, told: Told, others: Option<&[i64]>) {
        let mut standing = self.standing();
        let ahead = Some(told.ahead());
        standing.ahead = ahead;
        let Some(others) = others else { return };
        // Clocks at the edge must not be told of at every look.
        let slack = if standing.apart.is_some() { self.slack / 2 } else { self.slack };
        let Some(apart) = standing.judge(told, others, slack) else {
            if standing.apart.is_some() {
                tracing::info!("the store's clock and this node's agree again");
            }
            *standing = Standing { agreed: Some(told), apart: None, ahead };
            return;
        };
        let is_told = |before: Apart| {
            before.believed == apart.believed && before.ahead.abs_diff(apart.ahead) <= unsigned(self.slack)
        };
        if !standing.apart.is_some_and(is_told) {
            tracing::error!(
                "ALARM: {}. Put the wrong one right with NTP; nothing revoked comes back by it",
                apart.in_words()
            );
            standing.apart = Some(apart);
        }
    }

    /// How far the clocks are apart in an answer of the store, and which one is believed; `None` where they agree.
    pub(super) fn judge(&self, told: Told, others: &[i64]) -> Option<Apart> {
        self.standing().judge(told, others, self.slack)
    }

    /// By how much the store's clock was ahead of this node's when they were last compared. **Units:** milliseconds.
    pub(super) fn ahead(&self) -> Option<i64> {
        self.standing().ahead
    }

    /// How far the clocks were apart when they were last compared; `None` where they agreed.
    pub(super) fn apart(&self) -> Option<Apart> {
        self.standing().apart
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

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn judge(&self, told: Told, others: &[i64], slack: Duration) -> Option<Apart> {
        let ahead = told.ahead();
        if ahead.unsigned_abs() <= unsigned(slack) {
            return None;
        }
        Some(Apart { ahead, believed: self.believed(told, ahead, others, slack) })
    }

    /// Whose clock is believed where the two do not agree.
    ///
    /// * First the other nodes: their clocks are those by which tokens are checked. As many as go along with the store
    ///   outvote those that go along with this node, so a node that is wrong alone mints what all the others take.
    /// * Where none says anything: who stepped since both agreed is the wrong one.
    /// * Where that is not known either, this node, which checks its own tokens: whichever clock is wrong, they pass here.
    ///   They pass late at those who only follow where it is this node's that is wrong, and ahead; so the lead is
    ///   registered, and cut-offs are kept for as much longer.
    ///
    /// Beyond the margin by which cut-offs outlive a wrong clock no lead is given: the store's.
    fn believed(&self, told: Told, ahead: i64, others: &[i64], slack: Duration) -> Believed {
        if ahead < 0 && ahead.unsigned_abs() > unsigned(CLOCK_MARGIN) {
            return Believed::Store;
        }
        let near = |other: i64| other.unsigned_abs() <= unsigned(slack);
        let with_store = others.iter().filter(|other| near(**other)).count();
        let with_node = others.iter().filter(|other| near(other.saturating_sub(ahead))).count();
        if with_node > with_store {
            Believed::Node
        } else if with_store > 0 {
            Believed::Store
        } else {
            self.agreed.and_then(|agreed| told.stepped_since(&agreed)).unwrap_or(Believed::Node)
        }
    }
}

impl Apart {
    /// For people.
    pub(super) fn in_words(&self) -> String {
        let seconds = self.ahead.unsigned_abs() / 1000;
        let side = if self.ahead > 0 { "ahead of" } else { "behind" };
        let counted = match self.believed {
            Believed::Store => "tokens count from the store's, for this node's is the one that seems wrong",
            Believed::Node => "tokens count from this node's",
        };
        format!("the store's clock is {seconds} s {side} this node's; {counted}")
    }
}

fn signed(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn unsigned(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_goes_on_between_readings_and_a_step_is_noticed() {
        let (at, boot) =
            (|secs: u64| Timestamp::from_secs(1_000 + secs), |secs: u64| BootTime::from_millis(secs * 1000));
        let clock = StoreClock::new(at(0), boot(10), Duration::from_secs(10));
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
        let clock = StoreClock::new(at(0), boot(10), Duration::from_secs(10));
        clock.note(boot(11), at(1), boot(11));
        clock.note(boot(12), at(2), boot(60));
        clock.note(boot(61), at(51), boot(61));
        assert_eq!(clock.steps(), 0);
        clock.note(boot(62), at(40), boot(62));
        assert_eq!(clock.steps(), 1);
    }

    /// The store's clock is so many seconds ahead of the node's at a moment; the answer took a second.
    fn told(node: u64, ahead: i64, boot: u64) -> Told {
        let wall = Timestamp::from_secs(100_000 + node);
        Told {
            asked: Now { wall, boot: BootTime::from_millis(boot * 1000) },
            store: Timestamp::from_secs((100_000 + node).checked_add_signed(ahead).unwrap()),
            answered: BootTime::from_millis(boot * 1000 + 1000),
        }
    }

    fn clock() -> StoreClock {
        StoreClock::new(Timestamp::from_secs(100_000), BootTime::from_millis(0), Duration::from_secs(10))
    }

    fn believed(clock: &StoreClock, told: Told, others: &[i64]) -> Option<Believed> {
        clock.judge(told, others).map(|apart| apart.believed)
    }

    #[test]
    fn clocks_within_the_skew_agree_and_what_an_answer_takes_sets_none_apart() {
        let clock = clock();
        for ahead in [-10, 0, 11] {
            assert_eq!(clock.judge(told(0, ahead, 0), &[]), None, "{ahead}");
        }
        assert_eq!(clock.judge(told(0, -11, 0), &[]).map(|apart| apart.ahead), Some(-11_000));
        assert_eq!(clock.judge(told(0, 12, 0), &[]).map(|apart| apart.ahead), Some(11_000));
        let slept = Told { answered: BootTime::from_millis(3_600_000), ..told(0, 3_590, 0) };
        assert_eq!(clock.judge(slept, &[]), None);
    }

    #[test]
    fn who_stepped_since_both_agreed_is_not_believed() {
        let clock = clock();
        let alone = |told| believed(&clock, told, &[]);
        assert_eq!(alone(told(0, 3_600, 0)), Some(Believed::Node), "nothing is known");
        clock.compare(told(0, 1, 0), Some(&[]));
        for (node, ahead, who) in [
            (60, 3_600, Believed::Node),
            (60, -3_600, Believed::Node),
            (60 + 3_600, -3_600, Believed::Store),
            (60 - 50, 50, Believed::Store),
        ] {
            assert_eq!(alone(told(node, ahead, 60)), Some(who), "{node} {ahead}");
        }
    }

    #[test]
    fn the_other_nodes_say_first_who_is_wrong() {
        let clock = clock();
        clock.compare(told(0, 0, 0), Some(&[]));
        let stepped = |others: &[i64]| believed(&clock, told(60, 3_600, 60), others);
        assert_eq!(stepped(&[3_600_000]), Some(Believed::Node));
        assert_eq!(stepped(&[0]), Some(Believed::Store));
        assert_eq!(stepped(&[0, 3_599_000]), Some(Believed::Store), "as many");
        assert_eq!(stepped(&[0, 3_599_000, 3_600_000]), Some(Believed::Node));
        assert_eq!(stepped(&[77_000_000]), Some(Believed::Node), "who agrees with nobody says nothing");
    }

    #[test]
    fn no_lead_is_given_beyond_the_margin() {
        let clock = clock();
        let day = 24 * 3_600;
        assert_eq!(believed(&clock, told(0, -day, 0), &[]), Some(Believed::Node));
        assert_eq!(believed(&clock, told(0, -day - 1, 0), &[-1000 * (day + 1)]), Some(Believed::Store));
        assert_eq!(believed(&clock, told(0, day + 2, 0), &[]), Some(Believed::Node));
    }
}
