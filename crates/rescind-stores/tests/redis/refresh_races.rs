//! Many at once refresh with one token, at two nodes over Redis.

use std::sync::Arc;

use rescind::store::Store;
use rescind::testing::skip;
use rescind::time::SystemClock;
use rescind_test_kit::{Redis, or_skip};

use crate::refresh_race;
use crate::support::{fresh_prefix, open_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_at_two_nodes_comes_one_chain() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let url = format!("{}?prefix={}", server.url(), fresh_prefix());
    let mut openings: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..2 {
        openings.push(Arc::new(open_at(&url, Arc::new(SystemClock)).await.unwrap()));
    }
    refresh_race::run(openings, 30).await;
}
