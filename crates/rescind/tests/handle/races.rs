//! Revocation beside refresh, login and check, in interleavings that gates in the store hold open: afterwards there
//! is no live descendant.

use std::sync::Arc;

use crate::support::{House, opening, refused, secs, text};
use rescind::log::Scope;
use rescind::store::{Fault, Gate, Operation, StoreErrorKind, Which};
use rescind::testing::{client, subject};
use rescind::{Error, LogoutScope, Refresh, TokenPair, Verdict};

/// Scopes that cover a session's descendants.
fn scopes(pair: &TokenPair) -> [Scope; 4] {
    [Scope::session(pair.session_id), Scope::Subject(subject("alice")), Scope::Client(client("app")), Scope::All]
}

async fn nothing_lives(house: &House, pair: &TokenPair, what: &str) {
    assert_eq!(house.lives(pair).await, (false, false), "{what}");
    refused(house.refresh(&pair.refresh_token).await);
}

// holds: R15
#[tokio::test]
async fn whatever_a_refresh_mints_beside_a_revocation_is_dead() {
    let house = Arc::new(House::new().await);
    for operation in [Operation::Load, Operation::Advance] {
        for after in [false, true] {
            for scope_at in 0..4 {
                let what = format!("{operation:?}, after {after}, scope {scope_at}");
                let first = house.login("alice").await;
                let scope = scopes(&first)[scope_at].clone();
                let gate = Gate::new();
                let fault = if after { Fault::HangAfter(gate.clone()) } else { Fault::HangBefore(gate.clone()) };
                house.store.inject(operation, Which::Nth(1), fault);
                let refresh = {
                    let (house, token) = (Arc::clone(&house), first.refresh_token.clone());
                    tokio::spawn(async move { house.rescind.refresh(&token, Refresh::default()).await })
                };
                gate.reached().await;
                // A session's cut-off loads the row, too; that call is not the one that hangs.
                house.revoke(scope).await;
                gate.release();
                if let Ok(refreshed) = refresh.await.unwrap() {
                    nothing_lives(&house, &refreshed.pair, &what).await;
                }
                nothing_lives(&house, &first, &what).await;
                house.store.clear();
            }
        }
    }
}

#[tokio::test]
async fn a_logout_that_hangs_in_its_append_kills_what_was_minted_meanwhile() {
    for scope in [LogoutScope::Session, LogoutScope::All] {
        let house = Arc::new(House::new().await);
        let first = house.login("alice").await;
        let gate = Gate::new();
        house.store.inject(Operation::Append, Which::Nth(1), Fault::HangBefore(gate.clone()));
        let logout = {
            let (house, token) = (Arc::clone(&house), first.access_token.clone());
            tokio::spawn(async move { house.rescind.logout(&token, scope, text("alice")).await })
        };
        gate.reached().await;
        let second = house.refreshed(&first.refresh_token).await;
        let third = house.refreshed(&second.refresh_token).await;
        assert_eq!(house.lives(&third).await, (true, true), "not acknowledged, so nothing is promised");
        gate.release();
        logout.await.unwrap().unwrap();
        for pair in [&first, &second, &third] {
            nothing_lives(&house, pair, "after the logout").await;
        }
    }
}

// holds: R16
#[tokio::test]
async fn a_login_whose_row_is_written_before_the_cut_off_dies_and_one_after_it_lives() {
    let house = Arc::new(House::new().await);
    for after in [false, true] {
        let gate = Gate::new();
        let fault = if after { Fault::HangAfter(gate.clone()) } else { Fault::HangBefore(gate.clone()) };
        house.store.inject(Operation::Open, Which::Nth(1), fault);
        let login = {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.rescind.open_session(opening("alice")).await.unwrap() })
        };
        gate.reached().await;
        house.revoke(Scope::Subject(subject("alice"))).await;
        gate.release();
        let pair = login.await.unwrap();
        assert_eq!(house.lives(&pair).await, (!after, !after), "row written before the cut-off: {after}");
    }
}

