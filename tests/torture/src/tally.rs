//! What a run comes to: how much was done, which faults really happened, and what was broken. A run that tested nothing is
//! no green run.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde_json::{Value, json};

use crate::judge::{Broken, Sentence};
use crate::plan::Fault;
use crate::widely::Widely;

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
    /// How often it really did.
    pub happened: BTreeMap<Fault, u64>,
    /// Cycles that were run to their end.
    pub cycles: u64,
    /// Revocations whose acknowledgement the witness has on its disk.
    pub witnessed: u64,
    /// Lifts that were acknowledged.
    pub lifted: u64,
    /// Cut-offs on everything and on keys, and revocations that waited for every node.
    pub widely: Widely,
    /// Checks and refreshes that were answered and judged.
    pub checks: u64,
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
        for (fault, count) in &cycle.happened {
            *self.happened.entry(*fault).or_default() += count;
        }
        self.cycles += 1;
        self.lifted += cycle.lifted as u64;
        self.widely += cycle.widely;
        self.recovery = (self.recovery.0.max(cycle.recovery), self.recovery.1 + cycle.recovery);
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
        let missing = self.planned.keys().find(|fault| self.happened.get(fault).copied().unwrap_or_default() == 0);
        if let Some(fault) = missing {
            return Some(format!(
                "`{}` was to happen, and never did ({}); run more cycles",
                fault.word(),
                fault.what()
            ));
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
            "faults_happened": named(&self.happened),
            "revocations_witnessed": self.witnessed,
            "lifts_acknowledged": self.lifted,
            "cut_off_all": self.widely.all,
            "cut_off_key": self.widely.key,
            "revoked_everywhere": self.widely.everywhere,
            "checks_judged": self.checks,
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
        writeln!(f, "{:<20} {:>7} {:>8}", "fault", "planned", "happened")?;
        for (fault, happened) in &self.happened {
            let planned = self.planned.get(fault).copied().unwrap_or_default();
            writeln!(f, "{:<20} {planned:>7} {happened:>8}  {}", fault.word(), fault.what())?;
        }
        for reason in &self.left_out {
            writeln!(f, "left out: {reason}")?;
        }
        writeln!(f, "{:>9} acknowledged revocations witnessed, {} lifts", self.witnessed, self.lifted)?;
        let Widely { all, key, everywhere } = self.widely;
        writeln!(f, "{everywhere:>9} of them known everywhere, {all} cut-offs on everything, {key} on a key")?;
        writeln!(f, "{:>9} answers judged, {} of them in the last audits", self.checks, self.audited)?;
        writeln!(f, "{:>9} lost", self.count(Sentence::Lost))?;
        writeln!(f, "{:>9} valid after revoked", self.count(Sentence::ValidAgain))?;
        writeln!(f, "{:>9} sessions ended falsely", self.count(Sentence::EndedFalsely))?;
        write!(f, "{:>9} answered otherwise than the contract allows", self.count(Sentence::AnsweredOtherwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
