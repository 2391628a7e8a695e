//! The store in memory passes the store contract in full, and so does the failing wrapper around it.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use rescind::random::SystemRandom;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{FailingStore, Fault, MemoryStore, Operation, Store, Which};
use rescind::testing::{ManualClock, NoRandom};
use rescind::time::Clock;

struct Memory;

fn memory(clock: Arc<dyn Clock>) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with(clock, &SystemRandom).unwrap())
}

#[async_trait]
impl Home for Memory {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        memory(clock)
    }

    fn durability(&self) -> Durability {
        Durability::Forgets
    }
}

/// One store that all openings of a moment share; with the last of them it is gone.
#[derive(Default)]
struct Shared(Mutex<Weak<MemoryStore>>);

impl Shared {
    fn store(&self, clock: Arc<dyn Clock>) -> Arc<MemoryStore> {
        let mut shared = self.0.lock().unwrap();
        let store =
            shared.upgrade().unwrap_or_else(|| Arc::new(MemoryStore::with(clock, &SystemRandom).unwrap().shared()));
        *shared = Arc::downgrade(&store);
        store
    }
}

#[async_trait]
impl Home for Shared {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        // A handle of its own, as every opening is.
        Arc::new(FailingStore::new(self.store(clock)))
    }

    fn durability(&self) -> Durability {
        Durability::Forgets
    }
}

struct Wrapped;

#[async_trait]
impl Home for Wrapped {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(FailingStore::new(memory(clock)))
    }

    fn durability(&self) -> Durability {
        Durability::Forgets
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_the_contract() {
    conformance::run(|| Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_the_contract_for_several_openings() {
    conformance::run(Shared::default).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_without_a_script_keeps_the_contract() {
    conformance::run(|| Wrapped).await;
}

#[test]
fn a_store_without_randomness_is_not_made() {
    assert!(MemoryStore::with(Arc::new(ManualClock::default()), &NoRandom).is_err());
}

#[tokio::test]
async fn a_slow_store_answers_late_but_answers() {
    let store = FailingStore::new(memory(Arc::new(ManualClock::default())));
    store.inject(Operation::Health, Which::Nth(1), Fault::Slow(Duration::from_millis(5)));
    let (slow, quick) = tokio::join!(biased; store.health(), store.health());
    assert_eq!(slow.unwrap(), quick.unwrap());
    assert_eq!(store.calls(Operation::Health), 2);
}
