//! What the guarantees say of a history. A plain function, tried in `judged` on histories that break each of them.
//!
//! Acts on one scope come one after another, so each scope has a line of revocations and lifts, and each credential is
//! judged by the lines of its scopes in one pass over what was said of it.

use std::collections::{BTreeMap, HashMap};

use super::BOUND;
use super::history::{Answer, Asked, At, Outage, Past, Scope, What};

/// Every sentence of the contract that the history breaks.
pub(super) fn judge(past: &Past) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut about: HashMap<usize, Vec<&Asked>> = HashMap::new();
    let mut on: HashMap<&Scope, Vec<&Asked>> = HashMap::new();
    for asked in &past.asked {
        if let Some(credential) = asked.about
            && !from_the_future(asked, &past.behind)
        {
            about.entry(credential).or_default().push(asked);
        }
        // A lift that is refused has done nothing.
        if let Some(scope) = &asked.scope
            && asked.answer != Answer::Refused
        {
            on.entry(scope).or_default().push(asked);
        }
    }
    for acts in on.values_mut() {
        acts.sort_by_key(|act| act.sent);
    }
    for (number, asked) in about {
        let credential = &past.credentials[number];
        let lines = credential.scopes.iter().filter_map(|scope| on.get(scope)).map(Vec::as_slice).collect();
        let out = past.everyone_out.is_some_and(|out| credential.issued < out);
        let row_lost =
            past.sessions_lost.is_some_and(|(from, to)| from <= credential.issued && credential.issued <= to);
        let excused = if out {
            Excused::Whole
        } else if row_lost {
            Excused::Refresh
        } else {
            Excused::Not
        };
        let life = Life { name: &credential.scopes[0], lines, past, excused };
        wrong.extend(life.revived(&asked));
        wrong.extend(life.refused_without_cause(&asked));
    }
    wrong.extend(past.asked.iter().filter_map(|asked| answered_otherwise(asked, &past.outages)));
    wrong
}

/// No answer but the contract's, and none only from a node that was down.
fn answered_otherwise(asked: &Asked, outages: &[Outage]) -> Option<String> {
    let Asked { what, node, sent, done, .. } = asked;
    let was_down = |outage: &Outage| {
        outage.node == *node && outage.from <= *done && outage.until.is_none_or(|until| *sent <= until)
    };
    match &asked.answer {
        Answer::Wrong(answer) => Some(format!("{what:?} at node {node}, {sent:.2?}: {answer}")),
        Answer::Silent if !outages.iter().any(was_down) => {
            let why = asked.fault.as_deref().unwrap_or_default();
            Some(format!("{what:?} at node {node}, which was up: no answer from {sent:.2?} to {done:.2?}: {why}"))
        }
        _ => None,
    }
}

/// Whether it may have been refused because the node's clock is behind.
fn from_the_future(asked: &Asked, behind: &[(usize, At, At)]) -> bool {
    let meanwhile =
        |(node, from, until): &(usize, At, At)| *node == asked.node && *from <= asked.done && asked.sent < *until;
    asked.answer == Answer::Refused && behind.iter().any(meanwhile)
}

/// Since when a node surely knows of what was acknowledged, or said, by the same node or another one.
fn known_at(node: usize, asked: &Asked) -> At {
    if node == asked.node { asked.done } else { asked.done + BOUND }
}

/// One credential, and what was done on its scopes.
struct Life<'a> {
    name: &'a Scope,
    /// Of each scope the revocations and lifts, in order.
    lines: Vec<&'a [&'a Asked]>,
    past: &'a Past,
    excused: Excused,
}

/// What of it may be refused though nobody revoked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excused {
    Not,
    /// Its session is lost.
    Refresh,
    /// Everybody was signed out.
    Whole,
}

