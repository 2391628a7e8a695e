//! Many at once refresh with one token, over the store in memory.

use std::sync::Arc;

use rescind::store::{MemoryStore, Store};

use crate::support::refresh_race;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_comes_one_chain() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    refresh_race::run(vec![store], 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_at_two_nodes_comes_one_chain() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap().shared());
    refresh_race::run(vec![Arc::clone(&store), store], 50).await;
}
