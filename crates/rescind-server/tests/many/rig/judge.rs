//! What the guarantees say of a history. A plain function, tried on histories that break each of them.

use std::collections::HashMap;

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
        if let Some(scope) = &asked.scope {
            on.entry(scope).or_default().push(asked);
        }
    }
    for (number, asked) in about {
        let credential = &past.credentials[number];
        let acts: Vec<&Asked> =
            credential.scopes.iter().flat_map(|scope| on.get(scope).into_iter().flatten()).copied().collect();
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
        let life = Life { name: &credential.scopes[0], acts, outages: &past.outages, excused };
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
            Some(format!("{what:?} at node {node}, which was up: no answer from {sent:.2?} to {done:.2?}"))
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

/// One credential, and what was done on its scopes.
struct Life<'a> {
    name: &'a Scope,
    /// Revocations and lifts.
    acts: Vec<&'a Asked>,
    outages: &'a [Outage],
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
        // What somebody tried to lift may be good again.
        let lifted = self.acts(What::Lift).map(|act| act.sent).min().unwrap_or(At::MAX);
        let acknowledged =
            self.acts(What::Revoke).filter(|act| act.answer == Answer::Yes).map(|act| (act.node, act.done));
        let refused =
            asked.iter().filter(|asked| asked.answer == Answer::Refused).map(|asked| (asked.node, asked.done));
        let dead: Vec<(usize, At)> = acknowledged.chain(refused).collect();
        let yes = asked.iter().filter(|asked| asked.answer == Answer::Yes && asked.done < lifted);
        yes.filter_map(|asked| {
            let decided = self.not_decided_before(asked);
            let (node, since) = dead.iter().find(|(node, since)| {
                let known = if *node == asked.node { *since } else { *since + BOUND };
                known < decided
            })?;
            Some(format!(
                "{} was dead at node {node} from {since:.2?}; node {} says it is good, asked ({:?}) at {decided:.2?}",
                self.name, asked.node, asked.what
            ))
        })
        .collect()
    }

    /// A credential that nobody has begun to revoke is refused.
    fn refused_without_cause(&self, asked: &[&Asked]) -> Vec<String> {
        let revoked = self.acts(What::Revoke).map(|act| act.sent).min().unwrap_or(At::MAX);
        let refused = asked.iter().filter(|asked| asked.answer == Answer::Refused && asked.done < revoked);
        let refused = refused.filter(|asked| match self.excused {
            Excused::Not => true,
            Excused::Refresh => asked.what != What::Refresh,
            Excused::Whole => false,
        });
        refused
            .map(|asked| {
                format!(
                    "{} is refused by node {} at {:.2?} ({:?}), and nothing covers it",
                    self.name, asked.node, asked.done, asked.what
                )
            })
            .collect()
    }

    fn acts(&self, what: What) -> impl Iterator<Item = &&Asked> {
        self.acts.iter().filter(move |act| act.what == what)
    }

    /// A node that stands still decides after it goes on, whenever it was asked.
    fn not_decided_before(&self, asked: &Asked) -> At {
        let still = self
            .outages
            .iter()
            .filter(|outage| outage.node == asked.node && outage.still.is_some_and(|still| still < asked.sent));
        still.filter_map(|outage| outage.moved_on).fold(asked.sent, At::max)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

mod tests {
    use super::super::history::Credential;
    use super::*;

    const SESSION: fn() -> Scope = || Scope::new("session", "s");

    fn at(seconds: f64) -> At {
        At::from_secs_f64(seconds)
    }

    fn asked(what: What, node: usize, sent: f64, answer: Answer) -> Asked {
        let (about, scope) = match what {
            What::Check | What::Refresh => (Some(0), None),
            _ => (None, Some(SESSION())),
        };
        Asked { what, node, sent: at(sent), done: at(sent + 0.1), answer, about, scope }
    }

    fn judged(asked: impl Into<Vec<Asked>>, change: impl FnOnce(&mut Past)) -> Vec<String> {
        let credentials = vec![Credential { scopes: vec![SESSION()], issued: At::ZERO }];
        let mut past = Past { credentials, asked: asked.into(), ..Past::default() };
        change(&mut past);
        judge(&past)
    }

    fn outage(still: bool) -> Outage {
        let (still, moved_on) = if still { (Some(at(1.0)), Some(at(5.0))) } else { (None, None) };
        Outage { node: 1, from: at(1.0), still, moved_on, until: Some(at(5.0)) }
    }

    #[test]
    fn what_a_node_acknowledged_it_may_never_call_good_and_the_others_not_past_the_bound() {
        let revoked = asked(What::Revoke, 0, 1.0, Answer::Yes);
        let then = |node, sent| judged([revoked.clone(), asked(What::Check, node, sent, Answer::Yes)], |_| {});
        assert_eq!(then(0, 0.9), Vec::<String>::new());
        assert_eq!(then(0, 1.2).len(), 1);
        assert_eq!(then(1, 3.0), Vec::<String>::new());
        assert_eq!(then(1, 3.2).len(), 1);
        let unknown = asked(What::Revoke, 0, 1.0, Answer::Unavailable);
        assert_eq!(judged([unknown, asked(What::Check, 0, 9.0, Answer::Yes)], |_| {}), Vec::<String>::new());
    }

    #[test]
    fn after_one_node_refused_it_none_may_call_it_good() {
        let unknown = asked(What::Revoke, 2, 0.5, Answer::Unavailable);
        let refused = asked(What::Check, 0, 1.0, Answer::Refused);
        let then = |node, sent| {
            judged([unknown.clone(), refused.clone(), asked(What::Check, node, sent, Answer::Yes)], |_| {})
        };
        assert_eq!(then(1, 3.0), Vec::<String>::new());
        assert_eq!(then(1, 3.2).len(), 1);
        assert_eq!(then(0, 1.2).len(), 1);
        let lifted = asked(What::Lift, 0, 1.1, Answer::Yes);
        assert_eq!(
            judged([unknown.clone(), refused.clone(), lifted, asked(What::Check, 0, 1.2, Answer::Yes)], |_| {}),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_nobody_revoked_may_not_be_refused_unless_everybody_was_signed_out() {
        for what in [What::Check, What::Refresh] {
            let refused = || [asked(what, 0, 1.0, Answer::Refused), asked(What::Revoke, 0, 1.5, Answer::Yes)];
            assert_eq!(judged(refused(), |_| {}).len(), 1);
            assert_eq!(judged(refused(), |past| past.everyone_out = Some(at(0.5))), Vec::<String>::new());
            assert_eq!(judged(refused(), |past| past.behind.push((0, at(0.9), at(1.2)))), Vec::<String>::new());
            assert_eq!(judged(refused(), |past| past.behind.push((0, at(0.5), at(0.9)))).len(), 1);
            let lost = judged(refused(), |past| past.sessions_lost = Some((At::ZERO, at(0.5))));
            assert_eq!(lost.len(), usize::from(what == What::Check));
        }
    }

    #[test]
    fn a_node_that_stood_still_decides_when_it_goes_on() {
        let revoked = asked(What::Revoke, 0, 1.5, Answer::Yes);
        let first = asked(What::Check, 1, 1.2, Answer::Yes);
        assert_eq!(judged([revoked.clone(), first.clone()], |past| past.outages.push(outage(true))).len(), 1);
        assert_eq!(judged([revoked, first], |past| past.outages.push(outage(false))), Vec::<String>::new());
    }

    #[test]
    fn an_answer_of_another_kind_is_wrong_and_so_is_none_from_a_node_that_is_up() {
        assert_eq!(judged([asked(What::Open, 0, 1.0, Answer::Wrong("500".to_owned()))], |_| {}).len(), 1);
        let silent = asked(What::Check, 1, 4.0, Answer::Silent);
        assert_eq!(judged([silent.clone()], |_| {}).len(), 1);
        assert_eq!(judged([silent], |past| past.outages.push(outage(false))), Vec::<String>::new());
    }
}
