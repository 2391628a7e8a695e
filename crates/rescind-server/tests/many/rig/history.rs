//! What happened, in the order in which it was noted: who was asked what and when, and what was answered. Decides
//! nothing; `judge` does, when all is over.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::moment::Stopwatch;
use super::witness::{Line, Witness};

/// Since the history's begin.
pub(crate) type At = Duration;

/// What a cut-off stands on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
}

impl Scope {
    pub(super) const KINDS: [&'static str; 3] = ["token", "session", "subject"];

    pub(super) fn new(kind: &'static str, id: &str) -> Self {
        Self { kind, id: id.to_owned() }
    }
}

/// Something that a node can be asked about: an access token, or the right to refresh a session.
#[derive(Debug, Clone)]
pub(super) struct Credential {
    /// A cut-off on any of these ends it. Nothing is issued under a scope that somebody has begun to revoke, until a lift
    /// of that is acknowledged.
    pub(super) scopes: Vec<Scope>,
    pub(super) issued: At,
}

/// What a node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is good, or it was done.
    Yes,
    /// It is bad: 401, or `invalid_grant`.
    Refused,
    /// 503 with `Retry-After`.
    Unavailable,
    /// No answer came.
    Silent,
    /// Anything else, which is never right.
    Wrong(String),
}

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum What {
    /// Of an access token.
    Check,
    Refresh,
    Open,
    Revoke,
    Lift,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) node: usize,
    pub(super) sent: At,
    pub(super) done: At,
    pub(super) answer: Answer,
    /// Why no answer came.
    pub(super) fault: Option<String>,
    /// Of a check or a refresh: about what, as a number in `Past::credentials`.
    pub(super) about: Option<usize>,
    /// Of a revocation or a lift.
    pub(super) scope: Option<Scope>,
}

/// A span in which a node was down or stood still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) node: usize,
    pub(super) from: At,
    /// Since when it surely decided nothing; only of one that stood still.
    pub(super) still: Option<At>,
    /// When it was let go on; only of one that stood still.
    pub(super) moved_on: Option<At>,
    pub(super) until: Option<At>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) credentials: Vec<Credential>,
    pub(super) asked: Vec<Asked>,
    pub(super) outages: Vec<Outage>,
    /// The phases of the test, each from its moment to the next one's.
    pub(super) phases: Vec<(&'static str, At)>,
    /// What was issued before was refused for everyone, which the log tells of.
    pub(super) everyone_out: Option<At>,
    /// The store lost the sessions that were opened from then to now: they cannot be refreshed.
    pub(super) sessions_lost: Option<(At, At)>,
    /// The store lost acknowledged entries: what not every node had read of them may be healed as if it were revoked.
    pub(super) entries_lost: Vec<At>,
    /// Spans in which a node's clock is behind: what it refuses may be from its future, which says nothing of revocations.
    pub(super) behind: Vec<(usize, At, At)>,
}

/// The history of one rig.
#[derive(Debug)]
pub(crate) struct History {
    clock: Stopwatch,
    past: Mutex<Past>,
    pub(super) witness: Witness,
}

impl History {
    pub(super) fn begin() -> Self {
        let past = Past { phases: vec![("before", At::ZERO)], ..Past::default() };
        Self { clock: Stopwatch::start(), past: Mutex::new(past), witness: Witness::new() }
    }

    pub(crate) fn now(&self) -> At {
        self.clock.now()
    }

    /// From now on it is the next phase; gives its begin.
    pub(crate) fn phase(&self, name: &'static str) -> At {
        let mut past = self.past();
        let now = self.now();
        past.phases.push((name, now));
        now
    }

    /// The nodes say that they had to refuse everything that was issued before now.
    pub(crate) fn everyone_is_out(&self) {
        let mut past = self.past();
        past.everyone_out = Some(self.now());
    }

    /// The store is about to lose what was opened since this moment: such a session's access tokens are as good as
    /// before, and it cannot be refreshed.
    pub(crate) fn sessions_are_lost_since(&self, since: At) {
        let mut past = self.past();
        // A worker may note late what was answered before.
        let now = self.now();
        past.sessions_lost = Some((since, now + super::BOUND / 2));
        past.entries_lost.push(now);
    }

    /// A node's clock is put behind the others' now.
    pub(crate) fn falls_behind(&self, node: usize) {
        let mut past = self.past();
        past.behind.push((node, self.now(), At::MAX));
    }

