//! What happened in a life: its last lines for people, all of it in one number, and the counts of what really happened.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Mutex;

/// So many lines are kept for whoever looks for a cause.
const KEPT: usize = 80;

/// Counts by name.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

#[derive(Debug, Default)]
pub(crate) struct Trace(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    digest: u64,
    /// Every number, so that two lives of one seed that part can be told where.
    notes: Vec<u64>,
    steps: u64,
    lines: VecDeque<String>,
    tally: Tally,
    violation: Option<String>,
}

impl Trace {
    /// Takes a number into the digest.
    pub(crate) fn note(&self, number: u64) {
        let mut inner = self.0.lock().unwrap();
        inner.notes.push(number);
        inner.digest = (inner.digest.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Takes a line in.
    pub(crate) fn line(&self, at: u64, text: &str) {
        for chunk in text.as_bytes().chunks(8) {
            let number = chunk.iter().fold(at, |number, byte| number.rotate_left(8) ^ u64::from(*byte));
            self.note(number);
        }
        let mut inner = self.0.lock().unwrap();
        inner.steps += 1;
        let step = inner.steps;
        inner
            .lines
            .push_back(format!("{step:>5} {:>12.3} s  {text}", std::time::Duration::from_millis(at).as_secs_f64()));
        if inner.lines.len() > KEPT {
            inner.lines.pop_front();
        }
    }

    /// Something happened.
    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, more: u64) {
        *self.0.lock().unwrap().tally.entry(what).or_default() += more;
    }

    /// Something happened that must not. The first one counts.
    pub(crate) fn violate(&self, at: u64, text: String) {
        self.line(at, &format!("VIOLATION: {text}"));
        self.0.lock().unwrap().violation.get_or_insert(text);
    }

    pub(crate) fn is_violated(&self) -> bool {
        self.0.lock().unwrap().violation.is_some()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.0.lock().unwrap().digest
    }

    pub(crate) fn notes(&self) -> Vec<u64> {
        self.0.lock().unwrap().notes.clone()
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.lock().unwrap().tally.clone()
    }

    /// The violation, where there is one, with all that is needed to look for its cause.
    pub(crate) fn verdict(&self, seed: u64) -> Result<(), String> {
        let inner = self.0.lock().unwrap();
        let Some(violation) = &inner.violation else { return Ok(()) };
        let mut text = format!("seed {seed}, step {}: {violation}\n", inner.steps);
        for line in &inner.lines {
            let _never = writeln!(text, "{line}");
        }
        let again = "cargo nextest run --workspace --all-features --test simulation --no-capture -E 'test(one_life)'";
        let _never = writeln!(text, "again: RESCIND_SEED={seed} {again}");
        Err(text)
    }
}
