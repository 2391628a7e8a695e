//! Which positions had been given by when. Owns a coarse line from the store's time to positions, for foreign tokens
//! alone: they carry no position, so their `iat` has to stand for one. Doubt means revoked.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::position::Seq;
use crate::time::Timestamp;

/// A step of the line: no entry up to `seq` was appended later than `latest`.
#[derive(Debug, Clone, Copy)]
struct Step {
    latest: Timestamp,
    seq: Seq,
}

/// About one step a second of the time in which entries came. Reads take no lock.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    steps: ArcSwap<Vec<Step>>,
}

/// An hour of steps; older ones only make doubt, which means revoked.
const MOST_STEPS: usize = 3600;

impl Timeline {
    /// The highest position up to which every entry was surely appended before `time`; zero where that is unknown.
    pub(super) fn before(&self, time: Timestamp) -> Seq {
        let steps = self.steps.load();
        let earlier = steps.partition_point(|step| step.latest < time);
        earlier.checked_sub(1).and_then(|last| steps.get(last)).map_or(Seq::ZERO, |step| step.seq)
    }

    /// Goes on with entries in the order of their positions. One writer at a time.
    ///
    /// **Cost:** copies the line, so callers bring a batch, not an entry.
    pub(super) fn note(&self, entries: impl Iterator<Item = (Timestamp, Seq)>) {
        let mut steps = Vec::clone(&self.steps.load());
        entries.for_each(|(at, seq)| extend(&mut steps, at, seq));
        if steps.len() > MOST_STEPS {
            steps.drain(..MOST_STEPS / 4);
        }
        self.steps.store(Arc::new(steps));
    }

    /// Starts anew from entries in the order of their positions.
    pub(super) fn load(&self, entries: impl Iterator<Item = (Timestamp, Seq)>) {
        let mut steps = Vec::new();
        entries.for_each(|(at, seq)| extend(&mut steps, at, seq));
        self.steps.store(Arc::new(steps));
    }
}

/// The store's clock may step back: the line keeps the latest time seen so far, so it never claims "before" too early.
fn extend(steps: &mut Vec<Step>, at: Timestamp, seq: Seq) {
    match steps.last_mut() {
        Some(last) if at.as_secs() <= last.latest.as_secs() => {
            last.latest = last.latest.max(at);
            last.seq = last.seq.max(seq);
        }
        _ => steps.push(Step { latest: at, seq }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_before_a_time_only_if_everything_up_to_it_is() {
        let line = Timeline::default();
        let at = Timestamp::from_secs;
        line.note([(10, 1), (20, 2), (15, 3), (30, 4)].map(|(time, seq)| (at(time), Seq::new(seq))).into_iter());
        assert_eq!(line.before(at(10)), Seq::ZERO);
        assert_eq!(line.before(at(11)), Seq::new(1));
        // Entry 3 says 15, but it came after one that said 20: the clock stepped back, so 3 counts as of 20.
        assert_eq!(line.before(at(16)), Seq::new(1));
        assert_eq!(line.before(at(21)), Seq::new(3));
        assert_eq!(line.before(at(100)), Seq::new(4));
    }
    #[test]
    fn a_line_that_is_loaded_again_knows_what_was_loaded_last_and_nothing_else() {
        let line = Timeline::default();
        let at = Timestamp::from_secs;
        line.load([(at(10), Seq::new(7)), (at(20), Seq::new(8))].into_iter());
        assert_eq!([10, 11, 21].map(|time| line.before(at(time)).get()), [0, 7, 8]);
        line.load([(at(30), Seq::new(9))].into_iter());
        assert_eq!([30, 31].map(|time| line.before(at(time)).get()), [0, 9]);
    }

    #[test]
    fn of_a_line_that_is_too_long_the_oldest_quarter_goes() {
        let line = Timeline::default();
        let most = MOST_STEPS as u64;
        let steps = |from: u64, to: u64| (from..to).map(|n| (Timestamp::from_secs(n), Seq::new(n)));
        line.note(steps(1, most + 1));
        assert_eq!((line.steps.load().len(), line.before(Timestamp::from_secs(2))), (MOST_STEPS, Seq::new(1)));
        line.note(steps(most + 1, most + 2));
        assert_eq!(line.steps.load().len(), 2701);
        assert_eq!([901, 902, most + 2].map(|time| line.before(Timestamp::from_secs(time)).get()), [0, 901, most + 1]);
    }
}
