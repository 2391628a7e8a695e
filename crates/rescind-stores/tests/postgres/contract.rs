//! The conformance suite, whole, on the store and on the store behind a [`FailingStore`]; each case in a schema of its own.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{FailingStore, Store};
use rescind::time::Clock;

use crate::support::{fresh, open_at, server};

/// A schema of its own.
pub(crate) struct Plain(pub(crate) String);

#[async_trait]
impl Home for Plain {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        open_at(&self.0, clock).await.unwrap()
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

struct Wrapped(String);

#[async_trait]
impl Home for Wrapped {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(FailingStore::new(open_at(&self.0, clock).await.unwrap()))
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_whole_contract() {
    let Some(server) = server() else { return };
    conformance::run(|| Plain(fresh(&server.url()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_behind_a_failing_one_keeps_the_whole_contract() {
    let Some(server) = server() else { return };
    conformance::run(|| Wrapped(fresh(&server.url()))).await;
}
