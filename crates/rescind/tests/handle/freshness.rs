//! What is answered while the store is away, slow or back, and when clocks step. A fault is never a rejection.

use std::sync::Arc;
use std::time::Duration;

use crate::support::cluster::{Cluster, pass};
use crate::support::{House, eventually, ms, opening, refused, revocation, secs, text};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{FailingStore, Fault, Gate, Operation, Store, StoreErrorKind, Which};
use rescind::testing::{ManualClock, subject};
use rescind::time::{Clock, Timestamp};
use rescind::{Error, Introspection, LogoutScope, OnStale, Policy, Rejection, Settings, TokenPair};

/// A house whose store has been away for so long, a live pair, and one that was revoked before.
async fn away(span: Duration, change: impl FnOnce(&mut Settings)) -> (House, TokenPair, TokenPair) {
    let house = House::set(change).await;
    let (live, dead) = (house.login("alice").await, house.login("alice").await);
    house.revoke(Scope::session(dead.session_id)).await;
    house.rescind.sync().await.unwrap();
    house.store.down();
    house.clock.advance(span);
    (house, live, dead)
}

// holds: 131
#[tokio::test]
async fn within_the_bound_checks_go_on_and_behind_it_nothing_is_said() {
    let (house, live, dead) = away(secs(2), |_| {}).await;
    assert!(house.check(&live.access_token).await.is_ok());
    assert_eq!(refused(house.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
    house.clock.advance(ms(1));
    for pair in [&live, &dead] {
        let stale = house.check(&pair.access_token).await;
        assert!(matches!(stale, Err(Error::Stale { retry_after }) if retry_after == secs(2)), "{stale:?}");
    }
    assert_eq!(
        refused(house.check("junk").await),
        Rejection::WrongPartCount,
        "what is no token is known without a view"
    );
    assert!(!house.rescind.readiness().ready);
    assert_eq!(house.rescind.stats().counts.check_stale, 2);
}

// holds: 34, R22
#[tokio::test]
async fn behind_the_bound_no_token_is_called_bad_whatever_state_its_session_is_in() {
    let (house, live, _) = away(secs(3), |_| {}).await;
    for policy in [Policy::Bounded(OnStale::Refuse), Policy::Bounded(OnStale::Ask), Policy::Strict] {
        let answer = house.rescind.check_as(&live.access_token, policy).await;
        assert!(matches!(answer, Err(Error::Stale { .. })), "{policy:?}: {answer:?}");
    }
}

// holds: R30
#[tokio::test]
async fn allowed_staleness_serves_marks_and_still_refuses_what_is_known() {
    let (house, live, dead) = away(secs(60), |settings| settings.on_stale = OnStale::AllowFor(secs(60))).await;
    assert_eq!(house.check(&live.access_token).await.unwrap().staleness(), Some(secs(60)));
    assert_eq!(refused(house.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
    assert_eq!(house.rescind.stats().counts.check_allowed_stale, 1);
    house.clock.advance(ms(1));
    assert!(matches!(house.check(&live.access_token).await, Err(Error::Stale { .. })));
}

// holds: 131, R22
#[tokio::test]
async fn while_the_store_is_away_nothing_that_writes_is_answered_and_no_token_is_spent() {
    for span in [secs(0), secs(60)] {
        let (house, live, _) = away(span, |_| {}).await;
        assert!(matches!(house.refresh(&live.refresh_token).await, Err(Error::Store(_))));
        assert!(matches!(house.rescind.open_session(opening("bob")).await, Err(Error::Store(_))));
        let revoked = house.rescind.revoke(revocation(Scope::Subject(subject("alice")))).await;
        assert!(matches!(revoked, Err(Error::Store(_))));
        let logout = house.rescind.logout(&live.access_token, LogoutScope::All, text("alice")).await;
        assert!(matches!(logout, Err(Error::Store(_) | Error::Stale { .. })));
        assert!(matches!(house.rescind.introspect(&live.refresh_token).await, Err(Error::Store(_))));
        assert!(house.rescind.inspect(&live.refresh_token).await.fault.is_some());
        house.store.up();
        let refreshed = house.refreshed(&live.refresh_token).await;
        house.rescind.sync().await.unwrap();
        assert_eq!(house.lives(&refreshed).await, (true, true));
    }
}

// holds: R34
#[tokio::test]
async fn a_store_that_is_back_with_its_history_is_gone_on_with() {
    let (house, live, dead) = away(secs(60), |_| {}).await;
    assert!(matches!(house.check(&live.access_token).await, Err(Error::Stale { .. })));
    house.store.up();
    // Within the poll alone: nobody has to ask.
    eventually("checks resume", || async { house.check(&live.access_token).await.is_ok() }).await;
    assert_eq!(refused(house.check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));
    eventually("it is ready", || async { house.rescind.readiness().ready }).await;
    assert_eq!(house.rescind.stats().healed, 0);
}

#[tokio::test]
async fn what_was_revoked_elsewhere_during_an_outage_is_known_before_anything_is_answered() {
    let house = House::new().await;
    let other = House::over(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| builder).await;
    let pair = house.login("alice").await;
    // The feed of both is cut; the log is not.
    house.store.inject(Operation::After, Which::Every, Fault::Refuse(rescind::store::StoreErrorKind::Unavailable));
    eventually("a round failed", || async { house.rescind.stats().failed_rounds > 0 }).await;
    house.clock.advance(secs(3));
    assert!(matches!(other.rescind.revoke(revocation(Scope::All)).await, Err(Error::Store(_))));
    house.store.append(vec![rescind::testing::cut_off(Scope::All)]).await.unwrap();
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
    house.store.clear();
    house.rescind.sync().await.unwrap();
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::All));
}

// holds: R30
#[tokio::test]
async fn asking_answers_as_soon_as_the_store_does() {
    let house = House::set(|settings| settings.on_stale = OnStale::Ask).await;
    let pair = house.login("alice").await;
    house.clock.advance(secs(3));
    let live = house.check(&pair.access_token).await.unwrap();
    assert_eq!(live.staleness(), None);
}

#[tokio::test]
async fn strict_sees_what_another_node_has_revoked_a_moment_ago() {
    let house = House::new().await;
    let other = House::over(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| builder).await;
    for _ in 0..20 {
        let pair = house.login("alice").await;
        assert!(house.rescind.check_as(&pair.access_token, Policy::Strict).await.is_ok());
        other.revoke(Scope::session(pair.session_id)).await;
        let strict = house.rescind.check_as(&pair.access_token, Policy::Strict).await;
        assert_eq!(refused(strict), Rejection::Revoked(ScopeKind::Session));
    }
}

#[tokio::test]
async fn many_strict_checks_share_their_reads() {
    let house = Arc::new(House::new().await);
    let pair = house.login("alice").await;
    let gate = Gate::new();
    house.store.inject(Operation::After, Which::Nth(1), Fault::HangBefore(gate.clone()));
    gate.reached().await;
    let before = house.store.calls(Operation::After);
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (house, token) = (Arc::clone(&house), pair.access_token.clone());
            tokio::spawn(async move { house.rescind.check_as(&token, Policy::Strict).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    gate.release();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert!(house.store.calls(Operation::After) - before <= 5);
}

fn wall(house: &House) -> Timestamp {
    house.clock.wall()
}

#[tokio::test]
async fn a_clock_step_stops_the_answers_until_the_view_is_loaded_again() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let gate = Gate::new();
    house.store.inject(Operation::Snapshot, Which::Every, Fault::HangBefore(gate.clone()));
    for step in [wall(&house).minus(secs(60)), wall(&house).plus(secs(60))] {
        house.clock.step_wall(step);
        let answer = house.check(&pair.access_token).await;
        assert!(matches!(answer, Err(Error::Stale { .. } | Error::Rejected(Rejection::IssuedInFuture))), "{answer:?}");
    }
    gate.release();
    house.store.clear();
    house.rescind.sync().await.unwrap();
    assert!(house.check(&pair.access_token).await.is_ok());
    assert!(house.rescind.stats().clock_steps >= 1);
}

#[tokio::test]
async fn a_cut_off_that_aged_out_is_back_when_the_clock_steps_back_to_its_tokens_life() {
    let house = House::set(|settings| settings.access_jitter = 0).await;
    let pair = house.login("alice").await;
    let token = house.rescind.verify(&pair.access_token).unwrap().jti();
    house.revoke(Scope::token(token)).await;
    let then = wall(&house);
    // Past every layer: one and a half times a token's life and what clocks may be wrong by, and more.
    for _ in 0..20 {
        house.pass(secs(900)).await;
    }
    assert_eq!(house.rescind.stats().view_entries, 0, "the cut-off was forgotten");
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Expired);
    house.clock.step_wall(then.plus(secs(30)));
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
    house.rescind.sync().await.unwrap();
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Token));
}

