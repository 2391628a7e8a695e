//! What a run comes to: how much was done, which faults really happened, and what was broken. A run that tested nothing is
//! no green run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde_json::{Value, json};

use crate::asked::Answer;
use crate::judge::{Broken, Sentence};
use crate::plan::Fault;
use crate::widely::Widely;

/// A load of so many cycles has lifts in it.
const LIFTS_FROM: u64 = 5;

/// What one cycle came to.
#[derive(Debug, Default)]
pub struct Cycle {
    /// Its number.
    pub number: u64,
    /// What was tried, with its parameters.
    pub fault: String,
    /// What happened of it, by its kind. A cycle may bring more than its fault: each one on SQLite ends with a kill.
    pub happened: BTreeMap<Fault, u64>,
    /// Acknowledged revocations.
    pub acknowledged: usize,
    /// Acknowledged lifts.
    pub lifted: usize,
    /// Cut-offs on everything and on keys, and revocations that waited for every node.
    pub widely: Widely,
    /// Questions that were answered when the fault was over.
    pub checked: usize,
    /// From the last start, or the fault's end, until it was served again.
    pub recovery: Duration,
    /// What was broken.
    pub broken: Vec<String>,
}

impl Display for Cycle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { number, fault, acknowledged, checked, recovery, .. } = self;
        write!(
            f,
            "cycle {number:>5}  {acknowledged:>5} acknowledged  {checked:>5} checked  back after {recovery:>7.0?}  {fault}"
        )
    }
}

/// All cycles together.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often each fault was to come.
    pub planned: BTreeMap<Fault, u64>,
    /// In how many of those cycles it really did.
    pub came: BTreeMap<Fault, u64>,
    /// How often each fault happened, be it planned or beside another.
    pub happened: BTreeMap<Fault, u64>,
    /// Cycles that were run to their end.
    pub cycles: u64,
    /// Revocations whose acknowledgement the witness has on its disk.
    pub witnessed: u64,
    /// Lifts that were acknowledged.
    pub lifted: u64,
    /// Cut-offs on everything and on keys, and revocations that waited for every node.
    pub widely: Widely,
    /// Checks and refreshes that were answered with a word about the token, and judged.
    pub checks: u64,
    /// Those that were not answered, or with 503: they claim nothing.
    pub unanswered: u64,
    /// Questions of the last audits.
    pub audited: u64,
    /// Sentences of the contract that were broken, by kind.
    pub broken: BTreeMap<Sentence, u64>,
    /// What could not be tried here, and why.
    pub left_out: Vec<String>,
    /// The longest recovery, and all of them together.
    pub recovery: (Duration, Duration),
}

impl Tally {
    /// Adds a cycle.
    pub fn add(&mut self, planned: Fault, cycle: &Cycle) {
        *self.planned.entry(planned).or_default() += 1;
        let came = cycle.happened.get(&planned).is_some_and(|count| *count > 0);
        *self.came.entry(planned).or_default() += u64::from(came);
        for (fault, count) in &cycle.happened {
            *self.happened.entry(*fault).or_default() += count;
        }
        self.cycles += 1;
        self.lifted += cycle.lifted as u64;
        self.widely += cycle.widely;
        self.recovery = (self.recovery.0.max(cycle.recovery), self.recovery.1 + cycle.recovery);
    }

    /// Adds what was said of a token.
    pub fn hear(&mut self, answer: &Answer) {
        match answer {
            Answer::Yes | Answer::Refused => self.checks += 1,
            Answer::Unavailable | Answer::Silent | Answer::Wrong(_) => self.unanswered += 1,
        }
    }

    /// Adds what the judge found.
    pub fn find(&mut self, broken: &Broken) {
        *self.broken.entry(broken.sentence).or_default() += 1;
    }

    /// Whether the contract held.
    pub fn is_sound(&self) -> bool {
        self.broken.values().all(|count| *count == 0)
    }

    /// Why the run proves nothing, where that is so.
    pub fn proves_nothing(&self, least_revocations: u64) -> Option<String> {
        for (fault, planned) in &self.planned {
            let came = self.came.get(fault).copied().unwrap_or_default();
            if came < least_of(*planned) {
                let (word, what) = (fault.word(), fault.what());
                return Some(format!(
                    "`{word}` was to happen in {planned} cycles, and did in {came} ({what}); see what each cycle says"
                ));
            }
        }
        if let Some(what) = self.widely.missing(self.cycles) {
            return Some(format!("{what} was to be acknowledged, and none was"));
        }
        if self.witnessed < least_revocations {
            return Some(format!(
                "{} acknowledged revocations were witnessed, and {least_revocations} are asked for; run more cycles",
                self.witnessed
            ));
        }
        if self.lifted == 0 && self.cycles >= LIFTS_FROM {
            return Some(format!(
                "in {} cycles no lift was acknowledged; see whether the nodes lift at all",
                self.cycles
            ));
        }
        (self.checks < self.witnessed || self.audited == 0).then(|| "too little was asked about".to_owned())
    }

