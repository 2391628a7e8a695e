//! A store that lost or forked its history: found by the high-water mark at start and by the feed while running,
//! healed once, and nobody who was revoked comes back.

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::swap::SwapStore;
use crate::support::{House, TestStore, builder, eventually, ms, new_store, refused, secs};
use rescind::log::{Scope, ScopeKind};
use rescind::position::Seq;
use rescind::store::{Fault, Gate, Operation, Store, StoreErrorKind, Which};
use rescind::testing::{ManualClock, cut_off, jti};
use rescind::{Error, Rejection, TokenPair};

struct Marked {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Marked {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::default()) }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("high-water")
    }

    async fn start(&self, store: &Arc<TestStore>, seed: u64) -> House {
        House::marked(store, &self.clock, &self.file(), seed).await
    }
}

/// Every earlier token is refused, new sign-ins work.
async fn everyone_signs_in_again(house: &House, earlier: &[&TokenPair]) {
    for pair in earlier {
        assert_eq!(house.lives(pair).await, (false, false));
        refused(house.check(&pair.access_token).await);
        refused(house.refresh(&pair.refresh_token).await);
    }
    let new = house.login("alice").await;
    assert_eq!(house.lives(&new).await, (true, true));
    let next = house.refreshed(&new.refresh_token).await;
    assert_eq!(house.lives(&next).await, (true, true));
}

#[tokio::test]
async fn a_restart_on_the_same_store_fits() {
    let marked = Marked::new();
    let store = new_store(&marked.clock, 1);
    let house = marked.start(&store, 2).await;
    let (live, dead) = (house.login("alice").await, house.login("alice").await);
    house.revoke(Scope::session(dead.session_id)).await;
    house.rescind.shutdown().await;
    for seed in 3..6 {
        let again = marked.start(&store, seed).await;
        assert_eq!((again.lives(&live).await, again.lives(&dead).await), ((true, true), (false, false)));
        assert_eq!(again.rescind.stats().healed, 0);
        again.revoke(Scope::Subject(rescind::testing::subject("somebody"))).await;
        again.rescind.shutdown().await;
    }
}

#[tokio::test]
async fn an_empty_store_is_never_nothing_revoked() {
    let marked = Marked::new();
    let house = marked.start(&new_store(&marked.clock, 1), 2).await;
    let (live, dead) = (house.login("alice").await, house.login("alice").await);
    let entry = house.revoke(Scope::session(dead.session_id)).await;
    house.rescind.shutdown().await;

    let empty = new_store(&marked.clock, 100);
    let again = marked.start(&empty, 3).await;
    assert_eq!(again.rescind.stats().healed, 1);
    assert!(again.rescind.stats().applied.get() > entry.seq.get() + Seq::JUMP);
    everyone_signs_in_again(&again, &[&live, &dead]).await;
    let newest = again.login("alice").await;

    // What stands for everything that was lost cannot be lifted: nobody could name what came back.
    let healing = again.rescind.stats().applied;
    let text = |text: &str| rescind::log::Text::new(text).unwrap();
    let lifted = again.rescind.lift(healing, text("oops"), text("operator")).await;
    assert!(matches!(lifted, Err(Error::Final(_))), "{lifted:?}");
    // Nor can a later one that has taken its place: the simulation, seed 1028.
    let later = again.revoke(Scope::All).await;
    let lifted = again.rescind.lift(later.seq, text("oops"), text("operator")).await;
    assert!(matches!(lifted, Err(Error::Final(_))), "{lifted:?}");
    let newest = [newest, again.login("alice").await];
    assert_eq!((again.lives(&newest[0]).await, again.lives(&newest[1]).await), ((false, false), (true, true)));
    again.rescind.shutdown().await;

    // The mark has moved on: the next start is calm.
    let calm = marked.start(&empty, 4).await;
    assert_eq!(calm.rescind.stats().healed, 0);
    assert_eq!(calm.lives(&newest[1]).await, (true, true));
    assert_eq!(calm.lives(&dead).await, (false, false));
}

