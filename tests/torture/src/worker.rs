//! One worker of the load: opens sessions, refreshes, revokes on every scope, logs out, lifts and checks, one request after
//! the other, and asks about all that it knows when the fault is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rescind_test_kit::{Error, Result, until_within};

use crate::asked::{Answer, At, Credential, Scope};
use crate::client::Client;
use crate::history::History;
use crate::holdings::{Holdings, Kept, Session, Token, Use};
use crate::luck::Luck;
use crate::moment::rest;
use crate::nodes::RETRIED;
use crate::witness::Line;

/// A worker opens sessions until so many can be used.
const SESSIONS: usize = 6;
/// And one more at one turn in so many.
const OPENS: usize = 5;
/// One revocation by its position in so many is lifted.
const LIFTS: usize = 5;
/// So many cut-offs of a worker wait for their lift, so that a fault comes between the two.
const WAITING: usize = 2;
/// One revocation by an operator in so many waits for every node.
const WAITED_FOR: usize = 4;
/// One client in so many sessions.
const OF_A_CLIENT: usize = 8;
/// Where a write cannot be done, so many checks come before the next: what a node says meanwhile matters most.
const ASKS: usize = 8;
/// Where a node does not answer, it is not asked again at once.
const PAUSE: Duration = Duration::from_millis(10);
/// A question after the fault is answered well within this time.
const ANSWERED: Duration = Duration::from_secs(20);

/// What the workers and whoever steers them know of each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    /// Acknowledged revocations.
    pub(crate) acknowledged: AtomicUsize,
    /// Writes that were answered with 503.
    pub(crate) unavailable: AtomicUsize,
    /// How often everybody was signed out.
    pub(crate) signed_out: AtomicUsize,
    /// Spent refresh tokens are left alone: the store is about to lose that they were.
    pub(crate) never_again: AtomicBool,
    /// Acknowledged lifts.
    pub(crate) lifted: AtomicUsize,
    /// Acknowledged revocations that waited for every node.
    pub(crate) everywhere: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Worker {
    client: Client,
    pub(crate) holdings: Holdings,
    number: usize,
    luck: Luck,
    opened: usize,
    signed_out: usize,
    /// So many turns it only asks.
    asks_next: usize,
}

impl Worker {
    pub(crate) fn new(client: &Client, number: usize, seed: u64) -> Self {
        let (client, luck) = (client.keeping(), Luck::part(seed, number as u64));
        Self { client, holdings: Holdings::default(), number, luck, opened: 0, signed_out: 0, asks_next: 0 }
    }

    /// Works until it is told to stop, as this cycle's chance has it.
    pub(crate) fn work(&mut self, shared: &Arc<Shared>, seed: u64) {
        self.luck = Luck::part(seed, self.number as u64);
        while !shared.stop.load(Ordering::Relaxed) {
            let out = shared.signed_out.load(Ordering::Relaxed);
            if out != self.signed_out {
                self.signed_out = out;
                self.holdings.everybody_is_out();
            }
            match self.turn(shared) {
                Answer::Yes | Answer::Refused | Answer::Wrong(_) => {}
                Answer::Unavailable | Answer::Silent => {
                    self.asks_next = ASKS;
                    rest(PAUSE);
                }
            }
        }
    }

