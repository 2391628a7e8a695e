//! What was done on one scope, in order, prepared so that a question about any moment takes a binary search. Acts on one
//! scope come one after another: whoever loads the nodes sees to that.

use std::collections::BTreeMap;

use crate::BOUND;
use crate::asked::{Answer, Asked, At, Credential, Scope, What};
use crate::history::Past;

/// Since when a node surely knows of what was acknowledged, or said, by the same node or another one.
pub(crate) fn known_at(node: usize, by: usize, done: At) -> At {
    if node == by { done } else { done + BOUND }
}

/// The revocations and lifts on a scope.
pub(crate) struct Line<'a> {
    /// By when they were sent. A lift that was refused has done nothing, and is left out.
    acts: Vec<&'a Asked>,
    /// For each act: the newest lift so far, the newest revocation so far, and whether some revocation so far has an
    /// unknown outcome, so that it may come about at any later time.
    so_far: Vec<SoFar>,
    /// The acknowledged revocations, as numbers in `acts`, and those of each node.
    cuts: Vec<usize>,
    cuts_of: BTreeMap<usize, Vec<usize>>,
    /// Those of them that were acknowledged once every node knew.
    cuts_everywhere: Vec<usize>,
    /// A key's cut-off ends whatever the key has signed, before and after.
    ends_later_ones: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct SoFar {
    lift: Option<usize>,
    cut: Option<usize>,
    unsure: bool,
}

impl<'a> Line<'a> {
    pub(crate) fn of(past: &'a Past, scope: &Scope) -> Self {
        let mut acts: Vec<&Asked> = past.on(scope).filter(|act| act.answer != Answer::Refused).collect();
        acts.sort_by_key(|act| act.sent);
        let mut line = Self {
            so_far: Vec::with_capacity(acts.len()),
            acts,
            cuts: Vec::new(),
            cuts_of: BTreeMap::new(),
            cuts_everywhere: Vec::new(),
            ends_later_ones: scope.kind == "key",
        };
        let mut so_far = SoFar::default();
        for (number, act) in line.acts.iter().enumerate() {
            match (act.what, &act.answer) {
                (What::Lift, _) => so_far.lift = Some(number),
                (_, answer) => {
                    so_far.cut = Some(number);
                    so_far.unsure |= *answer != Answer::Yes;
                    if *answer == Answer::Yes {
                        line.cuts.push(number);
                        line.cuts_of.entry(act.node).or_default().push(number);
                        if act.what == What::RevokeEverywhere {
                            line.cuts_everywhere.push(number);
                        }
                    }
                }
            }
            line.so_far.push(so_far);
        }
        line
    }

    /// The lifts on it.
    pub(crate) fn lifts(&self) -> impl Iterator<Item = &'a Asked> {
        self.acts.iter().copied().filter(|act| act.what == What::Lift)
    }

    /// Where and since when a revocation stands that whoever said yes must have known, unless somebody tried to lift it.
    pub(crate) fn revoked(&self, yes: &Asked, decided: At, credential: &Credential) -> Option<(usize, At)> {
        let end = self.sent_until(yes.done);
        let lifted = self.so_far(end).lift.map_or(0, |lift| lift + 1);
        let begin = if self.ends_later_ones { lifted } else { lifted.max(self.sent_until(credential.opened.1)) };
        let mine = self.cuts_of.get(&yes.node).map(Vec::as_slice);
        // The first one is the one that has been known for longest.
        let lists = [Some(self.cuts.as_slice()), mine, Some(self.cuts_everywhere.as_slice())];
        let mut first = lists.into_iter().flatten().filter_map(|cuts| {
            let number = *cuts.get(cuts.partition_point(|cut| *cut < begin))?;
            let act = self.acts.get(number)?;
            let known =
                if act.what == What::RevokeEverywhere { act.done } else { known_at(yes.node, act.node, act.done) };
            (number < end && known < decided).then_some((act.node, act.done))
        });
        first.next()
    }

    /// Whether nothing on this scope can be the reason of a refusal.
    pub(crate) fn is_free(&self, refused: &Asked, credential: &Credential, past: &Past) -> bool {
        let end = self.sent_until(refused.done);
        let SoFar { cut, unsure, .. } = self.so_far(end);
        let Some(cut) = cut else { return true };
        // Acts come one after another: where the newest was over before the session was asked for, all were.
        let over = self
            .acts
            .get(cut)
            .is_some_and(|cut| cut.done <= credential.opened.0 && !is_made_again(cut, credential, past));
        if over && !unsure && !self.ends_later_ones {
            return true;
        }
        let since = self.acts.get(cut + 1..end).unwrap_or_default();
        let holds = |lift: &&&Asked| lift.answer == Answer::Yes && !unsure && !is_in_doubt(lift, &past.entries_lost);
        since.iter().filter(holds).any(|lift| known_at(refused.node, lift.node, lift.done) < refused.sent)
    }

    /// How many acts were sent until then.
    fn sent_until(&self, moment: At) -> usize {
        self.acts.partition_point(|act| act.sent <= moment)
    }

    fn so_far(&self, end: usize) -> SoFar {
        end.checked_sub(1).and_then(|last| self.so_far.get(last)).copied().unwrap_or_default()
    }
}

/// A cut-off that the store lost is made again at a position of that moment: so it ends what was opened since, too.
fn is_made_again(cut: &Asked, credential: &Credential, past: &Past) -> bool {
    past.sessions_lost.is_some_and(|(from, to)| cut.done >= from && credential.opened.0 <= to + BOUND)
}

/// A lift that the store lost before every node had read it: whoever knows only the cut-off makes that again. In doubt,
/// revoked.
fn is_in_doubt(lift: &Asked, entries_lost: &[(At, At)]) -> bool {
    entries_lost.iter().any(|(unread, gone)| lift.done + BOUND > *unread && lift.sent < *gone + BOUND)
}