#[tokio::test]
async fn what_was_revoked_under_a_wrong_clock_stays_revoked_when_the_clock_is_put_right() {
    for wrong in [
        Timestamp::from_secs(ManualClock::START.as_secs() - 86_400),
        Timestamp::from_secs(ManualClock::START.as_secs() + 86_400),
    ] {
        let house = House::new().await;
        let pair = house.login("alice").await;
        let right = wall(&house);
        house.clock.step_wall(wrong);
        house.rescind.sync().await.unwrap();
        house.revoke(Scope::session(pair.session_id)).await;
        house.clock.step_wall(right);
        house.rescind.sync().await.unwrap();
        assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Session));
        assert_eq!(house.lives(&pair).await, (false, false));
        assert_eq!(house.rescind.stats().clock_steps, 2);
    }
}

#[tokio::test]
async fn small_steps_that_add_up_are_a_step() {
    let house = House::new().await;
    for _ in 0..5 {
        house.clock.step_wall(wall(&house).minus(ms(900)));
        house.rescind.sync().await.unwrap();
    }
    assert!(house.rescind.stats().clock_steps >= 2, "4.5 s in all");
}

#[tokio::test]
async fn a_suspended_machine_wakes_up_stale() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.rescind.sync().await.unwrap();
    house.store.down();
    house.clock.advance(secs(300));
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
}

