//! The decision table of refresh tokens, row by row through the handle: grace, reuse, ahead, classes, races.

use std::sync::Arc;

use crate::support::{House, ms, refused, secs};
use rescind::log::{Act, Scope, ScopeKind};
use rescind::position::{Generation, Seq};
use rescind::refresh_token::ClientClass;
use rescind::store::{Feed, Operation};
use rescind::{Refresh, Rejection, Verdict};

#[tokio::test]
async fn a_retry_within_grace_gets_the_identical_refresh_token_and_a_new_access_token() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    house.pass(secs(10)).await;
    let retried = house.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(retried.verdict, Verdict::Retried);
    assert_eq!(retried.pair.refresh_token, second.refresh_token);
    assert_ne!(retried.pair.access_token, second.access_token);
    assert!(house.check(&retried.pair.access_token).await.is_ok());
    assert_eq!(house.store.calls(Operation::Advance), 1, "a retry writes nothing");
}

#[tokio::test]
async fn a_millisecond_after_grace_the_session_ends_and_nothing_else_of_the_user() {
    let house = House::new().await;
    let other = house.login("alice").await;
    let bob = house.login("bob").await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    house.pass(secs(10) + ms(1)).await;
    assert_eq!(refused(house.refresh(&first.refresh_token).await), Rejection::Reused);
    assert_eq!(house.lives(&second).await, (false, false));
    assert_eq!(house.lives(&first).await, (false, false));
    assert_eq!(house.lives(&other).await, (true, true));
    assert_eq!(house.lives(&bob).await, (true, true));
    assert_eq!(refused(house.refresh(&second.refresh_token).await), Rejection::Revoked(ScopeKind::Session));
    // Durable before the answer, with its reason.
    let Feed::Batch(log) = house.rescind.log(Seq::ZERO, 10).await.unwrap() else { panic!("the log is whole") };
    assert_eq!(log.entries.len(), 1);
    let entry = &log.entries[0];
    assert_eq!((&entry.scope, entry.act), (&Scope::session(first.session_id), Act::CutOff));
    assert_eq!(entry.reason.as_str(), "refresh_reuse");
    assert_eq!(house.rescind.stats().counts.reused, 1);
}

// holds: R21
#[tokio::test]
async fn the_window_closes_when_the_successor_is_used_and_does_not_slide() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    house.pass(secs(6)).await;
    assert_eq!(house.refresh(&first.refresh_token).await.unwrap().verdict, Verdict::Retried);
    house.pass(secs(6)).await;
    assert_eq!(refused(house.refresh(&first.refresh_token).await), Rejection::Reused, "a retry moved the window");

    let first = house.login("bob").await;
    let second_of_bob = house.refreshed(&first.refresh_token).await;
    house.refreshed(&second_of_bob.refresh_token).await;
    assert_eq!(refused(house.refresh(&first.refresh_token).await), Rejection::Reused);
    assert_eq!(house.lives(&second).await, (false, false));
}

// holds: 10
#[tokio::test]
async fn a_token_of_any_old_generation_is_recognised() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let mut newest = first.clone();
    for _ in 0..50 {
        newest = house.refreshed(&newest.refresh_token).await;
    }
    assert_eq!(refused(house.refresh(&first.refresh_token).await), Rejection::Reused);
    assert_eq!(house.lives(&newest).await, (false, false));
}

#[tokio::test]
async fn classes_differ_in_grace_and_rotation_alone() {
    let house = House::new().await;
    let strict = house.login_as("s", ClientClass::Strict).await;
    house.refreshed(&strict.refresh_token).await;
    assert_eq!(refused(house.refresh(&strict.refresh_token).await), Rejection::Reused);

    let (agent, late) = (house.login_as("a", ClientClass::Agent).await, house.login_as("b", ClientClass::Agent).await);
    house.refreshed(&agent.refresh_token).await;
    house.refreshed(&late.refresh_token).await;
    house.pass(secs(60)).await;
    assert_eq!(house.refresh(&agent.refresh_token).await.unwrap().verdict, Verdict::Retried);
    house.pass(ms(1)).await;
    assert_eq!(refused(house.refresh(&late.refresh_token).await), Rejection::Reused);

    let native = house.login_as("n", ClientClass::Native).await;
    house.refreshed(&native.refresh_token).await;
    house.pass(secs(10)).await;
    assert_eq!(house.refresh(&native.refresh_token).await.unwrap().verdict, Verdict::Retried);
}

