//! The load: workers that open sessions, refresh, revoke and check, until they are told to stop. Each asks one node, so
//! that a node that hangs stops nobody else's; what they ask about they share. Bounded: some hundred requests in a second.
//! What comes back is noted, not judged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rescind_test_kit::until;
use rescind_torture::{Answer, At, BOUND, Client, What, next, rest, scattered};

use super::pool::{Due, Pool, Token};
use super::{ALL, Nodes, Report, Round};

/// The load opens sessions until so many can be used.
const SESSIONS: usize = 80;
/// And one more at one turn in so many.
const OPENS: usize = 8;
/// One subject in so many gets a second session.
const SECOND_SESSIONS: usize = 3;
/// One revocation in so many is lifted, some time later, and one turn in so many lifts.
const LIFTS: usize = 2;

const WRITES: [What; 3] = [What::Open, What::Refresh, What::Revoke];

/// A running load.
pub(crate) struct Load {
    pub(super) client: Client,
    pub(super) pool: Arc<Mutex<Pool>>,
    seed: u64,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

/// One of its workers.
struct Worker {
    client: Client,
    pool: Arc<Mutex<Pool>>,
    stop: Arc<AtomicBool>,
    node: usize,
    luck: u64,
    opened: usize,
}

impl Load {
    /// Begins; returns when every kind of request was answered well.
    pub(crate) fn begin(nodes: &Nodes) -> Self {
        let client = Client::of(&nodes.all, &nodes.history).unwrap();
        let (pool, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut load = Self { client, pool, seed: nodes.seed, stop, workers: Vec::new() };
        for node in 0..nodes.all.len() {
            load.spawn(node, Worker::hold_sessions, 30);
            load.spawn(node, Worker::revoke, 60);
            load.spawn(node, Worker::check, 8);
        }
        load.goes_on_for(10);
        let history = &load.client.history;
        until("something is lifted", || history.count(What::Lift, &Answer::Yes, At::ZERO) >= 3).unwrap();
        load
    }

    fn spawn(&mut self, node: usize, work: fn(&mut Worker), pace_ms: u64) {
        let luck = scattered(self.seed.wrapping_add(self.workers.len() as u64));
        let (client, pool, stop) = (self.client.clone(), Arc::clone(&self.pool), Arc::clone(&self.stop));
        let mut worker = Worker { client, pool, stop, node, luck, opened: 0 };
        self.workers.push(thread::spawn(move || {
            while !worker.stop.load(Ordering::Relaxed) {
                work(&mut worker);
                rest(Duration::from_millis(pace_ms));
            }
        }));
    }

    /// Waits until so many more revocations were acknowledged, and each other kind of request was done.
    pub(crate) fn goes_on_for(&self, revocations: usize) {
        let (history, since) = (&self.client.history, self.client.history.now());
        let done = |what, least| history.count(what, &Answer::Yes, since) >= least;
        until(format!("{revocations} more revocations and everything else were done"), || {
            done(What::Revoke, revocations) && done(What::Refresh, 3) && done(What::Check, 20) && done(What::Open, 1)
        })
        .unwrap();
    }

    /// Waits until some moment within a second: the round's seed says which.
    pub(crate) fn goes_on_until_some_moment(&self, round: &Round) {
        self.goes_on_until(self.client.history.now() + round.within(Duration::from_secs(1)));
    }

    /// Waits until every node has answered each kind of request well that was sent at or after `since`; gives when the
    /// last one of them had.
    pub(crate) fn is_served_by_every_node(&self, since: At) -> At {
        self.is_served_by(&(0..self.client.nodes()).collect::<Vec<_>>(), since)
    }

    /// The same of some nodes.
    pub(crate) fn is_served_by(&self, nodes: &[usize], since: At) -> At {
        let history = &self.client.history;
        let mut last = At::ZERO;
        until(format!("nodes {nodes:?} serve again"), || {
            let kinds = [What::Check, What::Refresh, What::Open, What::Revoke];
            let all = nodes.iter().flat_map(|node| kinds.map(|what| history.first(what, &Answer::Yes, *node, since)));
            let all: Option<Vec<At>> = all.collect();
            last = all.iter().flatten().copied().max().unwrap_or_default();
            all.is_some()
        })
        .unwrap();
        last
    }

    /// Waits until each kind of write was asked for at or after `since`, and could not be done.
    pub(crate) fn is_refused_writes(&self, since: At) {
        let history = &self.client.history;
        until("each kind of write was asked for", || {
            WRITES.iter().all(|what| history.count(*what, &Answer::Unavailable, since) > 0)
        })
        .unwrap();
    }

    /// Waits until nothing was answered with 503 for the span of the bound.
    pub(crate) fn is_served_whole(&self) {
        let history = &self.client.history;
        let since = history.now();
        until("everything is served", || {
            let recent = history.now().saturating_sub(BOUND);
            recent > since && WRITES.iter().all(|what| history.count(*what, &Answer::Unavailable, recent) == 0)
        })
        .unwrap();
    }

    /// Waits until the history has come to a moment.
    pub(crate) fn goes_on_until(&self, moment: At) {
        let history = &self.client.history;
        until("the moment has come", || history.now() >= moment).unwrap();
    }

    /// What was lately revoked.
    pub(crate) fn lately(&self) -> Vec<Token> {
        self.pool.lock().unwrap().lately()
    }

    /// Asks a node, beside the workers, who may be stuck.
    pub(crate) fn ask(&self, node: usize, tokens: &[Token]) -> Vec<Answer> {
        tokens.iter().map(|token| self.client.check(node, &token.text, token.credential)).collect()
    }

    /// Stops, asks every node about everything that is known, and judges.
    pub(crate) fn end(self, nodes: &Nodes) -> Report {
        self.end_at(nodes, &ALL)
    }

    /// The same, where only some nodes are left.
    pub(crate) fn end_at(self, nodes: &Nodes, left: &[usize]) -> Report {
        let (client, pool) = self.stop();
        super::audit::audit(&client, &pool, left);
        Report::of(&nodes.history)
    }

    /// Stops and judges, where no node is left that could be asked.
    pub(crate) fn end_without_nodes(self) -> Report {
        let (client, _) = self.stop();
        Report::of(&client.history)
    }

    fn stop(self) -> (Client, Pool) {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.join().unwrap();
        }
        (self.client, Arc::try_unwrap(self.pool).unwrap().into_inner().unwrap())
    }
}

impl Worker {
    fn hold_sessions(&mut self) {
        let live = self.pool().live();
        if live < SESSIONS || self.draw().is_multiple_of(OPENS) {
            self.open();
        }
        let Some((number, token, credential)) = ({
            let luck = self.draw();
            self.pool().take_to_refresh(luck)
        }) else {
            return;
        };
        let answer = self.client.refresh(self.node, &token, credential);
        self.pool().refreshed(number, answer, &self.client.history);
    }

