//! What an outage may hide: a clock step, another store in the old one's place, a revocation by another node, settings
//! that changed. Nothing revoked comes back, and a store that is down is left in peace.

use std::sync::Arc;

use crate::support::swap::SwapStore;
use crate::support::{House, builder, eventually, new_store, secs};
use rescind::log::Scope;
use rescind::rejection::Rejection;
use rescind::store::Store;
use rescind::testing::{ManualClock, subject};
use rescind::time::Clock;
use rescind::{Error, OnStale, Policy, Settings};

#[tokio::test]
async fn a_clock_step_during_an_outage_does_not_let_an_empty_store_pass_for_the_old_one() {
    let clock = Arc::new(ManualClock::default());
    let first = new_store(&clock, 1);
    let swap = Arc::new(SwapStore::new(Arc::clone(&first)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store: Arc::clone(&first), clock: Arc::clone(&clock) };
    let dead = house.login("alice").await;
    house.revoke(Scope::session(dead.session_id)).await;
    first.down();
    clock.step_wall(clock.wall().plus(secs(2)));
    eventually("some rounds have failed", || async { house.rescind.stats().failed_rounds > 3 }).await;
    assert_eq!(house.rescind.stats().clock_steps, 1, "one step counts once, however many rounds fail");
    swap.replace(new_store(&clock, 3));
    eventually("the store is healed", || async { house.rescind.stats().healed == 1 }).await;
    eventually("checks resume", || async { house.rescind.sync().await.is_ok() }).await;
    assert!(matches!(house.check(&dead.access_token).await, Err(Error::Rejected(_))));
    assert!(matches!(house.refresh(&dead.refresh_token).await, Err(Error::Rejected(_))));
}

#[tokio::test]
async fn keys_renewed_by_healing_are_used_at_once_and_after_a_restart() {
    let clock = Arc::new(ManualClock::default());
    let first = new_store(&clock, 1);
    let swap = Arc::new(SwapStore::new(Arc::clone(&first)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store: first, clock: Arc::clone(&clock) };
    house.revoke(Scope::Subject(subject("x"))).await;
    let before = house.current_kid();
    let second = new_store(&clock, 100);
    swap.replace(Arc::clone(&second));
    eventually("the store is healed", || async { house.rescind.stats().healed == 1 }).await;
    house.rescind.sync().await.unwrap();
    assert_ne!(house.current_kid(), before);
    let pair = house.login("alice").await;
    let rescind = builder(Arc::clone(&swap) as _, &clock, 5).build().await.unwrap();
    let again = House { rescind, store: second, clock };
    again.check(&pair.access_token).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_down_is_asked_no_more_often_because_somebody_waits() {
    let house = House::with(|builder| builder).await;
    let pair = house.login("alice").await;
    house.store.down();
    house.clock.advance(secs(3));
    eventually("a round has failed", || async { house.rescind.stats().failed_rounds > 0 }).await;
    let before = house.rescind.stats().failed_rounds;
    let asked = house.rescind.check_as(&pair.access_token, Policy::Bounded(OnStale::Ask)).await;
    assert!(matches!(asked, Err(Error::Stale { .. })), "{asked:?}");
    let rounds = house.rescind.stats().failed_rounds - before;
    assert!(rounds < 100, "{rounds} rounds within the staleness bound");
}

#[tokio::test]
async fn a_key_revoked_by_another_node_signs_nothing_here_any_more() {
    let clock = Arc::new(ManualClock::default());
    let store = new_store(&clock, 1);
    let one = House::over(Arc::clone(&store), Arc::clone(&clock), |builder| builder).await;
    let rescind = builder(Arc::clone(&store) as _, &clock, 9).build().await.unwrap();
    let two = House { rescind, store, clock };
    let old = two.login("alice").await;
    // It has read the ring as every node does at its start; from now on it hears by the log alone.
    two.rescind.sync().await.unwrap();
    one.revoke(Scope::Key(one.current_kid())).await;
    two.rescind.sync().await.unwrap();
    assert_eq!(two.current_kid(), one.current_kid());
    assert_eq!(two.check(&old.access_token).await.map(drop).unwrap_err().to_string(), "refused: key_revoked");
    let fresh = two.login("alice").await;
    one.check(&fresh.access_token).await.unwrap();
}

#[tokio::test]
async fn a_shorter_session_lifetime_does_not_shorten_what_is_remembered() {
    let clock = Arc::new(ManualClock::default());
    let store = new_store(&clock, 1);
    let house = House::over(Arc::clone(&store), Arc::clone(&clock), |builder| builder).await;
    let revoked_before = house.login("alice").await;
    let revoked_after = house.login("bob").await;
    house.revoke(Scope::Subject(subject("alice"))).await;
    house.rescind.shutdown().await;
    let shorter = Settings { absolute: secs(86_400), idle: secs(3_600), ..Settings::default() };
    let house = House::over(Arc::clone(&store), Arc::clone(&clock), |builder| builder.settings(shorter)).await;
    for name in ["alice", "bob"] {
        house.revoke(Scope::Subject(subject(name))).await;
    }
    // Longer than the new lifetime and every margin, shorter than the old one.
    clock.advance(secs(4 * 86_400));
    house.rescind.sync().await.unwrap();
    store.sweep(clock.wall(), 1_000).await.unwrap();
    for pair in [revoked_before, revoked_after] {
        let verdict = house.refresh(&pair.refresh_token).await.map(|refreshed| refreshed.verdict);
        assert!(matches!(verdict, Err(Error::Rejected(Rejection::Revoked(_)))), "{verdict:?}");
    }
}
