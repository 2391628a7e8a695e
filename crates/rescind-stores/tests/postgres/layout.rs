//! The layout: many nodes that start at once, and nodes of neighbouring versions.

use rescind::log::Scope;
use rescind::position::Seq;
use rescind::store::{Store, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session};

use crate::support::{append, fresh, in_schema, log_after, open, server};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_on_an_empty_database_all_come_up_in_one_history() {
    let Some(server) = server() else { return };
    let url = fresh(&server.url());
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await.unwrap() })
        })
        .collect();
    let mut incarnations = Vec::new();
    for (n, opened) in (0..).zip(opening) {
        let store = opened.await.unwrap();
        append(&store, cut_off(Scope::token(jti(n)))).await.unwrap();
        incarnations.push(store.health().await.unwrap().incarnation);
    }
    incarnations.dedup();
    assert_eq!(incarnations.len(), 1);
    let store = open(&url).await.unwrap();
    assert_eq!(log_after(&store, Seq::ZERO).await.entries.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_layout_is_refused_where_it_says_so_and_worked_on_where_it_does_not() {
    let Some(server) = server() else { return };
    let url = in_schema(&server.url(), "next");
    drop(open(&url).await.unwrap());
    // The next version has added something.
    server.psql("alter table next.sessions add column colour text; update next.layout set version = 2").unwrap();
    let store = open(&url).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    drop(store);
    server.psql("update next.layout set version = 3, readable_by = 3").unwrap();
    let error = open(&url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Newer, "{error}");
    assert!(error.to_string().contains("Run the newer version"), "{error}");
    assert_eq!(server.psql("select count(*) from next.sessions").unwrap(), "1", "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_the_name_that_holds_something_else_is_not_touched() {
    let Some(server) = server() else { return };
    server.psql("create schema mine authorization rescind; create table mine.sessions (mine text)").unwrap();
    let error = open(&in_schema(&server.url(), "mine")).await.unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert_eq!(server.psql("select count(*) from pg_tables where schemaname = 'mine'").unwrap(), "1");
}
