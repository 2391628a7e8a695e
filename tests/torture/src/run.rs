//! A run: cycle after cycle on the same data, judged after each; from time to time, and at the end, an audit of everything
//! that the witness has, and new data.

use std::fmt::Write as _;
use std::sync::Arc;

use rescind_test_kit::{Error, Result};

use crate::cycle::{Dealt, Nemesis, Settings};
use crate::history::{History, Past};
use crate::judge::{Broken, Sentence, judge_since, story};
use crate::load::Load;
use crate::plan::{Fault, Plan, Store};
use crate::server::ServerKind;
use crate::several::Several;
use crate::single::Single;
use crate::tally::{Cycle, Tally};

/// So many cycles on the same data.
const EPOCH: u64 = 100;
/// Of what was broken so much is shown whole.
const SHOWN: usize = 5;
/// Without a word from the caller a cycle acknowledges about so many revocations.
const USUAL: u64 = 300;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All counts.
    pub tally: Tally,
    /// What was broken, each with the history of its token.
    pub broken: Vec<String>,
    /// Why it could not be tried to its end, which is no word about the contract: something is missing, or failed, that
    /// is not the nodes'.
    pub cut_short: Option<String>,
    /// The cycle in which it ended.
    pub last: u64,
}

/// The same data, from its first cycle to its audit.
struct Epoch {
    nemesis: Box<dyn Nemesis>,
    load: Option<Load>,
    history: Arc<History>,
    /// So many requests were judged.
    judged: usize,
    cycles: u64,
}

