//! What a handler may require of a token that is live: how long ago its user signed in. And the shapes in which a store
//! may be given to the builder.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{House, ms, opening, secs};
use rescind::keys::RootSecret;
use rescind::refresh_token::ClientClass;
use rescind::store::{MemoryStore, Store};
use rescind::time::Clock;
use rescind::{NoClaims, OpenSession, Rejection, Rescind};

#[tokio::test]
async fn a_sign_in_is_fresh_up_to_its_highest_age_and_not_beyond() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.pass(secs(300)).await;
    let live = house.check(&pair.access_token).await.unwrap();
    assert_eq!(live.checked_at(), house.clock.wall());
    assert_eq!(live.checked_at().since(live.auth_time()), secs(300));
    assert_eq!(live.require_fresh(secs(300)), Ok(()), "the boundary is fresh");
    assert_eq!(live.require_fresh(ms(299_999)), Err(Rejection::NotFresh));
    assert_eq!(live.require_fresh(Duration::ZERO), Err(Rejection::NotFresh));
    assert_eq!(live.require_fresh(Duration::MAX), Ok(()));
    house.pass(secs(1)).await;
    assert_eq!(live.require_fresh(secs(300)), Ok(()), "it is as fresh as it was when it was checked");
    let again = house.check(&pair.access_token).await.unwrap().with_claims::<NoClaims>().unwrap();
    assert_eq!(again.require_fresh(secs(300)), Err(Rejection::NotFresh), "also from the cache, and with claims");
}

#[tokio::test]
async fn a_refresh_does_not_make_a_sign_in_fresh() {
    let house = House::new().await;
    let pair = house.login_as("alice", ClientClass::Native).await;
    house.pass(secs(600)).await;
    let next = house.refreshed(&pair.refresh_token).await;
    let live = house.check(&next.access_token).await.unwrap();
    assert_eq!(live.require_fresh(secs(599)), Err(Rejection::NotFresh));
    let earlier = OpenSession { auth_time: Some(house.clock.wall().minus(secs(3600))), ..opening("bob") };
    let pair = house.rescind.open_session(earlier).await.unwrap();
    let live = house.check(&pair.access_token).await.unwrap();
    assert_eq!(live.require_fresh(secs(3599)), Err(Rejection::NotFresh), "as the application said");
    assert_eq!(live.require_fresh(secs(3600)), Ok(()));
}

#[tokio::test]
async fn a_sign_in_ahead_of_the_clock_is_fresh() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.clock.step_wall(house.clock.wall().minus(secs(5)));
    house.rescind.sync().await.unwrap();
    let live = house.check(&pair.access_token).await.unwrap();
    assert!(live.auth_time() > live.checked_at());
    assert_eq!(live.require_fresh(Duration::ZERO), Ok(()));
}

#[tokio::test]
async fn a_builder_takes_a_store_and_a_shared_one() {
    let builder = || {
        Rescind::builder(crate::support::ISSUER, crate::support::AUDIENCE).root_secret(RootSecret::from_bytes([7; 32]))
    };
    builder().store(MemoryStore::new().unwrap()).build().await.unwrap();
    let shared = Arc::new(MemoryStore::new().unwrap());
    let one = builder().store(Arc::clone(&shared)).build().await.unwrap();
    let any: Arc<dyn Store> = shared;
    let other = builder().store(Arc::clone(&any)).build().await.unwrap();
    let pair = one.open_session(opening("alice")).await.unwrap();
    assert!(other.check(&pair.access_token).await.is_ok(), "both are on the one store");
    drop(any);
}
