//! What a history comes to: how much was done in each phase, and what was wrong. A test that asserts nothing of the
//! counts could be green without a fault.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::history::{Answer, History, What};
use super::judge::judge;

/// A history that is over.
pub(crate) struct Report {
    counts: BTreeMap<(usize, What, &'static str), usize>,
    phases: Vec<&'static str>,
    wrong: Vec<String>,
}

impl Report {
    pub(super) fn of(history: &History) -> Self {
        let past = history.past();
        let mut counts = BTreeMap::new();
        for asked in &past.asked {
            let phase = past.phases.iter().rposition(|(_, begin)| *begin <= asked.done).unwrap_or(0);
            *counts.entry((phase, asked.what, word(&asked.answer))).or_default() += 1;
        }
        Self { counts, phases: past.phases.iter().map(|(name, _)| *name).collect(), wrong: judge(&past) }
    }

    /// How many requests were answered so, in all phases of this name.
    pub(crate) fn count(&self, phase: &str, what: What, answer: &Answer) -> usize {
        let hit = |key: &(usize, What, &str)| self.phases[key.0] == phase && key.1 == what && key.2 == word(answer);
        self.counts.iter().filter(|(key, _)| hit(key)).map(|(_, count)| count).sum()
    }

    /// Shows the counts, and fails where the contract was broken.
    pub(crate) fn assert_sound(&self) {
        eprintln!("{self}");
        let some: Vec<&str> = self.wrong.iter().take(20).map(String::as_str).collect();
        assert!(
            self.wrong.is_empty(),
            "{} sentences of the contract are broken:\n{}",
            self.wrong.len(),
            some.join("\n")
        );
        assert!(self.count("audit", What::Check, &Answer::Refused) > 5, "nothing that was revoked was asked about");
        assert!(self.count("audit", What::Check, &Answer::Yes) > 5, "nothing good was asked about");
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, name) in self.phases.iter().enumerate() {
            let mut line = format!("{name:>10}:");
            for ((_, what, answer), count) in self.counts.iter().filter(|((phase, _, _), _)| *phase == number) {
                let _ = write!(line, "  {what:?} {answer} {count}");
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

const fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::Refused => "refused",
        Answer::Unavailable => "503",
        Answer::Silent => "silent",
        Answer::Wrong(_) => "WRONG",
    }
}
