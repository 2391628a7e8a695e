//! What a history comes to: how much was done in each phase, and what was wrong. A test that asserts nothing of the
//! counts could be green without a fault.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use rescind_torture::{Answer, History, Past, Scope, What, judge};

/// A history that is over.
pub(crate) struct Report {
    counts: BTreeMap<(usize, What, &'static str), usize>,
    phases: Vec<&'static str>,
    /// How many checks at the end were answered well of what was revoked and lifted; `None` where everybody was signed out.
    lifted: Option<usize>,
    wrong: Vec<String>,
}

impl Report {
    pub(super) fn of(history: &History) -> Self {
        let past = history.past();
        let mut counts = BTreeMap::new();
        for asked in past.asked() {
            let phase = past.phases.iter().rposition(|(_, begin)| *begin <= asked.done).unwrap_or(0);
            *counts.entry((phase, asked.what, word(&asked.answer))).or_default() += 1;
        }
        let lifted = past.everyone_out.is_none().then(|| good_again(&past));
        Self {
            counts,
            phases: past.phases.iter().map(|(name, _)| *name).collect(),
            lifted,
            wrong: judge(&past).iter().map(ToString::to_string).collect(),
        }
    }

    /// How many requests were answered so, in all phases of this name.
    pub(crate) fn count(&self, phase: &str, what: What, answer: &Answer) -> usize {
        let hit = |key: &(usize, What, &str)| self.phases[key.0] == phase && key.1 == what && key.2 == word(answer);
        self.counts.iter().filter(|(key, _)| hit(key)).map(|(_, count)| count).sum()
    }

    /// Shows the counts, and fails where the contract was broken, or where the last questions were none.
    pub(crate) fn assert_sound(&self) {
        self.assert_unbroken();
        assert!(self.count("audit", What::Check, &Answer::Refused) > 5, "nothing that was revoked was asked about");
        assert!(self.count("audit", What::Check, &Answer::Yes) > 5, "nothing good was asked about");
        assert!(self.lifted.is_none_or(|lifted| lifted > 5), "nothing that was lifted was asked about");
    }

    /// Shows the counts, and fails where the contract was broken.
    pub(crate) fn assert_unbroken(&self) {
        eprintln!("{self}");
        let some: Vec<&str> = self.wrong.iter().take(20).map(String::as_str).collect();
        assert!(
            self.wrong.is_empty(),
            "{} sentences of the contract are broken:\n{}",
            self.wrong.len(),
            some.join("\n")
        );
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

/// How many of the last checks were answered well of what was revoked and lifted.
fn good_again(past: &Past) -> usize {
    let lifted = past.asked().iter().filter(|asked| asked.what == What::Lift && asked.answer == Answer::Yes);
    let lifted: HashSet<&Scope> = lifted.filter_map(|asked| asked.scope.as_ref()).collect();
    let begin = past.phases.iter().rfind(|(name, _)| *name == "audit").map(|(_, begin)| *begin).unwrap_or_default();
    let last = past
        .asked()
        .iter()
        .filter(|asked| asked.what == What::Check && asked.answer == Answer::Yes && asked.sent >= begin);
    let about = last.filter_map(|asked| asked.about);
    about.filter(|number| past.credentials[*number].scopes.iter().any(|scope| lifted.contains(scope))).count()
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