    /// All sessions of a subject are there before anybody can begin to revoke it.
    fn open(&mut self) {
        self.opened += 1;
        let subject = format!("user-{}-{}", self.node, self.opened);
        let sessions = if self.opened.is_multiple_of(SECOND_SESSIONS) { 2 } else { 1 };
        let pairs: Vec<_> = (0..sessions).filter_map(|_| self.client.open(self.node, &subject).1).collect();
        for pair in pairs {
            self.pool().add(&subject, pair, &self.client.history);
        }
    }

    /// Revokes something, or lifts what some node has revoked.
    fn revoke(&mut self) {
        let luck = self.draw();
        if luck.is_multiple_of(LIFTS)
            && let Some(due) = { self.pool().take_to_lift(luck / LIFTS) }
        {
            return self.lift(due);
        }
        let luck = self.draw();
        if let Some(scope) = { self.pool().take_again(luck) } {
            // Its earlier try may come about at any time, so it is not lifted.
            if self.client.revoke(self.node, &scope).0 != Answer::Yes {
                self.pool().again.push(scope);
            }
            return;
        }
        let Some(scope) = ({ self.pool().take_to_revoke(luck / 2) }) else { return };
        match self.client.revoke(self.node, &scope) {
            (Answer::Yes, Some(seq)) if self.draw().is_multiple_of(LIFTS) => self.pool().due.push(Due { scope, seq }),
            (Answer::Yes, _) => {}
            _ => self.pool().again.push(scope),
        }
    }

    fn lift(&mut self, due: Due) {
        match self.client.lift(self.node, &due.scope, due.seq) {
            Answer::Yes => self.pool().lifted(&due.scope),
            Answer::Refused => {}
            _ => self.pool().due.push(due),
        }
    }

    fn check(&mut self) {
        let luck = self.draw();
        let Some(Token { text, credential, .. }) = ({ self.pool().to_check(luck) }) else { return };
        self.client.check(self.node, &text, credential);
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap()
    }

    fn draw(&mut self) -> usize {
        let (state, drawn) = next(self.luck);
        self.luck = state;
        usize::try_from(drawn).unwrap()
    }
}
