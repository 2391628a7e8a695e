//! Several nodes on one store: who is there, what each says of itself, and the proof that the store takes writes.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, eventually, ms, secs, shared_store};
use rescind::log::Scope;
use rescind::store::{Fault, Gate, MemoryStore, Operation, RecordKind, Store, StoreErrorKind, Which};
use rescind::testing::{ManualClock, SeededRandom};
use rescind::{BuildError, Error, NodeState, Settings};

struct Cluster {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl Cluster {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { store: shared_store(&clock), clock }
    }

    async fn node(&self, name: &str, seed: u64) -> House {
        House::node(&self.store, &self.clock, seed, |builder| builder.node(name)).await
    }
}

/// The nodes as `house` sees them: each one's name and state.
async fn nodes(house: &House) -> Vec<(String, NodeState)> {
    house.rescind.nodes().await.unwrap().into_iter().map(|node| (node.id, node.state)).collect()
}

fn are(seen: &[(String, NodeState)], expected: &[(&str, NodeState)]) -> bool {
    seen.iter().map(|(id, state)| (id.as_str(), *state)).eq(expected.iter().copied())
}

#[tokio::test]
async fn every_node_sees_all_with_version_position_and_history() {
    let cluster = Cluster::new();
    let a = House::node(&cluster.store, &cluster.clock, 2, |it| it.node("a").address("https://a.example")).await;
    let b = cluster.node("b", 3).await;
    let entry = a.revoke(Scope::All).await;
    for house in [&a, &b] {
        eventually("both have applied it, and say so", || async {
            house.rescind.nodes().await.unwrap().iter().all(|node| node.applied == entry.seq)
        })
        .await;
        let seen = house.rescind.nodes().await.unwrap();
        assert_eq!(seen.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        for node in &seen {
            assert_eq!((node.state, node.version.as_str()), (NodeState::Live, env!("CARGO_PKG_VERSION")));
            assert_eq!(node.incarnation, house.rescind.stats().incarnation);
            assert_eq!((node.bound, node.started), (secs(2), ManualClock::START));
            assert!(node.staleness.is_some());
        }
        assert_eq!(seen[0].address.as_deref(), Some("https://a.example"));
        assert_eq!(seen[1].address, None);
    }
}

#[tokio::test]
async fn a_node_that_ended_in_order_has_left_and_one_that_died_falls_silent() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node("a", 2).await, cluster.node("b", 3).await, cluster.node("c", 4).await);
    b.rescind.shutdown().await;
    drop(c);
    let expected = [("a", NodeState::Live), ("b", NodeState::Left), ("c", NodeState::Live)];
    assert!(are(&nodes(&a).await, &expected), "nobody can know yet that c is dead");
    cluster.clock.advance(ms(2001));
    let expected = [("a", NodeState::Live), ("b", NodeState::Left), ("c", NodeState::Silent)];
    eventually("c is silent", || async { are(&nodes(&a).await, &expected) }).await;
    // Started again under its name, it is there again and nobody else is taken for it.
    let _c = cluster.node("c", 5).await;
    let expected = [("a", NodeState::Live), ("b", NodeState::Left), ("c", NodeState::Live)];
    eventually("c is back", || async { are(&nodes(&a).await, &expected) }).await;
}

#[tokio::test]
async fn without_a_name_a_node_is_named_after_its_host_and_differs_from_all_others() {
    let cluster = Cluster::new();
    let a = House::node(&cluster.store, &cluster.clock, 2, |builder| builder).await;
    let _b = House::node(&cluster.store, &cluster.clock, 3, |builder| builder).await;
    assert_eq!(nodes(&a).await.len(), 2);
    for wrong in ["", " a", "a\n", &"n".repeat(129)] {
        let store = Arc::clone(&cluster.store) as Arc<dyn Store>;
        let built = crate::support::builder(store, &cluster.clock, 4).node(wrong).build().await;
        assert!(matches!(built, Err(BuildError::Setting(_))), "{wrong:?}");
    }
}

#[tokio::test]
async fn two_live_nodes_of_one_name_find_each_other_and_both_stay_listed() {
    let cluster = Cluster::new();
    let (a, _b) = (cluster.node("n", 2).await, cluster.node("n", 3).await);
    eventually("both are listed", || async {
        let seen = nodes(&a).await;
        let live: Vec<_> = seen.iter().filter(|(_, state)| *state == NodeState::Live).collect();
        live.len() >= 2 && seen.iter().any(|(id, _)| id.starts_with("n~"))
    })
    .await;
}