// holds: R15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_in_parallel_with_a_revocation_leave_no_live_descendant() {
    let house = Arc::new(House::new().await);
    for round in 0..100 {
        let pair = house.login("alice").await;
        let chains: Vec<_> = (0..4)
            .map(|_| {
                let (house, mut token) = (Arc::clone(&house), pair.refresh_token.clone());
                tokio::spawn(async move {
                    let mut minted = Vec::new();
                    for _ in 0..8 {
                        let Ok(next) = house.rescind.refresh(&token, Refresh::default()).await else { break };
                        token.clone_from(&next.pair.refresh_token);
                        minted.push(next.pair);
                    }
                    minted
                })
            })
            .collect();
        let scope = scopes(&pair)[round % 4].clone();
        house.revoke(scope).await;
        for chain in chains {
            for minted in chain.await.unwrap() {
                assert_eq!(house.lives(&minted).await, (false, false), "round {round}");
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_refresh_goes_on_to_its_end_and_its_retry_gets_the_successor() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let gate = Gate::new();
    house.store.inject(Operation::Advance, Which::Nth(1), Fault::HangBefore(gate.clone()));
    {
        let refresh = house.refresh(&first.refresh_token);
        tokio::select! {
            _ = refresh => panic!("the store hangs"),
            () = gate.reached() => {}
        }
    }
    gate.release();
    crate::support::eventually("the rotation is done", || async { house.rescind.stats().counts.rotated == 1 }).await;
    let retried = house.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(retried.verdict, Verdict::Retried);
}

#[tokio::test]
async fn a_dropped_revocation_goes_on_to_its_end() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let gate = Gate::new();
    house.store.inject(Operation::Append, Which::Nth(1), Fault::HangBefore(gate.clone()));
    tokio::select! {
        _ = house.rescind.revoke(crate::support::revocation(Scope::All)) => panic!("the store hangs"),
        () = gate.reached() => {}
    }
    gate.release();
    crate::support::eventually("the session is dead", || async { house.lives(&pair).await == (false, false) }).await;
}

// holds: R20
#[tokio::test]
async fn a_rotation_whose_reply_was_lost_is_settled_by_the_retry() {
    let house = House::new().await;
    let first = house.login("alice").await;
    house.store.inject(Operation::Advance, Which::Nth(1), Fault::LoseReply);
    let lost = house.refresh(&first.refresh_token).await;
    assert!(matches!(&lost, Err(Error::Store(error)) if error.kind() == StoreErrorKind::Unavailable));
    house.pass(secs(10)).await;
    let retried = house.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(retried.verdict, Verdict::Retried);
    let again = house.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(again.pair.refresh_token, retried.pair.refresh_token);
    assert_eq!(house.refresh(&retried.pair.refresh_token).await.unwrap().verdict, Verdict::Rotated);
}

#[tokio::test]
async fn a_revocation_whose_reply_was_lost_holds_all_the_same() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.store.inject(Operation::Append, Which::Nth(1), Fault::LoseReply);
    let lost = house.rescind.revoke(crate::support::revocation(Scope::session(pair.session_id))).await;
    assert!(matches!(lost, Err(Error::Store(_))));
    house.rescind.sync().await.unwrap();
    assert_eq!(house.lives(&pair).await, (false, false));
}

// holds: 34, R13, R33
#[tokio::test]
async fn a_revocation_is_not_acknowledged_before_this_node_obeys_it() {
    let house = Arc::new(House::new().await);
    let pair = house.login("alice").await;
    // The feed is held up: durable, but not in the view.
    let gate = Gate::new();
    house.store.inject(Operation::After, Which::Every, Fault::HangBefore(gate.clone()));
    gate.reached().await;
    let late = house.rescind.revoke(crate::support::revocation(Scope::session(pair.session_id))).await;
    assert!(matches!(&late, Err(Error::Store(error)) if error.op() == "after"), "{late:?}");
    gate.release();
    house.store.clear();
    house.rescind.sync().await.unwrap();
    assert_eq!(house.lives(&pair).await, (false, false));
}