/// Runs it, until something is broken or missing; tells each cycle to `tell`.
pub fn run(settings: &Settings, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Outcome {
    let mut outcome = Outcome::default();
    let (first, last) = settings.cycle.map_or((1, settings.cycles), |only| (only, only));
    let mut epoch: Option<Epoch> = None;
    for cycle in first..=last {
        outcome.last = cycle;
        let begun = epoch.take().map_or_else(|| Epoch::begin(settings, plan, cycle), Ok);
        let mut at_work = match begun {
            Ok(epoch) => epoch,
            Err(error) => {
                outcome.cut_short = Some(error.to_string());
                break;
            }
        };
        let is_last = cycle == last || at_work.cycles + 1 == EPOCH;
        let next = if is_last { Fault::Kill } else { plan.fault(cycle + 1) };
        match at_work.cycle(settings, plan, cycle, next) {
            Ok(done) => outcome.add(plan.fault(cycle), done, tell),
            Err(error) => outcome.blame(error),
        }
        // Whatever ended the cycle: what was answered until then is judged.
        outcome.find(&mut at_work);
        if outcome.is_over() || is_last || at_work.nemesis.is_over() {
            at_work.end(&mut outcome);
        } else {
            epoch = Some(at_work);
        }
        if outcome.is_over() {
            break;
        }
    }
    outcome
}

impl Outcome {
    fn is_over(&self) -> bool {
        !self.broken.is_empty() || self.cut_short.is_some()
    }

    fn add(&mut self, fault: Fault, done: Cycle, tell: &mut dyn FnMut(&str)) {
        self.tally.add(fault, &done);
        tell(&format!("{:<17} {done}", fault.word()));
        self.broken.extend(done.broken);
    }

    /// What is missing, or is ours, says nothing of the nodes. All else is that they did not do what they must: not
    /// answer, not come back, not heal.
    fn blame(&mut self, error: Error) {
        match error {
            Error::Missing(what) => self.cut_short = self.cut_short.take().or(Some(what)),
            Error::Failed(what) => self.broken.push(what),
        }
    }

    /// What the audit came to: how much was asked about, and what is lost by the witness's word.
    fn audit(&mut self, epoch: &mut Epoch, audited: usize, lost: Vec<String>) {
        self.tally.audited += audited as u64;
        let before = self.broken.len();
        self.find(epoch);
        if self.broken.len() == before && !lost.is_empty() {
            *self.tally.broken.entry(Sentence::Lost).or_default() += lost.len() as u64;
            self.broken.extend(lost.into_iter().take(SHOWN));
        }
    }

    /// Judges what was not judged yet.
    fn find(&mut self, epoch: &mut Epoch) {
        let broken = epoch.judge(&mut self.tally);
        self.broken.extend(epoch.shown(&broken));
    }
}

impl Epoch {
    fn begin(settings: &Settings, plan: &Plan, cycle: u64) -> Result<Self> {
        let first = plan.fault(cycle);
        let nemesis: Box<dyn Nemesis> = match settings.store {
            Store::Sqlite => Box::new(Single::begin(settings, first)?),
            Store::Postgres => Box::new(Several::begin(settings, ServerKind::Postgres, first)?),
            Store::Redis => Box::new(Several::begin(settings, ServerKind::Redis, first)?),
        };
        let nodes = nemesis.nodes();
        let load = Load::of(nodes, plan.load_seed(cycle))?;
        let history = Arc::clone(&nodes.history);
        Ok(Self { nemesis, load: Some(load), history, judged: 0, cycles: 0 })
    }

    fn cycle(&mut self, settings: &Settings, plan: &Plan, cycle: u64, next: Fault) -> Result<Cycle> {
        self.cycles += 1;
        let quota = settings.revocations.div_ceil(settings.cycles.max(1)).max(if settings.revocations == 0 {
            USUAL
        } else {
            1
        });
        let mut dealt = Dealt {
            cycle,
            fault: plan.fault(cycle),
            next,
            luck: &mut plan.luck(cycle),
            load_seed: plan.load_seed(cycle),
            // The fault comes before the last of them.
            quota: usize::try_from(quota + quota / 8).unwrap_or(usize::MAX),
            earlier: 4,
        };
        let Some(load) = self.load.take() else { return Ok(Cycle::default()) };
        let done = self.nemesis.cycle(&mut dealt, load);
        let (cycle, load) = done.map_err(|error| match error {
            Error::Failed(what) => Error::Failed(format!("{what}{}", self.nemesis.nodes().ended())),
            missing @ Error::Missing(_) => missing,
        })?;
        self.load = Some(load);
        Ok(cycle)
    }

    fn judge(&mut self, tally: &mut Tally) -> Vec<Broken> {
        let past = self.history.past();
        let broken = judge_since(&past, self.judged);
        for broken in &broken {
            tally.find(broken);
        }
        let fresh = past.asked().get(self.judged..).unwrap_or_default();
        for asked in fresh.iter().filter(|asked| asked.about.is_some()) {
            tally.hear(&asked.answer);
        }
        self.judged = past.asked().len();
        broken
    }

    fn shown(&self, broken: &[Broken]) -> Vec<String> {
        let past = self.history.past();
        let mut shown: Vec<String> = broken.iter().take(SHOWN).map(|broken| with_story(&past, broken)).collect();
        if broken.len() > SHOWN {
            shown.push(format!("and {} more", broken.len() - SHOWN));
        }
        shown
    }

    /// Asks about everything that the witness has, judges the answers, and counts. Where a cycle was not run to its end
    /// nobody knows what its nodes are like, and there is nothing to ask with.
    fn end(mut self, outcome: &mut Outcome) {
        if let Some(mut load) = self.load.take() {
            let nodes: Vec<usize> = (0..self.nemesis.nodes().all.len()).collect();
            match load.audit(&nodes) {
                Ok((audited, lost)) => outcome.audit(&mut self, audited, lost),
                Err(error) => {
                    outcome.blame(error);
                    outcome.find(&mut self);
                }
            }
        }
        match self.history.witness.flush() {
            Ok(witnessed) => outcome.tally.witnessed += witnessed,
            Err(error) => outcome.blame(error),
        }
    }
}

fn with_story(past: &Past, broken: &Broken) -> String {
    let mut text = broken.to_string();
    if let Some(credential) = broken.credential {
        let _ = write!(text, "\n{}", story(past, credential));
    }
    text
}
