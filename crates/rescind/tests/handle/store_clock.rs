//! A store whose clock is wrong, and a node whose clock is. No good token is refused for a fault of a clock where that can be
//! helped, and nothing revoked comes back by one.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, eventually, opening, payload, refused, revocation, secs, text};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{Appended, Fault, Gate, MemoryStore, Operation, Store, StoreErrorKind, Which};
use rescind::testing::{ManualClock, SeededRandom, cut_off, subject};
use rescind::time::{Clock, Timestamp};
use rescind::{Rejection, Rescind, TokenPair};

const HOUR: Duration = Duration::from_hours(1);

/// A store with a clock of its own, beside the nodes'.
struct Town {
    store: Arc<MemoryStore>,
    theirs: Arc<ManualClock>,
    ours: Arc<ManualClock>,
}

/// Which way a clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Off {
    Ahead,
    Behind,
}

impl Off {
    const BOTH: [Self; 2] = [Self::Ahead, Self::Behind];

    fn by_an_hour(self, time: Timestamp) -> Timestamp {
        match self {
            Self::Ahead => time.plus(HOUR),
            Self::Behind => time.minus(HOUR),
        }
    }
}

impl Town {
    fn new() -> Self {
        let theirs = Arc::new(ManualClock::default());
        let store = MemoryStore::with(Arc::clone(&theirs) as _, &SeededRandom::new(1)).unwrap().shared();
        Self { store: Arc::new(store), theirs, ours: Arc::new(ManualClock::default()) }
    }

    /// The store's clock is off from the start.
    fn off(off: Off) -> Self {
        let town = Self::new();
        town.step_store(off);
        town
    }

    fn step_store(&self, off: Off) {
        self.theirs.step_wall(off.by_an_hour(self.theirs.wall()));
    }

    async fn node(&self, seed: u64) -> House {
        House::node(&self.store, &self.ours, seed, |builder| builder).await
    }

    /// A node whose clock is not the others'.
    async fn stray(&self, clock: &Arc<ManualClock>, seed: u64) -> House {
        House::node(&self.store, clock, seed, |builder| builder).await
    }

    /// Lets time pass everywhere, and a node catch up.
    async fn pass(&self, house: &House, span: Duration) {
        self.theirs.advance(span);
        house.pass(span).await;
        // By the store's word and this node's own write.
        eventually("its view is fresh", || async { house.rescind.readiness().ready }).await;
    }
}

fn iat(pair: &TokenPair) -> u64 {
    payload(&pair.access_token)["iat"].as_u64().unwrap()
}

fn clocks(rescind: &Rescind) -> Option<String> {
    let parts = rescind.readiness().parts.into_iter();
    parts.filter(|(part, _)| *part == "clocks").find_map(|(_, state)| state.ok())
}

/// Signs in, is let in everywhere, refreshes, is revoked everywhere, and signs in again.
async fn lives_a_life(town: &Town, nodes: &[&House], name: &str) {
    let (first, all) = (nodes[0], || nodes.iter());
    let pair = first.login(name).await;
    let spare = first.login(name).await;
    assert_eq!(iat(&pair), town.ours.wall().as_secs());
    let next = nodes[nodes.len() - 1].refreshed(&pair.refresh_token).await;
    let entry = first.revoke(Scope::session(spare.session_id)).await;
    let once = first.rescind.revoke_once(&pair.access_token, text("test"), text("tester")).await.unwrap();
    let last = once.expect("a living token is left to revoke").seq.max(entry.seq);
    for node in all() {
        node.rescind.sync().await.unwrap();
        assert!(node.rescind.stats().applied >= last);
        assert!(node.check(&next.access_token).await.is_ok());
        assert_eq!(refused(node.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Token));
        assert_eq!(refused(node.check(&spare.access_token).await), Rejection::Revoked(ScopeKind::Session));
        assert!(node.refresh(&spare.refresh_token).await.is_err());
    }
    first.revoke(Scope::Subject(subject(name))).await;
    let again = first.login(name).await;
    for node in all() {
        node.rescind.sync().await.unwrap();
        assert_eq!(refused(node.check(&next.access_token).await), Rejection::Revoked(ScopeKind::Subject));
        assert!(node.check(&again.access_token).await.is_ok(), "who signs in again is in");
    }
}