#[tokio::test]
async fn after_a_shutdown_checks_go_stale() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.rescind.shutdown().await;
    house.clock.advance(secs(3));
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_waited_for_the_key_ring_is_judged_by_the_moment_behind_the_wait() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let link = Arc::new(FailingStore::new(cluster.primary()));
    let b = cluster.over(Arc::clone(&link) as _, 2).build().await.unwrap();
    pass(secs(4)).await;
    // From here on nothing proves to `b` that its store is the one that all write to.
    link.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(ms(900)).await;
    let gate = Gate::new();
    link.inject(Operation::Record, Which::Every, Fault::HangBefore(gate.clone()));
    // The second one was published nowhere before.
    a.rescind.rotate_keys().await.unwrap();
    a.rescind.rotate_keys().await.unwrap();
    let pair = a.login("alice").await;
    let checking = tokio::spawn(async move { b.check(&pair.access_token).await });
    pass(ms(1900)).await;
    assert!(!checking.is_finished());
    gate.release();
    let answer = checking.await.unwrap();
    assert!(matches!(answer, Err(Error::Stale { .. })), "{answer:?}");
}

// Found by the simulation, seed 91521.
#[tokio::test]
async fn a_token_that_expires_while_it_waits_for_the_store_does_not_pass() {
    let lifetime = Settings::default().access_lifetime;
    for policy in [Policy::Strict, Policy::Bounded(OnStale::Ask)] {
        let house = House::new().await;
        let pair = house.login("alice").await;
        let checking = house.rescind.check_as(&pair.access_token, policy);
        assert_eq!(refused(house.while_it_waits(checking, lifetime * 2).await), Rejection::Expired, "{policy:?}");
    }
    let house = House::new().await;
    let pair = house.login("alice").await;
    let about = house.while_it_waits(house.rescind.inspect(&pair.access_token), lifetime * 2).await;
    assert_eq!((about.refused, about.fault), (Some(Rejection::Expired), None));
    let house = House::new().await;
    let pair = house.login("alice").await;
    let asking = house.rescind.introspect(&pair.refresh_token);
    let answer = house.while_it_waits(asking, Settings::default().absolute * 2).await;
    assert!(matches!(answer, Ok(Introspection::Inactive)), "{answer:?}");
}