impl Life<'_> {
    /// What was revoked is good again: at the node that acknowledged it or said so before, at another one past the bound.
    fn revived(&self, asked: &[&Asked]) -> Vec<String> {
        let refusals = self.refusals(asked);
        let yes = asked.iter().filter(|asked| asked.answer == Answer::Yes);
        yes.filter_map(|asked| {
            let decided = self.not_decided_before(asked);
            let revoked = self.lines.iter().find_map(|line| revoked(line, asked, decided));
            let (node, since) = revoked.or_else(|| refused(&refusals, asked, decided))?;
            Some(format!(
                "{} was dead at node {node} from {since:.2?}; node {} says it is good, asked ({:?}) at {decided:.2?}",
                self.name, asked.node, asked.what
            ))
        })
        .collect()
    }

    /// A credential that nobody has begun to revoke is refused, or one whose revocation was lifted.
    fn refused_without_cause(&self, asked: &[&Asked]) -> Vec<String> {
        let refused = asked.iter().filter(|asked| asked.answer == Answer::Refused);
        let refused = refused.filter(|asked| match self.excused {
            Excused::Not => true,
            Excused::Refresh => asked.what != What::Refresh,
            Excused::Whole => false,
        });
        let free = refused.filter(|asked| self.lines.iter().all(|line| self.is_free(line, asked)));
        free.map(|asked| {
            let lifted = self.lines.iter().flat_map(|line| line.iter()).any(|act| act.what == What::Lift);
            format!(
                "{} is refused by node {} at {:.2?} ({:?}), and nothing covers it{}",
                self.name,
                asked.node,
                asked.done,
                asked.what,
                if lifted { ": it was lifted" } else { "" }
            )
        })
        .collect()
    }

    /// Whether nothing on this scope can be the reason of a refusal.
    fn is_free(&self, line: &[&Asked], refused: &Asked) -> bool {
        // One whose outcome is unknown may come about at any later time.
        let (mut free, mut unknown) = (true, false);
        for act in line.iter().take_while(|act| act.sent <= refused.done) {
            match (act.what, &act.answer) {
                (What::Lift, Answer::Yes) => {
                    let holds = !unknown && !self.is_in_doubt(act);
                    free |= holds && known_at(refused.node, act) < refused.sent;
                }
                (What::Lift, _) => {}
                (_, answer) => {
                    free = false;
                    unknown |= *answer != Answer::Yes;
                }
            }
        }
        free
    }

    /// A lift that the store lost before every node had read it: whoever knows only the cut-off makes that again. In doubt,
    /// revoked.
    fn is_in_doubt(&self, lift: &Asked) -> bool {
        self.past.entries_lost.iter().any(|lost| lift.done + BOUND > *lost && lift.sent < *lost + BOUND)
    }

    /// When the credential was refused, by the moment from which somebody tried to lift a cut-off that this was about.
    fn refusals(&self, asked: &[&Asked]) -> BTreeMap<At, BTreeMap<usize, At>> {
        let lifts = || self.lines.iter().flat_map(|line| line.iter()).filter(|act| act.what == What::Lift);
        let mut refusals: BTreeMap<At, BTreeMap<usize, At>> = BTreeMap::new();
        for refused in asked.iter().filter(|asked| asked.answer == Answer::Refused) {
            // A lift that the node knew of surely was of something else.
            let knew = |lift: &Asked| lift.answer == Answer::Yes && known_at(refused.node, lift) < refused.sent;
            let until = lifts().filter(|lift| !knew(lift)).map(|lift| lift.sent).min().unwrap_or(At::MAX);
            let first = refusals.entry(until).or_default().entry(refused.node).or_insert(refused.done);
            *first = refused.done.min(*first);
        }
        refusals
    }

    /// A node that stands still decides after it goes on, whenever it was asked.
    fn not_decided_before(&self, asked: &Asked) -> At {
        let still = self
            .past
            .outages
            .iter()
            .filter(|outage| outage.node == asked.node && outage.still.is_some_and(|still| still < asked.sent));
        still.filter_map(|outage| outage.moved_on).fold(asked.sent, At::max)
    }
}

/// Where and since when a revocation stands that whoever said yes must have known, unless somebody tried to lift it.
fn revoked(line: &[&Asked], yes: &Asked, decided: At) -> Option<(usize, At)> {
    let mut standing = None;
    for act in line.iter().take_while(|act| act.sent <= yes.done) {
        match (act.what, &act.answer) {
            (What::Lift, _) => standing = None,
            (_, Answer::Yes) if known_at(yes.node, act) < decided => standing = Some((act.node, act.done)),
            _ => {}
        }
    }
    standing
}

/// Where and since when it was refused, so that whoever said yes must have known.
fn refused(refusals: &BTreeMap<At, BTreeMap<usize, At>>, yes: &Asked, decided: At) -> Option<(usize, At)> {
    let standing = refusals.iter().filter(|(until, _)| **until > yes.done).flat_map(|(_, first)| first);
    let mut known = standing.filter(|(node, since)| {
        let known = if **node == yes.node { **since } else { **since + BOUND };
        known < decided
    });
    known.next().map(|(node, since)| (*node, *since))
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}
