//! Which entries a healed store needs again: what a node knew and the store lost, and what the store was told after it
//! had lost. A plain function from both sides to new entries; asks no store.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::log::{Act, CutOff, Entry, NewEntry, Scope, Text};
use crate::position::Seq;
use crate::time::Timestamp;

/// The reason of a cut-off that was made after the store lost history, where its own reason cannot be read any more.
const MADE_AFTER_A_LOSS: &str = "made_after_a_loss";

/// The healed store as it stands.
pub(super) struct Healed<'a> {
    /// Its active cut-offs.
    pub(super) active: &'a [CutOff],
    /// The entries of its new history.
    pub(super) since: &'a [Entry],
    /// The entries, as far as they were still read, that it took between the loss and the healing.
    pub(super) forked: &'a [Entry],
    /// Its own time.
    pub(super) now: Timestamp,
    /// How long a cut-off is remembered whose own end cannot be read any more.
    pub(super) keep: Timestamp,
}

/// A stretch of positions that two histories used for different entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// The last position that both have.
    pub(super) fork: Seq,
    /// Where the new history begins.
    pub(super) base: Seq,
}

/// What has to be appended again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Again {
    /// Cut-offs. They get new positions: more is revoked than before, never less.
    pub(super) cut_offs: Vec<NewEntry>,
    /// Lifts of cut-offs that the store has from before the loss. One that finds a newer entry is left out.
    pub(super) lifts: Vec<NewEntry>,
}

/// What only this node knew: of each scope in its own entries above the fork, the newest.
///
/// A cut-off is left out where the new history has the scope cut off, or has had this very cut-off: then whoever lifted
/// it knew of it. A lift is left out unless the store has the cut-off that it ended: in doubt, revoked.
pub(super) fn known_here(own: &[Entry], gap: Gap, healed: &Healed<'_>) -> Again {
    let active: HashMap<&Scope, Seq> = healed.active.iter().map(|cut_off| (&cut_off.scope, cut_off.seq)).collect();
    let was_there: HashSet<_> = healed.since.iter().filter(|entry| entry.act == Act::CutOff).map(identity).collect();
    let mut again = Again::default();
    for entry in newest_of_each_scope(own) {
        let stands = active.get(&entry.scope).copied();
        match entry.act {
            Act::CutOff => {
                let covered = stands.is_some_and(|at| at > gap.base) || was_there.contains(&identity(entry));
                if !covered && entry.remember_until >= healed.now {
                    again.cut_offs.push(repeated(entry, Act::CutOff));
                }
            }
            Act::Lift { .. } => {
                if let Some(of) = stands.filter(|at| *at <= gap.fork) {
                    again.lifts.push(repeated(entry, Act::Lift { of }));
                }
            }
        }
    }
    again
}

/// What the store was told between the loss and the healing: those cut-offs have positions below those of tokens that
/// were issued before them, in the history that was lost.
pub(super) fn told_after_the_loss(gap: Gap, healed: &Healed<'_>) -> Vec<NewEntry> {
    let told: HashMap<Seq, &Entry> = healed.forked.iter().map(|entry| (entry.seq, entry)).collect();
    let in_the_gap = healed.active.iter().filter(|cut_off| gap.fork < cut_off.seq && cut_off.seq < gap.base);
    in_the_gap
        .map(|cut_off| match told.get(&cut_off.seq) {
            Some(entry) if entry.scope == cut_off.scope => repeated(entry, Act::CutOff),
            _ => NewEntry {
                scope: cut_off.scope.clone(),
                act: Act::CutOff,
                reason: Text::known(MADE_AFTER_A_LOSS),
                actor: Text::known("rescind"),
                remember_until: healed.keep,
            },
        })
        .collect()
}

fn newest_of_each_scope(own: &[Entry]) -> Vec<&Entry> {
    let newest: HashMap<&Scope, Seq> = own.iter().map(|entry| (&entry.scope, entry.seq)).collect();
    own.iter().filter(|entry| newest.get(&entry.scope) == Some(&entry.seq)).collect()
}

fn identity(entry: &Entry) -> (&Scope, &str, &str) {
    (&entry.scope, entry.reason.as_str(), entry.actor.as_str())
}

fn repeated(entry: &Entry, act: Act) -> NewEntry {
    let Entry { scope, reason, actor, remember_until, .. } = entry.clone();
    NewEntry { scope, act, reason, actor, remember_until }
}

/// Cut-offs of the same scope are made once.
pub(super) fn once_each(cut_offs: Vec<NewEntry>) -> Vec<NewEntry> {
    let mut by_scope: BTreeMap<Scope, NewEntry> = BTreeMap::new();
    for entry in cut_offs {
        by_scope
            .entry(entry.scope.clone())
            .and_modify(|kept| kept.remember_until = kept.remember_until.max(entry.remember_until))
            .or_insert(entry);
    }
    by_scope.into_values().collect()
}
