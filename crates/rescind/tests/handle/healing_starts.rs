//! A node that starts, or goes on after it stood still, where a store has lost history: it waits for those who know what.

use std::sync::Arc;
use std::time::Duration;

use crate::healing_claim::{claim_by, on_everything};
use crate::support::cluster::{Answer, Cluster, pass};
use crate::support::{ms, secs};
use rescind::log::Scope;
use rescind::position::{Incarnation, Seq};
use rescind::store::{FailingStore, Fault, Gate, MemoryStore, Operation, Store, StoreErrorKind, Which};
use rescind::testing::SeededRandom;

const LONG: Duration = secs(4);

// Found by the simulation, seed 52339.
#[tokio::test(start_paused = true)]
async fn who_starts_just_when_a_store_is_back_waits_until_those_who_know_what_it_lost_are_back_too() {
    for wait in (0..=400).step_by(50) {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(1).await, cluster.node(2).await);
        let dead = a.login("bob").await;
        pass(LONG).await;
        drop(b);
        let replica = cluster.lagging();
        a.revoke(Scope::session(dead.session_id)).await;
        a.cut();
        pass(secs(3) + ms(wait)).await;
        cluster.promote(replica);
        a.mend();
        let b = cluster.node(2).await;
        assert_ne!(b.check(&dead).await, Answer::Valid, "{wait}");
        assert!(b.rescind.refresh(&dead.refresh_token, rescind::Refresh::default()).await.is_err(), "{wait}");
        assert!(!cluster.everything_is_cut_off().await);
    }
}

// Found by the simulation, seed 261.
#[tokio::test(start_paused = true)]
async fn who_stood_still_while_a_store_lost_history_waits_for_those_who_know_it() {
    for wait in (0..=400).step_by(50) {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(1).await, cluster.node(2).await);
        let dead = a.login("bob").await;
        pass(LONG).await;
        let replica = cluster.lagging();
        let still = Gate::new();
        for operation in Operation::EVERY {
            b.fail(*operation, Fault::HangBefore(still.clone()));
        }
        still.reached().await;
        a.revoke(Scope::session(dead.session_id)).await;
        a.cut();
        pass(secs(3) + ms(wait)).await;
        cluster.promote(replica);
        a.mend();
        b.mend();
        still.release();
        let refreshed = b.rescind.refresh(&dead.refresh_token, rescind::Refresh::default()).await;
        assert!(refreshed.is_err(), "{wait}: {:?}", refreshed.map(|refreshed| refreshed.verdict));
        pass(secs(1)).await;
        assert_eq!([a.check(&dead).await, b.check(&dead).await], [Answer::Refused; 2], "{wait}");
        assert!(!cluster.everything_is_cut_off().await);
    }
}

/// A node that died, and its store, of which nothing is left but a new history that another node, dead as well, has claimed.
async fn claimed_and_left() -> (Cluster, rescind::TokenPair, Arc<FailingStore<MemoryStore>>) {
    let cluster = Cluster::new();
    let node = cluster.node(1).await;
    let early = node.login("alice").await;
    node.revoke_subject("somebody").await;
    pass(LONG).await;
    drop(node);
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    let promoted = cluster.promote(Arc::new(empty));
    let lost = promoted.health().await.unwrap().incarnation;
    assert!(promoted.reincarnate(lost, Incarnation::from_bytes([9; 16]), Seq::new(1 << 33)).await.unwrap());
    claim_by(&cluster, "node-2", 0).await;
    (cluster, early, promoted)
}

/// The store is away for so long, while a starting node waits for a claim.
async fn away_for(span: Duration, store: &FailingStore<MemoryStore>) {
    pass(secs(3)).await;
    for operation in Operation::EVERY {
        store.inject(*operation, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    }
    pass(span).await;
    store.clear();
}

// Found by the simulation, seed 50019: where one answer in fifty is lost, no start came to the end of its wait.
#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_a_claim_outlives_answers_that_are_lost() {
    let (cluster, early, promoted) = claimed_and_left().await;
    let (node, ()) = tokio::join!(cluster.try_node(1), away_for(ms(500), &promoted));
    assert_eq!((node.unwrap().check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_a_claim_ends_where_the_store_stays_away() {
    let (cluster, _, promoted) = claimed_and_left().await;
    let (node, ()) = tokio::join!(cluster.try_node(1), away_for(secs(3), &promoted));
    let error = node.err().unwrap();
    assert!(matches!(error, rescind::BuildError::Store(_)), "{error}");
}
