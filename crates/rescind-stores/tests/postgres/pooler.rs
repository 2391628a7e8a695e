//! Behind pgbouncer in transaction mode: the whole contract, and other nodes' revocations by polling alone.

use std::time::Duration;

use rescind::log::Scope;
use rescind::store::{Store, conformance};
use rescind::testing::{cut_off, jti, skip};
use rescind_test_kit::{PoolMode, or_skip};

use crate::contract::Plain;
use crate::support::{append, fresh, log_after, open, server};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_contract_holds_behind_a_pooler_that_lends_connections_for_one_transaction() {
    let Some(server) = server() else { return };
    let Some(pooler) = or_skip(server.pgbouncer(PoolMode::Transaction), skip) else { return };
    conformance::run(|| Plain(fresh(&pooler.url()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_such_a_pooler_nobody_is_woken_and_everything_is_found_by_looking() {
    let Some(server) = server() else { return };
    let Some(pooler) = or_skip(server.pgbouncer(PoolMode::Transaction), skip) else { return };
    let (here, there) = (open(&pooler.url()).await.unwrap(), open(&server.url()).await.unwrap());
    let entry = append(&there, cut_off(Scope::token(jti(1)))).await.unwrap();
    assert_eq!(log_after(&here, rescind::position::Seq::ZERO).await.entries, [entry]);
    let woken = tokio::time::timeout(Duration::from_millis(300), here.woken()).await;
    assert!(woken.is_err(), "a wake-up came that nobody can have sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_that_keeps_sessions_the_wake_ups_arrive() {
    let Some(server) = server() else { return };
    let Some(pooler) = or_skip(server.pgbouncer(PoolMode::Session), skip) else { return };
    let (here, there) = (open(&pooler.url()).await.unwrap(), open(&server.url()).await.unwrap());
    // The first says that listening has begun.
    tokio::time::timeout(rescind_test_kit::DEADLINE, here.woken()).await.unwrap();
    append(&there, cut_off(Scope::token(jti(1)))).await.unwrap();
    tokio::time::timeout(rescind_test_kit::DEADLINE, here.woken()).await.unwrap();
}