#[tokio::test]
async fn a_token_ahead_of_a_store_that_lost_a_rotation_goes_on_and_is_counted() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    let third = house.refreshed(&second.refresh_token).await;
    // The store rolls back: the row stands at generation 0 again.
    let (from, to) = (Generation::new(2), Generation::FIRST);
    let store = house.rescind.store();
    store.advance(first.session_id, from, to).await.unwrap();

    let ahead = house.refresh(&third.refresh_token).await.unwrap();
    assert_eq!((ahead.verdict, house.rescind.stats().counts.ahead), (Verdict::Ahead, 1));
    assert_eq!(house.rescind.session(first.session_id).await.unwrap().unwrap().session.generation, Generation::new(3));
    let fourth = house.refreshed(&ahead.pair.refresh_token).await;
    // A second holder of a lower one is still found.
    assert_eq!(refused(house.refresh(&second.refresh_token).await), Rejection::Reused);
    assert_eq!(house.lives(&fourth).await, (false, false));
}

#[tokio::test]
async fn a_token_ahead_of_a_fixed_class_is_kept() {
    let house = House::new().await;
    let pair = house.login_as("alice", ClientClass::Fixed).await;
    let kept = house.refresh(&pair.refresh_token).await.unwrap();
    assert_eq!((kept.verdict, kept.pair.refresh_token), (Verdict::Kept, pair.refresh_token));
}

/// So many tabs refresh at once; all get one successor, and none of them raises an alarm.
async fn race(house: &Arc<House>, tabs: usize) {
    let pair = house.login("alice").await;
    let tasks: Vec<_> = (0..tabs)
        .map(|_| {
            let (house, token) = (Arc::clone(house), pair.refresh_token.clone());
            tokio::spawn(async move { house.rescind.refresh(&token, Refresh::default()).await.unwrap() })
        })
        .collect();
    let mut successors = std::collections::BTreeSet::new();
    let mut rotated = 0;
    for task in tasks {
        let refreshed = task.await.unwrap();
        rotated += u32::from(refreshed.verdict == Verdict::Rotated);
        successors.insert(refreshed.pair.refresh_token);
    }
    assert_eq!((rotated, successors.len()), (1, 1));
    let row = house.rescind.session(pair.session_id).await.unwrap().unwrap();
    assert_eq!((row.session.generation, row.cut_off), (Generation::new(1), None));
}

// holds: R14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_parallel_refreshes_of_one_token_end_in_one_chain() {
    let house = Arc::new(House::new().await);
    for _ in 0..160 {
        race(&house, 64).await;
    }
    assert_eq!(house.rescind.stats().counts.reused, 0);
}

// holds: R14, R20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_races_of_two_tabs_raise_no_alarm() {
    let house = Arc::new(House::new().await);
    for _ in 0..10_000 {
        race(&house, 2).await;
    }
    assert_eq!(house.rescind.stats().counts.reused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_presentations_of_a_spent_token_all_end_the_session_and_none_gets_tokens() {
    let house = Arc::new(House::new().await);
    let first = house.login("alice").await;
    let newest = house.refreshed(&house.refreshed(&first.refresh_token).await.refresh_token).await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (house, token) = (Arc::clone(&house), first.refresh_token.clone());
            tokio::spawn(async move { refused(house.rescind.refresh(&token, Refresh::default()).await) })
        })
        .collect();
    for task in tasks {
        let rejection = task.await.unwrap();
        assert!(matches!(rejection, Rejection::Reused | Rejection::Revoked(ScopeKind::Session)), "{rejection}");
    }
    assert_eq!(house.lives(&newest).await, (false, false));
}
