//! What happened, in the order in which it was noted: who was asked what and when, and what was answered. Decides
//! nothing; `judge` does. What a test asks of it is in `questions`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rescind_test_kit::Result;

use crate::BOUND;
use crate::asked::{Answer, Asked, At, Credential, Outage, Scope, What};
use crate::moment::Stopwatch;
use crate::witness::{Line, Witness};

/// Everything so far.
#[derive(Debug, Default)]
pub struct Past {
    /// Whatever was asked about, by its number.
    pub credentials: Vec<Credential>,
    asked: Vec<Asked>,
    /// Of each credential what was said of it, as numbers in `asked`.
    about: Vec<Vec<usize>>,
    /// Of each scope what was done on it.
    on: HashMap<Scope, Vec<usize>>,
    /// When nodes were down or stood still.
    pub outages: Vec<Outage>,
    /// The phases of the test, each from its moment to the next one's.
    pub phases: Vec<(&'static str, At)>,
    /// What was issued before was refused for everyone, which the log tells of.
    pub everyone_out: Option<At>,
    /// The store lost the sessions that were opened from then to now: they cannot be refreshed.
    pub sessions_lost: Option<(At, At)>,
    /// The store lost acknowledged entries: since when nobody could read them, and when they were gone. What not every node
    /// had read of them may be healed as if it were revoked.
    pub entries_lost: Vec<(At, At)>,
    /// Since when nobody can read the store, which is about to lose something.
    unread_since: Option<At>,
    /// Spans in which a node's clock is wrong: what it refuses may be from its future, or long over by its clock, and
    /// neither says anything of revocations.
    pub wrong_clocks: Vec<(usize, At, At)>,
    /// Spans in which the only node's clock was ahead: what it issued is not good yet when the clock is right again.
    pub from_ahead: Vec<(At, At)>,
}

impl Past {
    /// Adds a request.
    pub fn note(&mut self, asked: Asked) {
        let number = self.asked.len();
        if let Some(credential) = asked.about {
            if self.about.len() <= credential {
                self.about.resize_with(credential + 1, Vec::new);
            }
            if let Some(about) = self.about.get_mut(credential) {
                about.push(number);
            }
        }
        if let Some(scope) = &asked.scope {
            self.on.entry(scope.clone()).or_default().push(number);
        }
        self.asked.push(asked);
    }

    /// All requests in the order in which they were noted.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// What was said of a credential, each with its number among all.
    pub fn about(&self, credential: usize) -> impl Iterator<Item = (usize, &Asked)> {
        self.numbered(self.about.get(credential).map_or(&[], Vec::as_slice))
    }

    /// What was done on a scope.
    pub fn on(&self, scope: &Scope) -> impl Iterator<Item = &Asked> {
        self.numbered(self.on.get(scope).map_or(&[], Vec::as_slice)).map(|(_, asked)| asked)
    }

    fn numbered<'a>(&'a self, numbers: &'a [usize]) -> impl Iterator<Item = (usize, &'a Asked)> {
        numbers.iter().filter_map(|number| Some((*number, self.asked.get(*number)?)))
    }
}

/// The history of one rig.
#[derive(Debug)]
pub struct History {
    clock: Stopwatch,
    past: Mutex<Past>,
    /// How often a node went down or came up.
    turns: AtomicUsize,
    /// Knows what was acknowledged, outside of everything that is tried.
    pub witness: Witness,
}

impl History {
    /// Begins one, with a witness of its own.
    ///
    /// # Errors
    /// Where the witness has nowhere to write.
    pub fn begin() -> Result<Self> {
        let past = Past { phases: vec![("before", At::ZERO)], ..Past::default() };
        Ok(Self {
            clock: Stopwatch::start(),
            past: Mutex::new(past),
            turns: AtomicUsize::new(0),
            witness: Witness::begin()?,
        })
    }

    /// The moment.
    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// From now on it is the next phase; gives its begin.
    pub fn phase(&self, name: &'static str) -> At {
        let mut past = self.past();
        let now = self.now();
        past.phases.push((name, now));
        now
    }

    /// The nodes say that they had to refuse everything that was issued before now.
    pub fn everyone_is_out(&self) {
        let mut past = self.past();
        past.everyone_out = Some(self.now());
    }

    /// The store is about to go away, and to lose something before it is back: what a node has not read of that by now, it
    /// never will.
    pub fn store_goes_away(&self) {
        let mut past = self.past();
        past.unread_since = Some(self.now());
    }