/// A store that lives once with a session and is copied, and then sees a revocation that the copy has not.
struct Restored {
    copy: Arc<TestStore>,
    live: TokenPair,
    dead: TokenPair,
    stolen: rescind::id::KeyId,
    by_stolen_key: TokenPair,
}

impl Restored {
    /// The copy is made by doing the same twice: a store in memory follows from its seed and its calls.
    async fn older_copy(marked: &Marked) -> Self {
        let store = new_store(&marked.clock, 1);
        let house = marked.start(&store, 2).await;
        let copy_house = House::over(new_store(&marked.clock, 1), Arc::clone(&marked.clock), |builder| builder).await;
        let (live, dead) = (house.login("alice").await, house.login("alice").await);
        let by_stolen_key = house.login("alice").await;
        // What the copy has: the same sessions, the same keys, and no revocation.
        let copy = Arc::clone(&copy_house.store);
        for pair in [&live, &dead, &by_stolen_key] {
            let row = store.load(pair.session_id).await.unwrap().unwrap().session;
            copy.open(rescind::session::NewSession {
                id: row.id,
                subject: row.subject,
                client: row.client,
                class: row.class,
                auth_time: None,
                idle: row.idle,
                absolute: secs(30 * 86_400),
                device: None,
                scope: None,
                claims: None,
            })
            .await
            .unwrap();
        }
        let stolen = house.current_kid();
        assert_eq!(stolen, copy_house.current_kid(), "the copy has the same keys");
        copy_house.rescind.shutdown().await;
        house.revoke(Scope::session(dead.session_id)).await;
        house.revoke(Scope::Key(stolen.clone())).await;
        house.rescind.shutdown().await;
        Self { copy, live, dead, stolen, by_stolen_key }
    }
}

#[tokio::test]
async fn an_older_copy_is_found_at_start_and_nobody_comes_back() {
    let marked = Marked::new();
    let restored = Restored::older_copy(&marked).await;
    let again = marked.start(&restored.copy, 5).await;
    assert_eq!(again.rescind.stats().healed, 1);
    everyone_signs_in_again(&again, &[&restored.live, &restored.dead, &restored.by_stolen_key]).await;
}

#[tokio::test]
async fn an_older_copy_that_has_grown_past_the_mark_is_found_at_start_all_the_same() {
    let marked = Marked::new();
    let restored = Restored::older_copy(&marked).await;
    // Its positions say nothing: only what stands at them does.
    for n in 0..5 {
        restored.copy.append(vec![cut_off(Scope::token(jti(n)))]).await.unwrap();
    }
    let again = marked.start(&restored.copy, 5).await;
    assert_eq!(again.rescind.stats().healed, 1);
    everyone_signs_in_again(&again, &[&restored.live, &restored.dead, &restored.by_stolen_key]).await;
}

#[tokio::test]
async fn a_key_that_was_revoked_since_the_copy_was_made_does_not_sign_or_verify_again() {
    let marked = Marked::new();
    let restored = Restored::older_copy(&marked).await;
    let again = marked.start(&restored.copy, 5).await;
    assert!(!again.rescind.jwks().contains(restored.stolen.as_str()));
    let new = again.login("alice").await;
    assert_ne!(again.check(&new.access_token).await.unwrap().key_id(), &restored.stolen);
    assert_eq!(refused(again.check(&restored.live.access_token).await), Rejection::KeyRevoked);
}