    fn turn(&mut self, shared: &Shared) -> Answer {
        let node = self.node();
        if let Some(left) = self.asks_next.checked_sub(1) {
            self.asks_next = left;
            let answer = self.check(node);
            // One that is not answered does not put off the next write.
            if matches!(answer, Answer::Unavailable | Answer::Silent) {
                rest(PAUSE);
            }
            return Answer::Yes;
        }
        if self.holdings.live() < SESSIONS || self.luck.once_in(OPENS) {
            let answer = self.open(node);
            if answer != Answer::Yes {
                return answer;
            }
        }
        let answer = match self.luck.below(20) {
            0..9 => self.revoke(node, shared),
            9..12 => self.refresh(node),
            12..14 => self.lift(node, shared),
            _ => return self.check(node),
        };
        if answer == Answer::Unavailable {
            shared.unavailable.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Mostly the same one.
    fn node(&mut self) -> usize {
        let nodes = self.client.nodes();
        if self.luck.once_in(3) { self.luck.below(nodes) } else { self.number % nodes.max(1) }
    }

    /// All sessions of a subject are there before anybody can begin to revoke it.
    fn open(&mut self, node: usize) -> Answer {
        self.opened += 1;
        let subject = format!("user-{}-{}", self.number, self.opened);
        let client = format!("app-{}-{}", self.number, self.opened / OF_A_CLIENT);
        let sessions = if self.luck.once_in(3) { 2 } else { 1 };
        let mut last = Answer::Yes;
        for _ in 0..sessions {
            let asked = self.client.history.now();
            let (answer, pair) = self.client.open_for(node, &subject, &client);
            let opened = (asked, self.client.history.now());
            if let Some(pair) = pair {
                self.holdings.add(&subject, &client, opened, pair, &self.client.history);
            }
            last = answer;
        }
        last
    }

    fn refresh(&mut self, node: usize) -> Answer {
        let unsure = self.holdings.any(&mut self.luck, |session| session.at == Use::Unsure);
        let number = unsure.or_else(|| self.holdings.any(&mut self.luck, |session| session.at == Use::Free));
        let Some(session) = number.and_then(|number| self.holdings.sessions.get_mut(number)) else {
            return Answer::Yes;
        };
        rotate(&self.client, node, session)
    }

    fn check(&mut self, node: usize) -> Answer {
        let Some(token) = self.holdings.to_check(&mut self.luck) else { return Answer::Yes };
        self.client.check(node, &token.text, token.credential)
    }

    fn lift(&mut self, node: usize, shared: &Shared) -> Answer {
        if self.holdings.due.len() <= WAITING {
            return Answer::Yes;
        }
        let (scope, seq) = self.holdings.due.swap_remove(self.luck.below(self.holdings.due.len()));
        let answer = self.client.lift(node, &scope, seq);
        match answer {
            Answer::Yes => {
                shared.lifted.fetch_add(1, Ordering::Relaxed);
                self.holdings.lifted(&scope);
            }
            // It is not sure what came of it, and it is not tried again: so it stays with the judge.
            _ => self.forget(&scope),
        }
        answer
    }

    /// What is under this is used no more.
    fn forget(&mut self, scope: &Scope) {
        for session in &mut self.holdings.sessions {
            if session.at == Use::EndedBy(scope.clone()) {
                session.at = Use::Over;
            }
        }
    }

    /// Revokes something, in one of all the ways, or what was not acknowledged before.
    fn revoke(&mut self, node: usize, shared: &Shared) -> Answer {
        let (scope, answer) = match self.holdings.again.pop() {
            // Its earlier try may come about at any time, so it is not lifted.
            Some(scope) => {
                let answer = self.client.revoke(node, &scope).0;
                (scope, answer)
            }
            None => match self.revoke_anew(node, shared) {
                Some(done) => done,
                None => return Answer::Yes,
            },
        };
        if answer == Answer::Yes {
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        } else {
            self.holdings.again.push(scope);
        }
        answer
    }

    fn revoke_anew(&mut self, node: usize, shared: &Shared) -> Option<(Scope, Answer)> {
        let number = self.holdings.any(&mut self.luck, |session| session.at == Use::Free)?;
        let session = self.holdings.sessions.get(number)?.clone();
        let token = session.tokens.last()?.clone();
        let way = self.luck.below(32);
        let scope = match way {
            0..10 => token.scope.clone(),
            10..12 => session.client().clone(),
            12..20 => session.subject.clone(),
            _ => session.id.clone(),
        };
        if !self.holdings.take(&scope) {
            return None;
        }
        let answer = match way {
            // By the access token.
            17..22 => self.client.log_out(node, &token.text, token.credential, &scope),
            // By the refresh token.
            22..25 => self.client.end(node, &session.refresh, &scope),
            // By one that was spent two rotations ago.
            25..28 if session.spent.len() >= 2 && !shared.never_again.load(Ordering::Relaxed) => {
                let spent = session.spent.get(session.spent.len() - 2)?;
                self.client.use_again(node, spent, &scope)
            }
            _ => {
                let waits = self.luck.once_in(WAITED_FOR);
                let revoke = if waits { Client::revoke_everywhere } else { Client::revoke };
                let (answer, seq) = revoke(&self.client, node, &scope);
                if waits && answer == Answer::Yes {
                    shared.everywhere.fetch_add(1, Ordering::Relaxed);
                }
                if let Some(seq) = seq
                    && self.luck.once_in(LIFTS)
                {
                    self.holdings.due.push((scope.clone(), seq));
                }
                answer
            }
        };
        Some((scope, answer))
    }

    /// Asks these nodes about every token that it holds, and some of those that are over; refreshes what can be refreshed.
    /// Gives how many questions were answered.
    pub(crate) fn ask_about_all(&mut self, nodes: &[usize], earlier: usize) -> Result<usize> {
        let mut answered = 0;
        for number in 0..self.holdings.sessions.len() {
            let Some(session) = self.holdings.sessions.get_mut(number) else { break };
            for token in &session.tokens {
                for node in nodes {
                    settled(&self.client, *node, token)?;
                    answered += 1;
                }
            }
            let node = nodes.get(number % nodes.len().max(1)).copied().unwrap_or_default();
            let client = &self.client;
            let mut last = Answer::Silent;
            waited(&self.client, node, || {
                last = rotate(client, node, session);
                last == Answer::Yes || last == Answer::Refused
            })?;
            answered += 1;
        }
        for _ in 0..earlier.min(self.holdings.over.len()) {
            let kept = self.luck.any(&self.holdings.over).cloned();
            let node = self.luck.any(nodes).copied().unwrap_or_default();
            if let Some(Kept::Access(token)) = kept {
                settled(&self.client, node, &token)?;
                answered += 1;
            }
        }
        self.holdings.put_away();
        Ok(answered)
    }

    /// Asks a node about everything that there ever was; gives how much that was, and what the witness has as revoked and
    /// is called good.
    pub(crate) fn audit(&mut self, nodes: &[usize], witnessed: &Witnessed) -> Result<(usize, Vec<String>)> {
        self.ask_about_all(nodes, 0)?;
        let sessions = std::mem::take(&mut self.holdings.sessions);
        self.holdings.over.extend(sessions.into_iter().flat_map(|session| session.tokens).map(Kept::Access));
        let mut wrong = Vec::new();
        for kept in &self.holdings.over {
            let node = self.luck.any(nodes).copied().unwrap_or_default();
            let (answer, credential) = match kept {
                Kept::Access(token) => (settled(&self.client, node, token)?, token.credential),
                Kept::Refresh { text, credential } => {
                    let mut last = Answer::Silent;
                    waited(&self.client, node, || {
                        last = self.client.refresh(node, text, *credential).0;
                        matches!(last, Answer::Yes | Answer::Refused)
                    })?;
                    (last, *credential)
                }
            };
            if answer == Answer::Yes
                && let Some(scope) = revoked(&self.client.history, credential, witnessed)
            {
                wrong.push(format!("the witness has {scope} as revoked, and node {node} says it is good"));
            }
        }
        Ok((self.holdings.over.len(), wrong))
    }
}

/// The last line of each scope, and when that was noted.
type Witnessed = HashMap<Scope, (Line, At)>;

/// What ends a credential by the witness's word. Who revoked it had opened it, or opened it later.
fn revoked(history: &History, credential: usize, witnessed: &Witnessed) -> Option<Scope> {
    let past = history.past();
    let Credential { scopes, opened, .. } = past.credentials.get(credential)?;
    let ends = |scope: &&Scope| {
        let line = witnessed.get(scope).filter(|_| !matches!(scope.kind, "all" | "key"));
        line.is_some_and(|(line, at)| *line == Line::Revoked && opened.0 < *at)
    };
    scopes.iter().find(ends).cloned()
}

/// Refreshes a session, and keeps what came of it. Where an earlier reply was lost too long ago, that would be the second
/// use of a spent token: then it is not asked for, and not used any more.
fn rotate(client: &Client, node: usize, session: &mut Session) -> Answer {
    let usable = matches!(session.at, Use::Free | Use::Unsure);
    let sent = client.history.now();
    if session.unsure.is_some_and(|since| sent.saturating_sub(since) > RETRIED) {
        if usable {
            session.at = Use::Over;
        }
        return Answer::Refused;
    }
    let (answer, pair) = client.refresh(node, &session.refresh, session.credential);
    session.unsure = match answer {
        Answer::Unavailable | Answer::Silent => session.unsure.or(Some(sent)),
        Answer::Yes | Answer::Refused | Answer::Wrong(_) => None,
    };
    match (&answer, pair) {
        (Answer::Yes, Some(pair)) => {
            session.refreshed(pair, &client.history);
            if usable {
                session.at = Use::Free;
            }
        }
        (Answer::Refused, _) if usable => session.at = Use::Over,
        (Answer::Unavailable | Answer::Silent, _) if usable => session.at = Use::Unsure,
        _ => {}
    }
    answer
}

/// Asks about a token until it is answered.
fn settled(client: &Client, node: usize, token: &Token) -> Result<Answer> {
    let mut last = Answer::Silent;
    waited(client, node, || {
        last = client.check(node, &token.text, token.credential);
        matches!(last, Answer::Yes | Answer::Refused)
    })?;
    Ok(last)
}

fn waited(client: &Client, node: usize, look: impl FnMut() -> bool) -> Result<()> {
    until_within(ANSWERED, format!("node {node} answers, the fault being over"), look).map_err(|error| {
        let why = client.history.last_fault(node).unwrap_or_default();
        Error::Failed(format!("{error} {why}"))
    })
}
