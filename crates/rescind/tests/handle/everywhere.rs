//! The wait for a revocation to be everywhere: who is waited for, for how long, and what is said in the end.

use std::sync::Arc;

use crate::support::{House, eventually, ms, shared_store};
use rescind::log::Scope;
use rescind::store::{Fault, Gate, MemoryStore, Operation, RecordKind, Store, StoreErrorKind, Which};
use rescind::testing::ManualClock;
use rescind::time::Clock;
use rescind::{Error, Everywhere, NodeState, Reached, Rejection, Settings};

/// A bound of 400 ms: nodes write every 100 ms of real time.
async fn node(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>, name: &str, seed: u64) -> House {
    let settings = Settings { staleness_bound: ms(400), ..Settings::default() };
    House::node(store, clock, seed, |builder| builder.node(name).settings(settings)).await
}

fn home() -> (Arc<MemoryStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (shared_store(&clock), clock)
}

/// Lets time pass in steps of 50 ms, after each of which the nodes in the store say that they live.
async fn pass(names: &[&str], store: &MemoryStore, clock: &ManualClock, steps: u32) {
    for _ in 0..steps {
        clock.advance(ms(50));
        let now = clock.wall().as_millis();
        eventually("all say that they live", || async {
            let records = store.records(RecordKind::NODES, None, 10).await.expect("the store answers");
            let lives = |name: &&str| {
                let record = records.iter().find(|(id, _)| id == name).map(|(_, record)| &record.body);
                let said = record.and_then(|body| serde_json::from_slice::<serde_json::Value>(body).ok());
                said.is_some_and(|said| said.get("at").and_then(serde_json::Value::as_u64) == Some(now))
            };
            names.iter().all(lives)
        })
        .await;
    }
}

const APPLIED: Reached = Reached { laggards: Vec::new(), everywhere: Everywhere::Applied };

// holds: R33
#[tokio::test]
async fn it_is_everywhere_when_every_live_node_refuses() {
    let (store, clock) = home();
    let (a, b) = (node(&store, &clock, "a", 2).await, node(&store, &clock, "b", 3).await);
    for _ in 0..20 {
        let pair = a.login("alice").await;
        let entry = a.revoke(Scope::session(pair.session_id)).await;
        assert_eq!(a.rescind.everywhere(entry.seq).await, APPLIED);
        assert!(matches!(b.check(&pair.access_token).await, Err(Error::Rejected(Rejection::Revoked(_)))));
    }
}

#[tokio::test]
async fn a_node_that_lives_and_lags_is_waited_for_up_to_its_bound_and_named() {
    let (store, clock) = home();
    let (a, b) = (node(&store, &clock, "a", 2).await, node(&store, &clock, "b", 3).await);
    let pair = a.login("alice").await;
    let gate = Gate::new();
    b.store.inject(Operation::After, Which::Every, Fault::HangBefore(gate.clone()));
    gate.reached().await;
    let entry = a.revoke(Scope::All).await;
    let waiting = {
        let rescind = a.rescind.clone();
        tokio::spawn(async move { rescind.everywhere(entry.seq).await })
    };
    pass(&["a", "b"], &store, &clock, 7).await;
    assert!(!waiting.is_finished(), "the bound has not passed");
    pass(&["a", "b"], &store, &clock, 3).await;
    let reached = waiting.await.expect("the wait ends");
    assert_eq!(reached, Reached { laggards: vec!["b".to_owned()], everywhere: Everywhere::Bounded });
    let answer = b.check(&pair.access_token).await;
    assert!(matches!(answer, Err(Error::Stale { .. })), "the laggard refuses by itself: {answer:?}");
    gate.release();
    b.store.clear();
}

#[tokio::test]
async fn who_left_is_not_waited_for_and_who_died_no_longer_than_its_bound() {
    let (store, clock) = home();
    let (a, b, c) =
        (node(&store, &clock, "a", 2).await, node(&store, &clock, "b", 3).await, node(&store, &clock, "c", 4).await);
    b.rescind.shutdown().await;
    let entry = a.revoke(Scope::All).await;
    assert_eq!(a.rescind.everywhere(entry.seq).await, APPLIED);
    drop(c);
    let entry = a.revoke(Scope::All).await;
    let waiting = {
        let rescind = a.rescind.clone();
        tokio::spawn(async move { rescind.everywhere(entry.seq).await })
    };
    pass(&["a"], &store, &clock, 4).await;
    assert!(!waiting.is_finished(), "nobody knows yet that it is dead");
    pass(&["a"], &store, &clock, 6).await;
    let reached = waiting.await.expect("the wait ends");
    assert_eq!(reached, Reached { laggards: vec!["c".to_owned()], everywhere: Everywhere::Bounded });
    let seen = a.rescind.nodes().await.expect("the store answers");
    assert_eq!(seen.iter().find(|node| node.id == "c").map(|node| node.state), Some(NodeState::Silent));
    let entry = a.revoke(Scope::All).await;
    assert_eq!(a.rescind.everywhere(entry.seq).await, APPLIED, "from then on it is waited for no more");
}

#[tokio::test]
async fn where_the_store_cannot_be_asked_the_bound_is_waited_for_and_nothing_is_claimed() {
    let (store, clock) = home();
    let (a, _b) = (node(&store, &clock, "a", 2).await, node(&store, &clock, "b", 3).await);
    let entry = a.revoke(Scope::All).await;
    a.store.inject(Operation::Records, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    let waiting = {
        let rescind = a.rescind.clone();
        tokio::spawn(async move { rescind.everywhere(entry.seq).await })
    };
    let calls = a.store.calls(Operation::Records);
    eventually("it has asked in vain", || async { a.store.calls(Operation::Records) > calls + 1 }).await;
    assert!(!waiting.is_finished());
    clock.advance(ms(401));
    let reached = waiting.await.expect("the wait ends");
    assert_eq!(reached.everywhere, Everywhere::Bounded);
}

#[tokio::test]
async fn a_hundred_who_wait_share_each_look() {
    let (store, clock) = home();
    let (a, _b) = (node(&store, &clock, "a", 2).await, node(&store, &clock, "b", 3).await);
    let entry = a.revoke(Scope::All).await;
    let before = a.store.calls(Operation::Records);
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let rescind = a.rescind.clone();
            tokio::spawn(async move { rescind.everywhere(entry.seq).await })
        })
        .collect();
    for one in waiting {
        assert_eq!(one.await.expect("the wait ends"), APPLIED);
    }
    assert!(a.store.calls(Operation::Records) - before <= 20);
}

#[tokio::test]
async fn one_node_alone_waits_for_nobody() {
    let house = House::new().await;
    let entry = house.revoke(Scope::All).await;
    assert_eq!(house.rescind.everywhere(entry.seq).await, APPLIED);
}
