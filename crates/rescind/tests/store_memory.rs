//! The store in memory passes the store contract in full.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::Arc;

use async_trait::async_trait;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{MemoryStore, Store};
use rescind::testing::NoRandom;
use rescind::time::Clock;

struct Memory;

#[async_trait]
impl Home for Memory {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(clock, &rescind::random::SystemRandom).unwrap())
    }

    fn durability(&self) -> Durability {
        Durability::Forgets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_the_contract() {
    conformance::run(|| Memory).await;
}

#[test]
fn a_store_without_randomness_is_not_made() {
    let clock = Arc::new(rescind::testing::ManualClock::default());
    assert!(MemoryStore::new(clock, &NoRandom).is_err());
}
