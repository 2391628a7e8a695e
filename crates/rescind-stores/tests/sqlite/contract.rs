//! The conformance suite, whole, on the store and on the store behind a [`FailingStore`].

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rescind::random::SystemRandom;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{FailingStore, Store};
use rescind::time::Clock;
use rescind_stores::sqlite::SqliteStore;

use crate::support::Scratch;

async fn open(file: &Path, clock: Arc<dyn Clock>) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open_with(file, clock, &SystemRandom).await.unwrap())
}

struct Plain(Scratch);

#[async_trait]
impl Home for Plain {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        open(&self.0.file(), clock).await
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

struct Wrapped(Scratch);

#[async_trait]
impl Home for Wrapped {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(FailingStore::new(open(&self.0.file(), clock).await))
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_whole_contract() {
    conformance::run(|| Plain(Scratch::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_behind_a_failing_one_keeps_the_whole_contract() {
    conformance::run(|| Wrapped(Scratch::new())).await;
}
