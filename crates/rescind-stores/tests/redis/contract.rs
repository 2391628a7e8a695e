//! The conformance suite, whole, on one server, on a cluster, and on the store behind a [`FailingStore`].

use std::sync::Arc;

use async_trait::async_trait;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{FailingStore, Store};
use rescind::testing::skip;
use rescind::time::Clock;
use rescind_test_kit::{Cluster, Redis, or_skip};

use crate::support::{cluster_url, fresh_prefix, open_at};

/// A prefix on a server that others use, too.
struct Prefix {
    url: String,
    wrapped: bool,
}

impl Prefix {
    fn on(url: &str) -> Self {
        Self { url: format!("{url}?prefix={}", fresh_prefix()), wrapped: false }
    }
}

#[async_trait]
impl Home for Prefix {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        let store = Arc::new(open_at(&self.url, clock).await.unwrap());
        if self.wrapped { Arc::new(FailingStore::new(store)) } else { store }
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_whole_contract_on_one_server() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    conformance::run(|| Prefix::on(&server.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_behind_a_failing_one_keeps_the_whole_contract() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    conformance::run(|| Prefix { wrapped: true, ..Prefix::on(&server.url()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_whole_contract_on_a_cluster() {
    let Some(cluster) = or_skip(Cluster::start(0), skip) else { return };
    let url = cluster_url(&cluster);
    conformance::run(|| Prefix::on(&url)).await;
}