    /// The store is about to lose what was opened since this moment: such a session's access tokens are as good as
    /// before, and it cannot be refreshed.
    pub fn sessions_are_lost_since(&self, since: At) {
        let mut past = self.past();
        // A worker may note late what was answered before.
        let now = self.now();
        past.sessions_lost = Some((since, now + BOUND / 2));
        let unread = past.unread_since.take().unwrap_or(now);
        past.entries_lost.push((unread, now));
    }

    /// A node's clock is put behind the others' now.
    pub fn falls_behind(&self, node: usize) {
        let mut past = self.past();
        past.wrong_clocks.push((node, self.now(), At::MAX));
    }

    /// The clock of the only node is put ahead now.
    pub fn runs_ahead(&self, node: usize) {
        let mut past = self.past();
        let now = self.now();
        past.wrong_clocks.push((node, now, At::MAX));
        past.from_ahead.push((now, At::MAX));
    }

    /// It is right again.
    pub fn catches_up(&self, node: usize) {
        let mut past = self.past();
        let now = self.now();
        let mine = past.wrong_clocks.iter_mut().filter(|(wrong, _, until)| *wrong == node && *until == At::MAX);
        mine.for_each(|(_, _, until)| *until = now);
        // A worker may note late what was answered before.
        past.from_ahead.iter_mut().filter(|(_, to)| *to == At::MAX).for_each(|(_, to)| *to = now + BOUND / 2);
    }

    /// Notes a credential under whose scopes nothing is issued once somebody has begun to revoke them, until a lift of
    /// that is acknowledged; gives its number.
    pub fn issue(&self, scopes: Vec<Scope>) -> usize {
        self.issue_in((At::ZERO, At::ZERO), scopes)
    }

    /// Notes a credential of a session by when that was asked for and opened; gives its number.
    pub fn issue_in(&self, opened: (At, At), scopes: Vec<Scope>) -> usize {
        let mut past = self.past();
        let issued = self.now();
        past.credentials.push(Credential { scopes, issued, opened });
        past.credentials.len() - 1
    }

    /// Notes a request. What was acknowledged goes to the witness first.
    pub fn note(&self, asked: Asked) {
        match (asked.what, &asked.answer, &asked.scope) {
            (What::Revoke | What::RevokeEverywhere, Answer::Yes, Some(scope)) => {
                self.witness.note(Line::Revoked, scope, asked.done);
            }
            (What::Lift, Answer::Yes, Some(scope)) => self.witness.note(Line::Lifted, scope, asked.done),
            _ => {}
        }
        self.past().note(asked);
    }

    /// Whatever comes of it.
    pub fn begins_to_lift(&self, scope: &Scope) {
        self.witness.note(Line::Lifting, scope, self.now());
    }

    /// Changes whenever a node goes down or comes up: a connection of before is of no use.
    pub fn turn(&self) -> usize {
        self.turns.load(Ordering::Relaxed)
    }

    /// Why the last request to this node has no answer.
    pub fn last_fault(&self, node: usize) -> Option<String> {
        self.past().asked.iter().rfind(|asked| asked.node == node)?.fault.clone()
    }

    /// What ends a credential.
    pub fn scopes_of(&self, credential: usize) -> Vec<Scope> {
        self.past().credentials.get(credential).map(|credential| credential.scopes.clone()).unwrap_or_default()
    }

    /// A node is about to be killed or to stand still: no answer is right from now on.
    pub fn goes_down(&self, node: usize) {
        let mut past = self.past();
        self.turns.fetch_add(1, Ordering::Relaxed);
        let from = self.now();
        past.outages.push(Outage { node, from, still: None, moved_on: None, until: None });
    }

    /// It stands still: it decides nothing.
    pub fn stands_still(&self, node: usize) {
        let now = self.now();
        self.outage(node, |outage| outage.still = Some(now));
    }

    /// It is about to be let go on.
    pub fn moves_on(&self, node: usize) {
        let now = self.now();
        self.outage(node, |outage| outage.moved_on = Some(now));
    }

    /// It listens again.
    pub fn comes_up(&self, node: usize) {
        self.turns.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        self.outage(node, |outage| outage.until = Some(now));
    }

    fn outage(&self, node: usize, change: impl FnOnce(&mut Outage)) {
        let mut past = self.past();
        if let Some(outage) = past.outages.iter_mut().rfind(|outage| outage.node == node && outage.until.is_none()) {
            change(outage);
        }
    }

    /// Everything so far.
    pub fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
