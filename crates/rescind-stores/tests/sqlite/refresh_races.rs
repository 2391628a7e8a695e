//! Many at once refresh with one token, over SQLite.

use std::sync::Arc;

use rescind::time::SystemClock;

use crate::refresh_race;
use crate::support::Scratch;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_refreshes_with_one_token_comes_one_chain() {
    let scratch = Scratch::new();
    let store = scratch.open_at(Arc::new(SystemClock)).await.unwrap();
    refresh_race::run(vec![Arc::new(store)], 40).await;
}
