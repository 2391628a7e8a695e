//! A store that is damaged: reading again cannot help, so nothing more is read, and whoever runs the node is told.

use crate::support::cluster::pass;
use crate::support::logs::Logs;
use crate::support::{House, secs};
use rescind::Error;
use rescind::store::{Fault, Operation, StoreErrorKind, Which};
use tracing::Level;

#[tokio::test(start_paused = true)]
async fn a_damaged_store_is_read_no_more_and_what_is_damaged_is_told() {
    let logs = Logs::new();
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.store.inject(Operation::After, Which::Nth(1), Fault::Refuse(StoreErrorKind::Corrupt));
    let told = house.rescind.damaged().await;
    assert!(told.contains("corrupt") && told.contains("after"), "{told}");
    let alarms = logs.alarms();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms.concat().contains("the store is damaged"), "{alarms:?}");
    // It would be sound again, but what was read of it is not known to be.
    let calls = house.store.calls(Operation::After);
    pass(secs(60)).await;
    assert_eq!(house.store.calls(Operation::After), calls);
    house.clock.advance(secs(3));
    assert!(matches!(house.check(&pair.access_token).await, Err(Error::Stale { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_only_away_is_not_taken_for_damaged() {
    let logs = Logs::new();
    let house = House::new().await;
    let pair = house.login("alice").await;
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Full, StoreErrorKind::Broken] {
        house.store.inject(Operation::After, Which::Nth(1), Fault::Refuse(kind));
        pass(secs(2)).await;
        house.clock.advance(secs(2));
        house.rescind.sync().await.unwrap();
        assert!(house.check(&pair.access_token).await.is_ok(), "{kind:?}");
    }
    assert_eq!(logs.at(Level::ERROR).len(), 0, "{:?}", logs.at(Level::ERROR));
}
