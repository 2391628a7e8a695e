//! A node that has no store and follows the log of others, while their store loses history: it says nothing until they have
//! healed it, and believes nobody whom it knew to be revoked.

use std::sync::Arc;

use crate::support::cluster::{Answer, Cluster, answer, pass};
use crate::support::swap::SwapStore;
use crate::support::{ms, secs};
use async_trait::async_trait;
use rescind::log::Scope;
use rescind::store::{FailingStore, MemoryStore, Operation, Store};
use rescind::testing::SeededRandom;
use rescind::{BoxError, FetchKeys, Rescind};

/// The keys that a node publishes.
struct Published(Rescind);

#[async_trait]
impl FetchKeys for Published {
    async fn fetch(&self) -> Result<String, BoxError> {
        Ok(self.0.jwks().to_string())
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_store_waits_until_that_is_healed_and_forgets_nothing_that_it_knew() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    let behind = ms(300);
    let upstream = || Arc::new(FailingStore::new(cluster.primary()));
    let copy = Arc::new(SwapStore::behind(upstream(), behind));
    let follower = cluster.over(Arc::clone(&copy) as _, 9).build().await.unwrap();
    let check = async |pair: &rescind::TokenPair| answer(&follower, pair).await;
    pass(ms(500)).await;
    assert_eq!(check(&live).await, Answer::Valid);
    assert!(follower.stats().staleness.unwrap() >= behind, "ages add up");
    // It follows, and then the store above goes back.
    let replica = cluster.lagging();
    a.revoke(Scope::session(dead.session_id)).await;
    pass(ms(500)).await;
    assert_eq!(check(&dead).await, Answer::Refused);
    let above = Arc::new(FailingStore::new(Arc::clone(&replica)));
    copy.replace(Arc::clone(&above));
    pass(secs(1)).await;
    assert_eq!(above.calls(Operation::Snapshot), 0, "it is not fetched before it can help");
    assert_eq!((check(&live).await, check(&dead).await), (Answer::Nothing, Answer::Nothing));
    assert_eq!(replica.health().await.unwrap().seq.get(), 0, "nothing is written to it");
    // Healed without anybody who knew of the revocation.
    let lost = replica.health().await.unwrap().incarnation;
    let (new, base) = (rescind::position::Incarnation::from_bytes([9; 16]), rescind::position::Seq::new(1 << 33));
    assert!(replica.reincarnate(lost, new, base).await.unwrap());
    pass(secs(3)).await;
    assert_eq!((check(&live).await, check(&dead).await), (Answer::Valid, Answer::Refused));
    assert_eq!(follower.stats().healed, 0);
}

#[tokio::test(start_paused = true)]
async fn behind_a_flushed_store_a_follower_says_nothing_until_it_is_healed_and_nobody_comes_back() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    a.revoke(Scope::session(dead.session_id)).await;
    let upstream = || Arc::new(FailingStore::new(cluster.primary()));
    let copy = Arc::new(SwapStore::behind(upstream(), ms(50)));
    let built = cluster.over(Arc::clone(&copy) as _, 9).published_keys(Published(a.rescind.clone())).build().await;
    let follower = built.unwrap();
    pass(secs(4)).await;
    assert_eq!((answer(&follower, &live).await, answer(&follower, &dead).await), (Answer::Valid, Answer::Refused));
    a.cut();
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    cluster.promote(Arc::new(empty));
    let above = upstream();
    copy.replace(Arc::clone(&above));
    for _ in 0..50 {
        pass(ms(100)).await;
        assert_eq!(
            (answer(&follower, &live).await, answer(&follower, &dead).await),
            (Answer::Nothing, Answer::Nothing)
        );
    }
    assert_eq!(cluster.primary().health().await.unwrap().seq.get(), 0, "nothing is written to it");
    assert_eq!(above.calls(Operation::Snapshot), 0, "it is not fetched before it can help");
    a.mend();
    for _ in 0..200 {
        pass(ms(10)).await;
        for pair in [&live, &dead] {
            assert_ne!(answer(&follower, pair).await, Answer::Valid);
        }
    }
    assert_eq!((answer(&follower, &live).await, answer(&follower, &dead).await), (Answer::Refused, Answer::Refused));
    let new = a.login("carol").await;
    pass(secs(1)).await;
    assert_eq!(answer(&follower, &new).await, Answer::Valid, "of a key that was made by the healing");
    assert_eq!(follower.stats().healed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_makes_no_keys_heals_nothing_on_a_store_that_it_reaches_itself() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let dead = a.login("bob").await;
    a.revoke(Scope::session(dead.session_id)).await;
    let connection = Arc::new(SwapStore::new(Arc::new(FailingStore::new(cluster.primary()))));
    let built =
        cluster.over(Arc::clone(&connection) as _, 9).published_keys(Published(a.rescind.clone())).build().await;
    let reader = built.unwrap();
    pass(secs(4)).await;
    assert_eq!(answer(&reader, &dead).await, Answer::Refused);
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    let empty = Arc::new(empty);
    connection.replace(Arc::new(FailingStore::new(Arc::clone(&empty))));
    pass(secs(5)).await;
    assert_eq!(answer(&reader, &dead).await, Answer::Nothing);
    assert_eq!((empty.health().await.unwrap().seq.get(), reader.stats().healed), (0, 0));
}
