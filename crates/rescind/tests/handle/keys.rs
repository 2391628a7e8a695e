//! Signing keys through the handle: rotation, retirement, revocation, restart, and tokens of old keys.

use std::sync::Arc;

use crate::support::{House, eventually, refused, revocation, secs, text};
use rescind::keys::{Algorithm, KeyState, RootSecret};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{FailingStore, Fault, Gate, Operation, StoreErrorKind, Which};
use rescind::testing::SeededRandom;
use rescind::{BuildError, Error, Rejection, Rescind};

async fn rotated(house: &House) -> rescind::id::KeyId {
    house.rescind.rotate_keys().await.unwrap()
}

// holds: R29
#[tokio::test]
async fn after_a_rotation_the_next_key_signs_and_tokens_of_the_one_before_live() {
    let house = House::new().await;
    let before = house.login("alice").await;
    let (first, next) = (house.current_kid(), house.rescind.keys()[1].kid.clone());
    assert_eq!(rotated(&house).await, next, "the key that was published beforehand");
    let after = house.login("alice").await;
    assert_eq!(house.check(&after.access_token).await.unwrap().key_id(), &next);
    assert_eq!(house.check(&before.access_token).await.unwrap().key_id(), &first);
    let jwks = house.rescind.jwks();
    for key in house.rescind.keys() {
        assert!(jwks.contains(key.kid.as_str()), "next, current and retired are published");
    }
    assert_eq!(house.rescind.keys().len(), 3);
}

#[tokio::test]
async fn a_revoked_key_takes_all_its_tokens_with_it_and_nothing_else() {
    let house = House::new().await;
    let old = house.login("alice").await;
    rotated(&house).await;
    let (kid, of_kid) = (house.current_kid(), house.login("alice").await);
    let cached = house.check(&of_kid.access_token).await;
    assert!(cached.is_ok());
    let entry = house.rescind.revoke_key(&kid, text("stolen"), text("operator")).await.unwrap();
    assert_eq!(entry.scope, Scope::Key(kid.clone()));
    assert_eq!(refused(house.check(&of_kid.access_token).await), Rejection::KeyRevoked, "also on a hit of the cache");
    assert!(house.check(&old.access_token).await.is_ok(), "another key's tokens live");
    assert!(!house.rescind.jwks().contains(kid.as_str()));
    // The session is not the key's: it goes on with another one.
    let next = house.refreshed(&of_kid.refresh_token).await;
    let live = house.check(&next.access_token).await.unwrap();
    assert_ne!(live.key_id(), &kid);
    assert_eq!(house.lives(&house.login("bob").await).await, (true, true));
}

#[tokio::test]
async fn revoking_any_key_leaves_a_ring_that_signs() {
    let house = House::new().await;
    for _ in 0..3 {
        rotated(&house).await;
        for at in 0..house.rescind.keys().len() {
            let key = house.rescind.keys()[at].clone();
            house.revoke(Scope::Key(key.kid.clone())).await;
            assert!(!house.rescind.jwks().contains(key.kid.as_str()));
            assert_eq!(house.lives(&house.login("alice").await).await, (true, true));
        }
    }
    let again = house.rescind.keys()[0].kid.clone();
    house.revoke(Scope::Key(again)).await;
}

// holds: 72
#[tokio::test]
async fn a_revoked_key_stays_revoked_after_a_restart_on_the_same_store() {
    let house = House::new().await;
    let (kid, dead) = (house.current_kid(), house.login("alice").await);
    house.revoke(Scope::Key(kid.clone())).await;
    let live = house.login("alice").await;
    let again = House::over(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| builder).await;
    assert_eq!(refused(again.check(&dead.access_token).await), Rejection::KeyRevoked);
    assert_eq!(again.lives(&live).await, (true, true));
    assert_eq!(again.rescind.jwks(), house.rescind.jwks());
    assert!(!again.rescind.jwks().contains(kid.as_str()));
}

#[tokio::test]
async fn a_key_whose_cut_off_could_not_be_written_is_dead_here_and_the_call_can_be_repeated() {
    let house = House::new().await;
    let (kid, pair) = (house.current_kid(), house.login("alice").await);
    house.store.inject(Operation::Append, Which::Nth(1), Fault::Refuse(StoreErrorKind::Full));
    assert!(matches!(house.rescind.revoke(revocation(Scope::Key(kid.clone()))).await, Err(Error::Store(_))));
    house.revoke(Scope::Key(kid)).await;
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::KeyRevoked);
}