#[tokio::test]
async fn a_store_whose_clock_is_an_hour_off_has_no_good_token_refused_and_no_revoked_one_pass() {
    for off in Off::BOTH {
        let town = Town::off(off);
        let (one, two) = (town.node(1).await, town.node(2).await);
        lives_a_life(&town, &[&one], "alice").await;
        lives_a_life(&town, &[&two, &one], "bob").await;
        let ahead = if off == Off::Ahead { 3_600_000 } else { -3_600_000 };
        eventually("it is told of", || async { one.rescind.stats().store_clock_ahead_ms == ahead }).await;
        assert!(one.rescind.readiness().ready, "it serves");
        let words = clocks(&one.rescind).unwrap();
        assert!(words.contains("3600 s") && words.contains("tokens count from this node's"), "{words}");
        // Once that is known, what a handler asks of the sign-in's age is right, too.
        let pair = one.login("carol").await;
        assert_eq!(payload(&pair.access_token)["auth_time"].as_u64().unwrap(), town.ours.wall().as_secs());
        assert!(one.check(&pair.access_token).await.unwrap().require_fresh(secs(60)).is_ok());
    }
}

#[tokio::test]
async fn a_step_of_the_stores_clock_while_running_changes_nothing_for_users() {
    for off in Off::BOTH {
        let town = Town::new();
        let (one, two) = (town.node(1).await, town.node(2).await);
        let (dead, live) = (one.login("alice").await, one.login("alice").await);
        one.revoke(Scope::session(dead.session_id)).await;
        eventually("the clocks are compared", || async { one.rescind.stats().nodes_live == 2 }).await;
        assert_eq!(clocks(&one.rescind), None);
        town.step_store(off);
        lives_a_life(&town, &[&one, &two], "bob").await;
        for node in [&one, &two] {
            assert_eq!(refused(node.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
            assert!(node.check(&live.access_token).await.is_ok());
        }
        let restarted = town.node(3).await;
        assert_eq!(refused(restarted.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
        assert!(restarted.check(&live.access_token).await.is_ok());
        lives_a_life(&town, &[&restarted, &one, &two], "carol").await;
        // Put right again.
        town.theirs.step_wall(town.ours.wall());
        lives_a_life(&town, &[&two, &one], "dora").await;
        eventually("they agree again", || async { clocks(&one.rescind).is_none() }).await;
        let restarted = town.node(4).await;
        assert_eq!(refused(restarted.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
    }
}

#[tokio::test]
async fn what_was_revoked_by_a_store_that_was_behind_stays_revoked_when_it_is_put_right_and_the_node_starts_again() {
    for off in Off::BOTH {
        let town = Town::off(off);
        let node = town.node(1).await;
        let pair = node.login("alice").await;
        node.revoke(Scope::session(pair.session_id)).await;
        town.theirs.step_wall(town.ours.wall());
        let node = town.node(2).await;
        for _ in 0..7 {
            assert_eq!(refused(node.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Session));
            town.pass(&node, secs(120)).await;
        }
    }
}

#[tokio::test]
async fn a_process_that_slept_between_asking_and_signing_counts_from_before() {
    for off in [None, Some(Off::Behind), Some(Off::Ahead)] {
        let town = off.map_or_else(Town::new, Town::off);
        let node = town.node(1).await;
        let pair = node.login("alice").await;
        let asked = town.ours.wall();
        let gate = Gate::new();
        node.store.inject(Operation::Load, Which::Nth(1), Fault::HangAfter(gate.clone()));
        let (rescind, token) = (node.rescind.clone(), pair.refresh_token.clone());
        let refreshing = tokio::spawn(async move { rescind.refresh(&token, rescind::Refresh::default()).await });
        gate.reached().await;
        town.theirs.advance(secs(30));
        town.ours.advance(secs(30));
        gate.release();
        let late = refreshing.await.unwrap().unwrap().pair;
        assert_eq!(iat(&late), asked.as_secs(), "{off:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_wrong_alone_mints_what_all_others_take() {
    for off in Off::BOTH {
        let town = Town::new();
        let right = town.node(1).await;
        let clock = Arc::new(ManualClock::new(off.by_an_hour(town.ours.wall())));
        let stray = town.stray(&clock, 2).await;
        let pair = stray.login("alice").await;
        assert_eq!(iat(&pair), town.theirs.wall().as_secs());
        right.rescind.sync().await.unwrap();
        assert!(right.check(&pair.access_token).await.is_ok());
        let next = stray.refreshed(&pair.refresh_token).await;
        assert!(right.check(&next.access_token).await.is_ok());
        eventually("it says whose clock is wrong", || async {
            clocks(&stray.rescind).is_some_and(|words| words.contains("tokens count from the store's"))
        })
        .await;
        assert_eq!(clocks(&right.rescind), None);
    }
}

#[tokio::test]
async fn a_node_whose_own_clock_steps_goes_on_counting_from_the_stores() {
    for off in Off::BOTH {
        let town = Town::new();
        let node = town.node(1).await;
        node.login("alice").await;
        eventually("the clocks were compared", || async { node.rescind.stats().nodes_live == 1 }).await;
        // Behind a beat that compared them.
        let beats = node.store.calls(Operation::PutRecord);
        eventually("a beat later", || async { node.store.calls(Operation::PutRecord) > beats + 1 }).await;
        town.ours.step_wall(off.by_an_hour(town.ours.wall()));
        let pair = node.rescind.open_session(opening("alice")).await.unwrap();
        assert_eq!(iat(&pair), town.theirs.wall().as_secs(), "{off:?}");
    }
}

#[tokio::test]
async fn what_a_node_alone_minted_ahead_stays_revoked_when_its_clock_is_put_right_and_it_starts_again() {
    let town = Town::new();
    town.ours.step_wall(Off::Ahead.by_an_hour(town.ours.wall()));
    let wrong = town.node(1).await;
    let (dead, live) = (wrong.login("alice").await, wrong.login("bob").await);
    assert!(wrong.check(&live.access_token).await.is_ok());
    wrong.rescind.revoke(revocation(Scope::session(dead.session_id))).await.unwrap();
    wrong.rescind.shutdown().await;
    let right = Town { ours: Arc::new(ManualClock::new(town.theirs.wall())), ..town };
    let node = right.node(2).await;
    assert_eq!(refused(node.check(&live.access_token).await), Rejection::IssuedInFuture);
    assert!(node.check(&dead.access_token).await.is_err());
    for _ in 0..7 {
        right.pass(&node, secs(10 * 60)).await;
        assert!(node.check(&dead.access_token).await.is_err());
    }
    assert!(node.check(&live.access_token).await.is_ok(), "it is its time");
    assert_eq!(refused(node.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
}

// Found by the simulation, seed 6264: everybody had seemed silent, so the wait was over before anybody knew.
#[tokio::test]
async fn who_has_just_started_waits_for_those_who_only_seem_silent_since_the_clock_stepped() {
    let town = Town::new();
    let old = town.node(3).await;
    let pair = old.login("alice").await;
    for operation in [Operation::After, Operation::PutRecord] {
        old.store.inject(operation, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    }
    town.step_store(Off::Ahead);
    let new = town.node(2).await;
    let entry = new.revoke(Scope::Subject(subject("alice"))).await;
    let waiting = {
        let rescind = new.rescind.clone();
        tokio::spawn(async move { rescind.everywhere(entry.seq).await })
    };
    let looks = new.store.calls(Operation::Records);
    eventually("it has looked twice", || async { new.store.calls(Operation::Records) > looks + 1 }).await;
    assert!(!waiting.is_finished(), "{:?}", new.rescind.nodes().await);
    old.check(&pair.access_token).await.unwrap();
    old.store.clear();
    let rounds = old.store.calls(Operation::After);
    eventually("the store is back", || async { old.store.calls(Operation::After) > rounds + 1 }).await;
    town.ours.advance(Duration::from_millis(500));
    eventually("the wait ends", || async { waiting.is_finished() }).await;
    assert_eq!(refused(old.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Subject));
}

// Found by the simulation, seed 108302: a node that had just written seemed to have been away for an hour.
#[tokio::test]
async fn who_seems_silent_by_a_clock_that_stepped_since_it_was_read_is_waited_for() {
    let town = Town::new();
    let (old, new) = (town.node(3).await, town.node(2).await);
    let right = town.theirs.wall();
    town.step_store(Off::Ahead);
    eventually("it knows of the step", || async { new.rescind.node().last_seen == town.theirs.wall() }).await;
    // Long enough ago for it to be sure.
    let long = Duration::from_secs(3);
    let right = right.plus(long);
    for clock in [&town.theirs, &town.ours] {
        clock.advance(long);
    }
    // From here on the one does not learn what time it is, and the other nothing of the log.
    new.store.inject(Operation::Health, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    old.store.inject(Operation::After, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    town.theirs.step_wall(right);
    let seen_by_new = async || {
        let seen = new.rescind.nodes().await.unwrap();
        seen.into_iter().find(|node| node.id == old.rescind.node().id).unwrap()
    };
    eventually("the other has written by the right clock", || async { seen_by_new().await.last_seen == right }).await;
    let entry = town.store.append(vec![cut_off(Scope::Subject(subject("alice")))]).await.unwrap();
    let Appended::Done(entries) = entry else { panic!("{entry:?}") };
    let (rescind, seq) = (new.rescind.clone(), entries[0].seq);
    let waiting = tokio::spawn(async move { rescind.everywhere(seq).await });
    let looks = new.store.calls(Operation::Records);
    eventually("it has looked twice", || async { new.store.calls(Operation::Records) > looks + 1 }).await;
    assert!(!waiting.is_finished(), "{:?}", seen_by_new().await);
    waiting.abort();
}
