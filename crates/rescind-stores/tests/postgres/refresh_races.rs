//! Many at once refresh with one token, at two nodes over Postgres.

use std::sync::Arc;

use rescind::store::Store;
use rescind::time::SystemClock;

use crate::refresh_race;
use crate::support::{fresh, open_at, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_at_two_nodes_comes_one_chain() {
    let Some(server) = server() else { return };
    let url = fresh(&server.url());
    let mut openings: Vec<Arc<dyn Store>> = Vec::new();
    for _ in 0..2 {
        openings.push(open_at(&url, Arc::new(SystemClock)).await.unwrap());
    }
    refresh_race::run(openings, 30).await;
}
