//! A run: cycle after cycle on the same data, judged after each; from time to time, and at the end, an audit of everything
//! that the witness has, and new data.

use std::fmt::Write as _;
use std::sync::Arc;

use rescind_test_kit::Result;

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
#[derive(Debug)]
pub struct Outcome {
    /// All counts.
    pub tally: Tally,
    /// What was broken, each with the history of its token.
    pub broken: Vec<String>,
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

/// Runs it; tells each cycle to `tell`.
///
/// # Errors
/// Where it could not be tried: something is missing, or does not come up.
pub fn run(settings: &Settings, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let mut outcome = Outcome { tally: Tally::default(), broken: Vec::new() };
    let (first, last) = settings.cycle.map_or((1, settings.cycles), |only| (only, only));
    let mut epoch: Option<Epoch> = None;
    for cycle in first..=last {
        let fault = plan.fault(cycle);
        let mut at_work = match epoch.take() {
            Some(epoch) => epoch,
            None => Epoch::begin(settings, plan, cycle)?,
        };
        let is_last = cycle == last || at_work.cycles + 1 == EPOCH;
        let next = if is_last { Fault::Kill } else { plan.fault(cycle + 1) };
        let done = at_work.cycle(settings, plan, cycle, next)?;
        outcome.tally.add(fault, &done);
        let broken = at_work.judge(&mut outcome.tally);
        tell(&format!("{:<17} {done}", fault.word()));
        outcome.broken.extend(at_work.shown(&broken));
        outcome.broken.extend(done.broken);
        if !outcome.broken.is_empty() || is_last || at_work.is_over() {
            outcome.broken.extend(at_work.end(&mut outcome.tally)?);
            if !outcome.broken.is_empty() {
                tell(&format!("broken in cycle {cycle}; the same again: --seed {} --cycle {cycle}", settings.seed));
                break;
            }
        } else {
            epoch = Some(at_work);
        }
    }
    Ok(outcome)
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
        let (cycle, load) = self.nemesis.cycle(&mut dealt, load)?;
        self.load = Some(load);
        Ok(cycle)
    }

    fn is_over(&self) -> bool {
        self.nemesis.is_over()
    }

    /// Judges what was not judged yet.
    fn judge(&mut self, tally: &mut Tally) -> Vec<Broken> {
        let past = self.history.past();
        let broken = judge_since(&past, self.judged);
        for broken in &broken {
            tally.find(broken);
        }
        let fresh = past.asked().get(self.judged..).unwrap_or_default();
        tally.checks += fresh.iter().filter(|asked| asked.about.is_some()).count() as u64;
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

    /// Asks about everything that the witness has, judges the answers, and counts.
    fn end(mut self, tally: &mut Tally) -> Result<Vec<String>> {
        let mut load = self.load.take();
        let nodes: Vec<usize> = (0..self.nemesis.nodes().all.len()).collect();
        let (audited, lost) = load.as_mut().map_or(Ok((0, Vec::new())), |load| load.audit(&nodes))?;
        tally.audited += audited as u64;
        tally.witnessed += self.history.witness.flush()?;
        let broken = self.judge(tally);
        let mut shown = self.shown(&broken);
        if broken.is_empty() && !lost.is_empty() {
            *tally.broken.entry(Sentence::Lost).or_default() += lost.len() as u64;
            shown.extend(lost.into_iter().take(SHOWN));
        }
        Ok(shown)
    }
}

fn with_story(past: &Past, broken: &Broken) -> String {
    let mut text = broken.to_string();
    if let Some(credential) = broken.credential {
        let _ = write!(text, "\n{}", story(past, credential));
    }
    text
}
