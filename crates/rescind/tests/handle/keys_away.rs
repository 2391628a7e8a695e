//! A node that was away while the signing keys were rotated: what it signs when it is back passes until it expires. And one
//! that has not heard of a key's end.

use std::sync::Arc;

use crate::support::cluster::{Answer, Cluster, pass};
use crate::support::{ms, opening, revocation, secs};
use rescind::log::Scope;
use rescind::store::{FailingStore, Fault, Gate, MemoryStore, Operation, StoreErrorKind};
use rescind::{Refresh, Rescind, Settings};

/// A node, and its link to the store.
async fn node(cluster: &Cluster, seed: u64) -> (Rescind, Arc<FailingStore<MemoryStore>>) {
    let link = Arc::new(FailingStore::new(cluster.primary()));
    let life = secs(10);
    let settings = Settings { access_lifetime: life, max_access_lifetime: life, skew: secs(1), ..Settings::default() };
    (cluster.over(Arc::clone(&link) as _, seed).settings(settings).build().await.unwrap(), link)
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_during_a_rotation_signs_by_the_new_key_as_soon_as_it_is_back() {
    let cluster = Cluster::new();
    let ((a, _), (b, link)) = (node(&cluster, 1).await, node(&cluster, 2).await);
    let pair = b.open_session(opening("alice")).await.unwrap();
    // Nothing is let go before the clocks were steady for as long as a token lives.
    pass(secs(20)).await;
    link.down();
    a.rotate_keys().await.unwrap();
    pass(secs(9)).await;
    link.up();
    let mut refreshed = b.refresh(&pair.refresh_token, Refresh::default()).await;
    while refreshed.is_err() {
        pass(ms(20)).await;
        refreshed = b.refresh(&pair.refresh_token, Refresh::default()).await;
    }
    let token = refreshed.unwrap().pair.access_token;
    // The key of before is let go by now, and the token has not expired.
    pass(secs(8)).await;
    a.check(&token).await.unwrap();
    b.check(&token).await.unwrap();
}

// Found by the simulation, seed 51926.
#[tokio::test(start_paused = true)]
async fn a_key_that_left_the_ring_by_a_revocation_that_got_no_further_passes_nowhere_behind_the_bound() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let pair = a.login("alice").await;
    pass(secs(4)).await;
    let key = a.rescind.check(&pair.access_token).await.unwrap().key_id().clone();
    a.fail(Operation::Append, Fault::Refuse(StoreErrorKind::Unavailable));
    a.rescind.revoke(revocation(Scope::Key(key))).await.unwrap_err();
    assert_eq!(a.check(&pair).await, Answer::Refused, "it has left the ring");
    pass(secs(2)).await;
    assert_eq!(b.check(&pair).await, Answer::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_left_the_ring_while_a_node_was_away_passes_there_no_more_when_it_is_back() {
    for wait in (0..1000).step_by(100) {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(1).await, cluster.node(2).await);
        let pair = a.login("alice").await;
        pass(secs(4)).await;
        let key = a.rescind.check(&pair.access_token).await.unwrap().key_id().clone();
        b.cut();
        a.fail(Operation::Append, Fault::Refuse(StoreErrorKind::Unavailable));
        a.rescind.revoke(revocation(Scope::Key(key))).await.unwrap_err();
        pass(secs(3) + ms(wait)).await;
        b.mend();
        while b.check(&pair).await == Answer::Nothing {
            pass(ms(10)).await;
        }
        assert_eq!(b.check(&pair).await, Answer::Refused, "{wait}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_on_the_key_ring_once_is_followed_again() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let pair = a.login("alice").await;
    pass(secs(4)).await;
    a.cut();
    pass(secs(3)).await;
    let hung = Gate::new();
    a.mend();
    a.fail(Operation::Record, Fault::HangBefore(hung.clone()));
    hung.reached().await;
    pass(secs(3)).await;
    a.mend();
    assert_eq!(a.check(&pair).await, Answer::Nothing, "it hangs");
    pass(secs(65)).await;
    assert_eq!(a.check(&pair).await, Answer::Valid);
}
