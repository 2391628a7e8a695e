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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::subject;

    const GAP: Gap = Gap { fork: Seq::new(10), base: Seq::new(1000) };
    const NOW: Timestamp = Timestamp::from_millis(50);

    fn entry(seq: u64, name: &str, act: Act) -> Entry {
        Entry {
            seq: Seq::new(seq),
            at: NOW,
            scope: Scope::Subject(subject(name)),
            act,
            reason: Text::known("why"),
            actor: Text::known("who"),
            remember_until: NOW,
        }
    }

    fn cut_off(seq: u64, name: &str) -> Entry {
        entry(seq, name, Act::CutOff)
    }

    fn lift(seq: u64, name: &str, of: u64) -> Entry {
        entry(seq, name, Act::Lift { of: Seq::new(of) })
    }

    fn active(entries: &[Entry]) -> Vec<CutOff> {
        entries.iter().map(|entry| CutOff { scope: entry.scope.clone(), seq: entry.seq, at: entry.at }).collect()
    }

    /// The names that are cut off again, and the names that are lifted again with what is lifted.
    fn again(own: &[Entry], standing: &[Entry], since: &[Entry]) -> (Vec<String>, Vec<(String, Act)>) {
        let healed = Healed { active: &active(standing), since, forked: &[], now: NOW, keep: NOW };
        let Again { cut_offs, lifts } = known_here(own, GAP, &healed);
        let name = |new: &NewEntry| new.scope.id();
        (cut_offs.iter().map(name).collect(), lifts.iter().map(|new| (name(new), new.act)).collect())
    }

    #[test]
    fn a_cut_off_is_made_again_unless_the_new_history_has_it() {
        let own = [cut_off(11, "a"), cut_off(12, "b"), cut_off(13, "c"), cut_off(14, "d")];
        // b stands from before the loss, c in the new history; d was made again there and lifted since.
        let since = [cut_off(1001, "c"), cut_off(1002, "d"), lift(1003, "d", 1002)];
        let (cut_offs, lifts) = again(&own, &[cut_off(9, "b"), cut_off(1001, "c")], &since);
        assert_eq!((cut_offs, lifts), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    }

    #[test]
    fn what_stands_in_the_new_history_or_stood_there_covers_it_and_a_lift_alone_does_not() {
        let own = [cut_off(11, "a")];
        let is_made_again = |standing: &[Entry], since: &[Entry]| !again(&own, standing, since).0.is_empty();
        // Below the beginning of the new history, a token of the lost one may stand above it.
        let at = [999, 1000, 1001].map(|seq| is_made_again(&[cut_off(seq, "a")], &[]));
        assert_eq!(at, [true, true, false]);
        assert!(!is_made_again(&[], &[cut_off(1001, "a")]), "it is over there");
        assert!(is_made_again(&[], &[lift(1001, "a", 3)]), "whoever lifted an older one did not know of it");
    }

    #[test]
    fn only_the_newest_entry_of_a_scope_counts() {
        let (cut_offs, lifts) = again(&[cut_off(11, "a"), lift(12, "a", 11)], &[], &[]);
        assert_eq!((cut_offs, lifts), (vec![], vec![]));
        let (cut_offs, _) = again(&[lift(11, "a", 3), cut_off(12, "a")], &[cut_off(3, "a")], &[]);
        assert_eq!(cut_offs, ["a"]);
    }

    #[test]
    fn a_lift_is_made_again_only_of_what_stands_from_before_the_loss() {
        for (standing, lifted) in [(3, true), (10, true), (11, false), (1001, false)] {
            let (_, lifts) = again(&[lift(12, "a", 3)], &[cut_off(standing, "a")], &[]);
            let expected = lifted.then_some(("a".to_owned(), Act::Lift { of: Seq::new(standing) }));
            assert_eq!(lifts, Vec::from_iter(expected), "{standing}");
        }
    }

    #[test]
    fn what_nothing_can_be_under_any_more_is_not_made_again() {
        let old = Entry { remember_until: Timestamp::from_millis(49), ..cut_off(11, "a") };
        assert_eq!(again(&[old], &[], &[]).0, Vec::<String>::new());
    }

    #[test]
    fn what_the_store_was_told_after_the_loss_is_made_again_above_every_token() {
        let told = [(10, "before"), (11, "read"), (12, "not read"), (1000, "at the base"), (1001, "since")];
        let standing = told.map(|(seq, name)| cut_off(seq, name));
        let keep = Timestamp::from_millis(99);
        // What was read at 12 was lost in its turn.
        let forked = [cut_off(11, "read"), cut_off(12, "another")];
        let healed = Healed { active: &active(&standing), since: &[], forked: &forked, now: NOW, keep };
        let told = told_after_the_loss(GAP, &healed);
        let told: Vec<_> = told.iter().map(|new| (new.scope.id(), new.reason.as_str(), new.remember_until)).collect();
        assert_eq!(told, [("read".to_owned(), "why", NOW), ("not read".to_owned(), MADE_AFTER_A_LOSS, keep)]);
    }

    #[test]
    fn the_same_scope_is_cut_off_once_and_remembered_for_the_longer() {
        let new = |until| NewEntry {
            remember_until: Timestamp::from_millis(until),
            ..repeated(&cut_off(1, "a"), Act::CutOff)
        };
        let once = once_each(vec![new(1), new(3), new(2)]);
        assert_eq!(once, [new(3)]);
    }
}