#[tokio::test]
async fn a_crash_between_the_two_steps_of_healing_is_healed_at_the_next_start() {
    let marked = Marked::new();
    let house = marked.start(&new_store(&marked.clock, 1), 2).await;
    let pair = house.login("alice").await;
    house.revoke(Scope::Subject(rescind::testing::subject("x"))).await;
    house.rescind.shutdown().await;

    let empty = new_store(&marked.clock, 100);
    empty.inject(Operation::Append, Which::Nth(1), Fault::Refuse(StoreErrorKind::Full));
    let file = marked.file();
    let crashed = builder(Arc::clone(&empty) as _, &marked.clock, 3).high_water(&file).build().await;
    assert!(crashed.is_err());
    let again = marked.start(&empty, 4).await;
    assert_eq!(again.rescind.stats().healed, 1);
    everyone_signs_in_again(&again, &[&pair]).await;
}

#[tokio::test]
async fn a_store_replaced_while_running_is_healed_and_signs_on() {
    let clock = Arc::new(ManualClock::default());
    let swap = Arc::new(SwapStore::new(new_store(&clock, 1)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store: new_store(&clock, 3), clock: Arc::clone(&clock) };
    let (live, dead) = (house.login("alice").await, house.login("alice").await);
    house.revoke(Scope::session(dead.session_id)).await;
    swap.replace(new_store(&clock, 100));
    eventually("it is healed", || async { house.rescind.stats().healed == 1 }).await;
    house.rescind.sync().await.unwrap();
    everyone_signs_in_again(&house, &[&live, &dead]).await;
    // Keys are kept in the new store, too, and can be changed there.
    let kid = house.current_kid();
    assert_ne!(house.rescind.rotate_keys().await.unwrap(), kid);
    let new = house.login("alice").await;
    house.revoke(Scope::Key(house.current_kid())).await;
    refused(house.check(&new.access_token).await);
    assert_eq!(house.lives(&house.login("alice").await).await, (true, true));
    house.rescind.sync().await.unwrap();
    assert_eq!(house.rescind.stats().healed, 1, "once");
}

#[tokio::test]
async fn a_revocation_taken_by_a_store_that_went_back_is_not_acknowledged_before_it_holds() {
    let clock = Arc::new(ManualClock::default());
    let swap = Arc::new(SwapStore::new(new_store(&clock, 1)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store: new_store(&clock, 3), clock: Arc::clone(&clock) };
    for n in 0..5 {
        house.revoke(Scope::Subject(rescind::testing::subject(&format!("somebody {n}")))).await;
    }
    let pair = house.login("alice").await;
    swap.replace(new_store(&clock, 100));
    // Whatever the answer is, it is given when this node obeys it.
    let answer =
        house.rescind.revoke(crate::support::revocation(Scope::Subject(rescind::testing::subject("alice")))).await;
    if answer.is_ok() {
        refused(house.check(&pair.access_token).await);
    }
    house.rescind.sync().await.unwrap();
    refused(house.check(&pair.access_token).await);
}

#[tokio::test]
async fn until_it_is_healed_nothing_is_answered() {
    let clock = Arc::new(ManualClock::default());
    let swap = Arc::new(SwapStore::new(new_store(&clock, 1)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store: new_store(&clock, 3), clock: Arc::clone(&clock) };
    let pair = house.login("alice").await;
    let broken = new_store(&clock, 100);
    broken.inject(Operation::Reincarnate, Which::Every, Fault::Refuse(StoreErrorKind::Full));
    swap.replace(Arc::clone(&broken));
    eventually("the loss is found", || async { house.rescind.stats().failed_rounds > 0 }).await;
    for _ in 0..3 {
        assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
        let login = house.rescind.open_session(crate::support::opening("alice")).await;
        assert!(matches!(login, Err(Error::Store(_))), "{login:?}");
        let refresh = house.refresh(&pair.refresh_token).await;
        assert!(matches!(refresh, Err(Error::Store(_))), "{refresh:?}");
        let revoke = house.rescind.revoke(crate::support::revocation(Scope::All)).await;
        assert!(matches!(revoke, Err(Error::Store(_))), "{revoke:?}");
    }
    assert!(!house.rescind.readiness().ready);
    assert_eq!(house.rescind.stats().healed, 0, "tried, not done");
    broken.clear();
    eventually("it is healed", || async { house.rescind.stats().healed == 1 }).await;
    house.rescind.sync().await.unwrap();
    everyone_signs_in_again(&house, &[&pair]).await;
}

#[tokio::test]
async fn of_two_handles_one_heals_and_the_other_accepts() {
    let marked = [Marked::new(), Marked::new()];
    let clock = &marked[0].clock;
    let old = new_store(clock, 1);
    let mut earlier = Vec::new();
    for (at, marked) in marked.iter().enumerate() {
        let house = House::marked(&old, clock, &marked.file(), 2 + at as u64).await;
        earlier.push(house.login("alice").await);
        house.revoke(Scope::Subject(rescind::testing::subject("x"))).await;
        house.rescind.shutdown().await;
    }
    let empty = new_store(clock, 100);
    let first = House::marked(&empty, clock, &marked[0].file(), 10).await;
    let new = first.login("alice").await;
    let second = House::marked(&empty, clock, &marked[1].file(), 11).await;
    assert_eq!((first.rescind.stats().healed, second.rescind.stats().healed), (1, 0));
    for house in [&first, &second] {
        house.rescind.sync().await.unwrap();
        assert_eq!(house.lives(&new).await, (true, true), "what was signed in after the healing lives");
        for pair in &earlier {
            assert_eq!(house.lives(pair).await, (false, false));
        }
    }
    let incarnations = [first.rescind.stats().applied, second.rescind.stats().applied];
    assert_eq!(incarnations[0], incarnations[1]);
}

#[tokio::test]
async fn a_handle_that_sees_another_one_half_way_through_healing_does_not_believe_the_store() {
    let clock = Arc::new(ManualClock::default());
    let old = new_store(&clock, 1);
    let swaps = [Arc::new(SwapStore::new(Arc::clone(&old))), Arc::new(SwapStore::new(old))];
    let mut houses = Vec::new();
    for (at, swap) in swaps.iter().enumerate() {
        let rescind = builder(Arc::clone(swap) as _, &clock, 2 + at as u64).build().await.unwrap();
        houses.push(House { rescind, store: new_store(&clock, 3), clock: Arc::clone(&clock) });
    }
    let dead = houses[0].login("alice").await;
    houses[0].revoke(Scope::session(dead.session_id)).await;
    houses[1].rescind.sync().await.unwrap();
    assert_eq!(refused(houses[1].check(&dead.access_token).await), Rejection::Revoked(ScopeKind::Session));

    // The second one has judged the store and is about to heal it; the first one is quicker, and hangs half way.
    let (empty, before, between) = (new_store(&clock, 100), Gate::new(), Gate::new());
    empty.inject(Operation::Reincarnate, Which::Nth(1), Fault::HangBefore(before.clone()));
    empty.inject(Operation::Append, Which::Nth(1), Fault::HangBefore(between.clone()));
    swaps[1].replace(Arc::clone(&empty));
    before.reached().await;
    swaps[0].replace(Arc::clone(&empty));
    between.reached().await;
    before.release();
    // It waits for the first one, and goes on by itself past that one's bound; it may not say that the token is good.
    eventually("the second one does not wait for ever", || async {
        assert!(houses[1].check(&dead.access_token).await.is_err());
        clock.advance(secs(1));
        tokio::time::timeout(ms(100), houses[1].rescind.sync()).await.is_ok_and(|synced| synced.is_ok())
    })
    .await;
    refused(houses[1].check(&dead.access_token).await);
    between.release();
    for house in &houses {
        eventually("both are well", || async { house.rescind.sync().await.is_ok() && house.rescind.readiness().ready })
            .await;
        refused(house.check(&dead.access_token).await);
    }
    let new = houses[0].login("alice").await;
    assert_eq!(houses[0].lives(&new).await, (true, true));
}
