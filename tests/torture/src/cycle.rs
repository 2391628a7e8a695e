//! What a cycle is given, and how it is told what happened.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use rescind_test_kit::{Error, Result};

use crate::load::Load;
use crate::luck::Luck;
use crate::nodes::Nodes;
use crate::plan::{Fault, Store};
use crate::tally::Cycle;
use crate::worker::Shared;

/// What a run is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store.
    pub store: Store,
    /// How many cycles.
    pub cycles: u64,
    /// This one alone.
    pub cycle: Option<u64>,
    /// What all chance follows from.
    pub seed: u64,
    /// So many acknowledged revocations at least, spread over the cycles.
    pub revocations: u64,
    /// Only these faults, where there are any.
    pub faults: Vec<String>,
    /// The server.
    pub program: PathBuf,
    /// Another build of it.
    pub other: Option<PathBuf>,
}

impl Settings {
    /// Whether the fault may be dealt.
    pub(crate) fn brings(&self, fault: Fault) -> bool {
        let named = self.faults.is_empty() || self.faults.iter().any(|name| name == fault.word());
        named && (fault != Fault::OtherBuild || self.other.is_some())
    }
}

/// One cycle's cards.
#[derive(Debug)]
pub(crate) struct Dealt<'a> {
    pub(crate) cycle: u64,
    pub(crate) fault: Fault,
    /// What comes after it: the node is started as that needs it.
    pub(crate) next: Fault,
    pub(crate) luck: &'a mut Luck,
    pub(crate) load_seed: u64,
    /// So many revocations, before the fault most of the time.
    pub(crate) quota: usize,
    /// Of what was before each worker asks about so much.
    pub(crate) earlier: usize,
}

/// Who does harm to nodes, cycle after cycle.
pub(crate) trait Nemesis {
    /// One cycle: the load, the fault, the recovery, and the questions.
    fn cycle(&mut self, dealt: &mut Dealt, load: Load) -> Result<(Cycle, Load)>;
    /// Those to whom it is done.
    fn nodes(&self) -> &Nodes;
    /// Whether the next cycle needs new data.
    fn is_over(&self) -> bool;
}

/// What is ours or the store's to do: where that fails, nothing is shown of the nodes, and the run ends as one that could
/// not be tried. Every other failure is that they did not do what they must.
pub(crate) trait NotTheirs {
    /// Says so.
    fn not_theirs(self) -> Self;
}

impl<T> NotTheirs for Result<T> {
    fn not_theirs(self) -> Self {
        self.map_err(|error| Error::Missing(error.to_string()))
    }
}

/// How a cycle is told.
pub(crate) trait Strike {
    /// It happened, or did not.
    fn count(&mut self, fault: Fault, happened: bool);
    /// A parameter.
    fn say(&mut self, what: &str);
    /// What the load has done.
    fn take(&mut self, shared: &Shared);
}

impl Strike for Cycle {
    fn count(&mut self, fault: Fault, happened: bool) {
        *self.happened.entry(fault).or_default() += u64::from(happened);
    }

    fn say(&mut self, what: &str) {
        self.fault.push_str(if self.fault.is_empty() { "" } else { "; " });
        self.fault.push_str(what);
    }

    fn take(&mut self, shared: &Shared) {
        self.acknowledged = shared.acknowledged.load(Ordering::Relaxed);
        self.lifted = shared.lifted.load(Ordering::Relaxed);
        self.widely.everywhere += shared.everywhere.load(Ordering::Relaxed) as u64;
    }
}

/// Nearly all of it, or all: so that the fault comes at another moment each time.
pub(crate) fn within(luck: &mut Luck, quota: usize) -> usize {
    quota - luck.below(quota / 8 + 1)
}
