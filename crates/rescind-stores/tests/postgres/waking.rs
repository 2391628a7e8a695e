//! Wake-ups: what one node appends calls the others, also after the connection that listens was lost.

use std::time::Duration;

use rescind::log::Scope;
use rescind::store::Store;
use rescind::testing::{cut_off, jti};
use rescind_stores::postgres::PostgresStore;
use rescind_test_kit::DEADLINE;
use tokio::time::timeout;

use crate::support::{append, open, server, until};

async fn is_woken(store: &PostgresStore) {
    timeout(DEADLINE, store.woken()).await.unwrap();
}

/// No call is outstanding: the last one was for what was seen already.
async fn settle(store: &PostgresStore) {
    while timeout(Duration::from_millis(200), store.woken()).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_appends_wakes_another() {
    let Some(server) = server() else { return };
    let (here, there) = (open(&server.url()).await.unwrap(), open(&server.url()).await.unwrap());
    is_woken(&here).await;
    settle(&here).await;
    append(&there, cut_off(Scope::token(jti(1)))).await.unwrap();
    is_woken(&here).await;
    settle(&here).await;
    append(&there, cut_off(Scope::token(jti(2)))).await.unwrap();
    // The call came while nobody waited.
    until("it is in the log", || async { here.health().await.unwrap().seq.get() == 2 }).await;
    is_woken(&here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wake_ups_come_back_after_the_server_was_gone() {
    let Some(server) = server() else { return };
    let (here, there) = (open(&server.url()).await.unwrap(), open(&server.url()).await.unwrap());
    is_woken(&here).await;
    settle(&here).await;
    server.kill().unwrap();
    server.start_again().unwrap();
    // Listening has begun again: what was said meanwhile may have been missed, so it calls once.
    is_woken(&here).await;
    settle(&here).await;
    until("there it answers", || async { there.health().await.is_ok() }).await;
    append(&there, cut_off(Scope::token(jti(1)))).await.unwrap();
    is_woken(&here).await;
}