// holds: R28
#[tokio::test]
async fn the_log_refuses_a_revoked_keys_token_also_where_the_ring_has_not_heard_of_it() {
    let house = House::new().await;
    let other = House::over(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| builder).await;
    let pair = house.login("alice").await;
    assert_eq!(other.lives(&pair).await, (true, true));
    house.revoke(Scope::Key(house.current_kid())).await;
    other.rescind.sync().await.unwrap();
    let why = refused(other.check(&pair.access_token).await);
    assert!(matches!(why, Rejection::Revoked(ScopeKind::Key) | Rejection::KeyRevoked), "{why}");
}

#[tokio::test]
async fn a_ring_that_cannot_be_written_stays_as_it_was() {
    let house = House::new().await;
    let before = house.rescind.jwks();
    house.store.inject(Operation::PutRecord, Which::Nth(1), Fault::Refuse(StoreErrorKind::Full));
    assert!(matches!(house.rescind.rotate_keys().await, Err(Error::Store(_))));
    assert_eq!(house.rescind.jwks(), before);
    rotated(&house).await;
    assert_ne!(house.rescind.jwks(), before);
}

#[tokio::test]
async fn another_algorithm_at_restart_signs_new_tokens_and_the_old_ones_live() {
    let house = House::new().await;
    let old = house.login("alice").await;
    let again = House::over(Arc::clone(&house.store), Arc::clone(&house.clock), |builder| {
        builder.algorithm(Algorithm::Es256).random(Arc::new(SeededRandom::new(77)))
    })
    .await;
    let new = again.login("alice").await;
    assert_eq!(again.lives(&old).await, (true, true));
    assert_eq!(again.lives(&new).await, (true, true));
    let states: Vec<_> = again.rescind.keys().iter().map(|key| (key.algorithm, key.state)).collect();
    assert!(matches!(states[0], (Algorithm::EdDSA, KeyState::Retired { .. })), "{states:?}");
    assert!(states.contains(&(Algorithm::Es256, KeyState::Current)));
}

#[tokio::test]
async fn another_root_secret_is_refused_at_start_with_a_remedy() {
    let house = House::new().await;
    let built = Rescind::builder(crate::support::ISSUER, crate::support::AUDIENCE)
        .store(Arc::clone(&house.store))
        .clock(Arc::clone(&house.clock) as _)
        .random(Arc::new(SeededRandom::new(3)))
        .root_secret(RootSecret::from_bytes([8; 32]))
        .build()
        .await;
    let Err(BuildError::Ring(error)) = built else { panic!("a ring of another root secret was opened") };
    assert!(error.to_string().contains("root secret"), "{error}");
}

#[tokio::test]
async fn rotations_at_the_same_time_make_one_key_and_one_after_another_each_theirs() {
    let house = Arc::new(House::new().await);
    let rotate = |house: &Arc<House>| {
        let house = Arc::clone(house);
        tokio::spawn(async move { house.rescind.rotate_keys().await.unwrap() })
    };
    let next = house.rescind.keys()[1].kid.clone();
    let gate = Gate::new();
    house.store.inject(Operation::PutRecord, Which::Nth(1), Fault::HangBefore(gate.clone()));
    let before = house.store.calls(Operation::Record);
    let tasks: Vec<_> = (0..4).map(|_| rotate(&house)).collect();
    gate.reached().await;
    eventually("all are under way", || async { house.store.calls(Operation::Record) >= before + 5 }).await;
    gate.release();
    for task in tasks {
        assert_eq!(task.await.unwrap(), next, "whoever lost the race has got what it asked for");
    }
    let retired =
        |house: &House| house.rescind.keys().iter().filter(|key| matches!(key.state, KeyState::Retired { .. })).count();
    assert_eq!((retired(&house), house.rescind.keys().len()), (1, 3));
    assert_ne!(rotate(&house).await.unwrap(), next);
    assert_eq!((retired(&house), house.rescind.keys().len()), (2, 4));
    house.pass(secs(1)).await;
    assert_eq!(house.lives(&house.login("alice").await).await, (true, true));
}

#[tokio::test]
async fn two_nodes_that_rotate_at_once_make_one_key() {
    let a = Arc::new(House::new().await);
    let b = {
        let store = Arc::new(FailingStore::new(Arc::clone(&a.store)));
        crate::support::builder(store, &a.clock, 3).build().await.unwrap()
    };
    let next = a.rescind.keys()[1].kid.clone();
    let gate = Gate::new();
    a.store.inject(Operation::PutRecord, Which::Nth(1), Fault::HangBefore(gate.clone()));
    let slow = {
        let a = Arc::clone(&a);
        tokio::spawn(async move { a.rescind.rotate_keys().await.unwrap() })
    };
    gate.reached().await;
    assert_eq!(b.rotate_keys().await.unwrap(), next);
    gate.release();
    assert_eq!(slow.await.unwrap(), next);
    assert_eq!(a.rescind.jwks(), b.jwks());
    assert_eq!(a.rescind.keys().len(), 3);
}