// holds: R22
#[tokio::test]
async fn a_node_whose_writes_fail_goes_stale_although_it_reads_and_resumes_with_them() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("a", 2).await, cluster.node("b", 3).await);
    let pair = a.login("alice").await;
    b.rescind.sync().await.unwrap();
    assert!(b.check(&pair.access_token).await.is_ok());
    b.store.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    eventually("it is not ready", || async { !b.rescind.readiness().ready }).await;
    cluster.clock.advance(ms(2001));
    b.rescind.sync().await.unwrap();
    assert!(matches!(b.check(&pair.access_token).await, Err(Error::Stale { .. })), "its reads prove nothing");
    b.store.clear();
    eventually("it answers again", || async { b.check(&pair.access_token).await.is_ok() }).await;
    eventually("it is ready again", || async { b.rescind.readiness().ready }).await;
}

#[tokio::test]
async fn one_write_that_hangs_is_not_waited_for_by_the_next() {
    let cluster = Cluster::new();
    let a = cluster.node("a", 2).await;
    let gate = Gate::new();
    a.store.inject(Operation::PutRecord, Which::Nth(1), Fault::HangBefore(gate.clone()));
    gate.reached().await;
    let calls = a.store.calls(Operation::PutRecord);
    cluster.clock.advance(ms(1500));
    eventually("others go on", || async { a.store.calls(Operation::PutRecord) > calls }).await;
    cluster.clock.advance(ms(1500));
    let seen = |house: &House| house.rescind.node().last_seen;
    eventually("the view is fresh", || async { a.rescind.readiness().ready }).await;
    gate.release();
    let late = seen(&a);
    eventually("and the late one does no harm", || async {
        a.store.calls(Operation::PutRecord) > calls + 3 && nodes(&a).await.len() == 1 && seen(&a) >= late
    })
    .await;
}

#[tokio::test]
async fn another_issuer_is_refused_while_a_node_lives_that_has_it_not() {
    let cluster = Cluster::new();
    let a = cluster.node("a", 2).await;
    let other = || {
        rescind::Rescind::builder("https://other.example", crate::support::AUDIENCE)
            .store(Arc::clone(&cluster.store))
            .clock(Arc::clone(&cluster.clock) as _)
            .random(Arc::new(SeededRandom::new(5)))
            .root_secret(rescind::keys::RootSecret::from_bytes(crate::support::ROOT))
    };
    let Err(error) = other().build().await else { unreachable!("two issuers share a store") };
    assert!(error.to_string().contains("node a shares this store and issues as https://login.example"), "{error}");
    a.rescind.shutdown().await;
    assert!(other().build().await.is_ok(), "an issuer may change when all have ended");
}

#[tokio::test]
async fn a_store_of_one_node_lists_it_and_keeps_no_record() {
    let house = House::with(|builder| builder.node("only")).await;
    house.revoke(Scope::All).await;
    let seen = house.rescind.nodes().await.unwrap();
    assert_eq!((seen.len(), seen[0].id.as_str(), seen[0].state), (1, "only", NodeState::Live));
    assert_eq!(seen[0].applied, house.rescind.stats().applied);
    assert_eq!(house.store.records(RecordKind::NODES, None, 10).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_idle_node_asks_little_of_the_store() {
    let cluster = Cluster::new();
    let a = House::node(&cluster.store, &cluster.clock, 2, |it| it.settings(Settings::default())).await;
    let before: Vec<_> = Operation::EVERY.iter().map(|operation| a.store.calls(*operation)).collect();
    tokio::time::advance(Duration::ZERO).await;
    let minute = tokio::time::timeout(Duration::from_mins(1), std::future::pending::<()>()).await;
    assert!(minute.is_err());
    let mut writes = 0;
    for (operation, before) in Operation::EVERY.iter().zip(before) {
        let calls = a.store.calls(*operation) - before;
        // The clock stands still, so nothing is wanted beside the rhythm.
        let most = match operation {
            Operation::After => 620,
            Operation::Health | Operation::PutRecord => 125,
            Operation::Records => 65,
            // The key ring each second, among them.
            Operation::Record => 100,
            _ => 3,
        };
        assert!(calls <= most, "{operation:?}: {calls} in a minute");
        writes += u64::from(*operation == Operation::PutRecord) * calls;
    }
    assert!(writes >= 100, "and says twice a second that it lives");
}