    /// It is right again.
    pub(crate) fn catches_up(&self, node: usize) {
        let mut past = self.past();
        let now = self.now();
        let mine = past.behind.iter_mut().filter(|(behind, _, until)| *behind == node && *until == At::MAX);
        mine.for_each(|(_, _, until)| *until = now);
    }

    /// How many requests of this kind, sent at or after `since`, were answered so.
    pub(crate) fn count(&self, what: What, answer: &Answer, since: At) -> usize {
        self.past()
            .asked
            .iter()
            .filter(|asked| asked.what == what && asked.sent >= since && asked.answer == *answer)
            .count()
    }

    /// When a request of this kind, sent at or after `since`, was first answered so by this node.
    pub(crate) fn first(&self, what: What, answer: &Answer, node: usize, since: At) -> Option<At> {
        let past = self.past();
        let mine = past.asked.iter().filter(|asked| asked.what == what && asked.node == node && asked.sent >= since);
        mine.filter(|asked| asked.answer == *answer).map(|asked| asked.done).min()
    }

    /// How many checks sent to these nodes in this span were answered so.
    pub(crate) fn checks(&self, nodes: &[usize], answer: &Answer, span: Range<At>) -> usize {
        let past = self.past();
        let checks = past.asked.iter().filter(|asked| asked.what == What::Check && span.contains(&asked.sent));
        checks.filter(|asked| nodes.contains(&asked.node) && asked.answer == *answer).count()
    }

    /// Fails where these nodes were held up since a moment by what went on beside them. A machine that is busy may make a
    /// view stale for an instant, not for longer.
    pub(crate) fn assert_undisturbed(&self, nodes: &[usize], since: At) {
        let span = since..At::MAX;
        let served =
            self.checks(nodes, &Answer::Yes, span.clone()) + self.checks(nodes, &Answer::Refused, span.clone());
        let refused = self.checks(nodes, &Answer::Unavailable, span);
        assert!(served > 100 && refused * 20 < served, "{served} were answered and {refused} not");
    }

    /// How long half of the requests of this kind took, of those that were sent in this span and done.
    pub(crate) fn median(&self, what: What, span: Range<At>) -> Duration {
        let past = self.past();
        let done = past.asked.iter().filter(|asked| asked.what == what && span.contains(&asked.sent));
        let mut took: Vec<Duration> = done
            .filter(|asked| asked.answer == Answer::Yes)
            .map(|asked| asked.done.saturating_sub(asked.sent))
            .collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied().unwrap_or(Duration::MAX)
    }

    /// Notes a credential; gives its number.
    pub(super) fn issue(&self, scopes: Vec<Scope>) -> usize {
        let mut past = self.past();
        let issued = self.now();
        past.credentials.push(Credential { scopes, issued });
        past.credentials.len() - 1
    }

    pub(super) fn note(&self, asked: Asked) {
        match (asked.what, &asked.answer, &asked.scope) {
            (What::Revoke, Answer::Yes, Some(scope)) => self.witness.note(Line::Revoked, scope),
            (What::Lift, Answer::Yes, Some(scope)) => self.witness.note(Line::Lifted, scope),
            _ => {}
        }
        self.past().asked.push(asked);
    }

    /// Whatever comes of it.
    pub(super) fn begins_to_lift(&self, scope: &Scope) {
        self.witness.note(Line::Lifting, scope);
    }

    /// Why the last request to this node has no answer.
    pub(super) fn last_fault(&self, node: usize) -> Option<String> {
        self.past().asked.iter().rfind(|asked| asked.node == node)?.fault.clone()
    }

    pub(super) fn scopes_of(&self, credential: usize) -> Vec<Scope> {
        self.past().credentials[credential].scopes.clone()
    }

    pub(super) fn goes_down(&self, node: usize) {
        let mut past = self.past();
        let from = self.now();
        past.outages.push(Outage { node, from, still: None, moved_on: None, until: None });
    }

    pub(super) fn stands_still(&self, node: usize) {
        let now = self.now();
        self.outage(node, |outage| outage.still = Some(now));
    }

    pub(super) fn moves_on(&self, node: usize) {
        let now = self.now();
        self.outage(node, |outage| outage.moved_on = Some(now));
    }

    pub(super) fn comes_up(&self, node: usize) {
        let now = self.now();
        self.outage(node, |outage| outage.until = Some(now));
    }

    fn outage(&self, node: usize, change: impl FnOnce(&mut Outage)) {
        let mut past = self.past();
        change(past.outages.iter_mut().rfind(|outage| outage.node == node && outage.until.is_none()).unwrap());
    }

    pub(super) fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap()
    }
}