    fn count(&self, sentence: Sentence) -> u64 {
        self.broken.get(&sentence).copied().unwrap_or_default()
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let named = |faults: &BTreeMap<Fault, u64>| -> Value {
            faults
                .iter()
                .map(|(fault, count)| (fault.word().to_owned(), json!(count)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        json!({
            "cycles": self.cycles,
            "faults_planned": named(&self.planned),
            "faults_came": named(&self.came),
            "faults_happened": named(&self.happened),
            "revocations_witnessed": self.witnessed,
            "lifts_acknowledged": self.lifted,
            "cut_off_all": self.widely.all,
            "cut_off_key": self.widely.key,
            "revoked_everywhere": self.widely.everywhere,
            "checks_judged": self.checks,
            "checks_unanswered": self.unanswered,
            "audited": self.audited,
            "lost": self.count(Sentence::Lost),
            "valid_after_revoked": self.count(Sentence::ValidAgain),
            "ended_falsely": self.count(Sentence::EndedFalsely),
            "answered_otherwise": self.count(Sentence::AnsweredOtherwise),
            "longest_recovery_ms": self.recovery.0.as_millis(),
            "mean_recovery_ms": self.recovery.1.as_millis() / u128::from(self.cycles.max(1)),
            "left_out": self.left_out,
        })
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>7} {:>7} {:>8}", "fault", "planned", "came in", "happened")?;
        let all: BTreeSet<&Fault> = self.planned.keys().chain(self.happened.keys()).collect();
        for fault in all {
            let [planned, came, happened] = [&self.planned, &self.came, &self.happened]
                .map(|counts| counts.get(fault).copied().unwrap_or_default());
            writeln!(f, "{:<20} {planned:>7} {came:>7} {happened:>8}  {}", fault.word(), fault.what())?;
        }
        for reason in &self.left_out {
            writeln!(f, "left out: {reason}")?;
        }
        writeln!(f, "{:>9} acknowledged revocations witnessed, {} lifts", self.witnessed, self.lifted)?;
        let Widely { all, key, everywhere } = self.widely;
        writeln!(f, "{everywhere:>9} of them known everywhere, {all} cut-offs on everything, {key} on a key")?;
        writeln!(f, "{:>9} answers judged, {} questions of the last audits", self.checks, self.audited)?;
        writeln!(f, "{:>9} questions without an answer, or with 503", self.unanswered)?;
        writeln!(f, "{:>9} lost", self.count(Sentence::Lost))?;
        writeln!(f, "{:>9} valid after revoked", self.count(Sentence::ValidAgain))?;
        writeln!(f, "{:>9} sessions ended falsely", self.count(Sentence::EndedFalsely))?;
        write!(f, "{:>9} answered otherwise than the contract allows", self.count(Sentence::AnsweredOtherwise))
    }
}

/// In so many of the cycles a fault has to happen: in nine of ten, of few in all but one, and once at least.
fn least_of(planned: u64) -> u64 {
    (planned - (planned / 10).max(1).min(planned)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_often_failed_to_come_proves_nothing() {
        assert_eq!([1, 2, 9, 10, 19, 20, 100].map(least_of), [1, 1, 8, 9, 18, 18, 90]);
        let mut tally = Tally { witnessed: 1, checks: 20, audited: 5, ..Tally::default() };
        let cycle = |times| Cycle { happened: [(Fault::Double, times)].into(), lifted: 1, ..Cycle::default() };
        tally.add(Fault::Double, &cycle(0));
        // Of more at once in one cycle nothing follows about another.
        tally.add(Fault::Double, &cycle(3));
        assert_eq!(tally.proves_nothing(1), None);
        tally.add(Fault::Double, &cycle(0));
        assert!(tally.proves_nothing(1).is_some_and(|why| why.contains("in 3 cycles, and did in 1")));
    }

    #[test]
    fn a_run_without_lifts_proves_nothing_once_there_must_have_been_some() {
        let mut tally = Tally { witnessed: 9, checks: 20, audited: 5, ..Tally::default() };
        let cycle = |lifted| Cycle { happened: [(Fault::Kill, 1)].into(), lifted, ..Cycle::default() };
        (1..LIFTS_FROM).for_each(|_| tally.add(Fault::Kill, &cycle(0)));
        assert_eq!(tally.proves_nothing(9), None);
        tally.add(Fault::Kill, &cycle(0));
        assert!(tally.proves_nothing(9).is_some_and(|why| why.contains("no lift")));
        tally.add(Fault::Kill, &cycle(1));
        assert_eq!(tally.proves_nothing(9), None);
    }

    #[test]
    fn what_was_not_answered_is_no_answer_that_was_judged() {
        let mut tally = Tally::default();
        for answer in [Answer::Yes, Answer::Refused, Answer::Unavailable, Answer::Silent] {
            tally.hear(&answer);
        }
        assert_eq!((tally.checks, tally.unanswered), (2, 2));
        tally = Tally { checks: 8, unanswered: 100, witnessed: 9, audited: 1, ..tally };
        assert!(tally.proves_nothing(9).is_some_and(|why| why.contains("too little was asked")));
    }

    #[test]
    fn a_run_whose_fault_never_came_proves_nothing() {
        let mut tally = Tally { witnessed: 9, checks: 20, audited: 5, ..Tally::default() };
        tally.add(Fault::FsyncError, &Cycle { happened: [(Fault::Kill, 1)].into(), ..Cycle::default() });
        assert!(tally.proves_nothing(9).is_some_and(|why| why.contains("fsync-error")));
        tally.add(Fault::FsyncError, &Cycle { happened: [(Fault::FsyncError, 1)].into(), ..Cycle::default() });
        assert_eq!(tally.proves_nothing(9), None);
        assert!(tally.proves_nothing(10).is_some_and(|why| why.contains("10 are asked for")));
        assert!(Tally { audited: 0, ..tally }.proves_nothing(9).is_some());
    }
}
