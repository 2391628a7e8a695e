//! Servers that must be refused at start, and faults that must keep their kind; no message shows the password.

use rescind::log::Scope;
use rescind::store::{Store, StoreError, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session, sid, skip};
use rescind_test_kit::{PASSWORD, Postgres, SmallDisk, or_skip};

use crate::support::{append, open, server, until};

fn assert_names(error: &StoreError, kind: StoreErrorKind, words: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error} does not name {words}");
    assert!(!error.to_string().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_at_which_nothing_listens_is_named_with_the_remedy() {
    let error = open(&format!("postgres://rescind:{PASSWORD}@127.0.0.1:1/rescind")).await.unwrap_err();
    assert_names(&error, StoreErrorKind::Unavailable, "correct the store's URL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_could_forget_is_refused_by_the_settings_name() {
    for (setting, value) in [("fsync", "off"), ("full_page_writes", "off")] {
        let Some(server) = or_skip(Postgres::options().setting(setting, value).start(), skip) else { return };
        let error = open(&server.url()).await.unwrap_err();
        assert_names(&error, StoreErrorKind::Unavailable, &format!("Set {setting} = on"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_session_would_not_wait_for_the_disk_the_stores_own_transactions_do() {
    let server = Postgres::options().setting("synchronous_commit", "off").setting("wal_writer_delay", "10s").start();
    let Some(server) = or_skip(server, skip) else { return };
    let store = open(&server.url()).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    let entry = append(&store, cut_off(Scope::token(jti(1)))).await.unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    until("the store answers again", || async { store.health().await.is_ok() }).await;
    assert_eq!(store.health().await.unwrap().seq, entry.seq);
    assert!(store.load(sid(1)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_refused_and_named() {
    let Some(server) = server() else { return };
    let Some(replica) = or_skip(server.replica(), skip) else { return };
    drop(open(&server.url()).await.unwrap());
    let error = open(&replica.url()).await.unwrap_err();
    assert_names(&error, StoreErrorKind::Unavailable, "target_session_attrs=read-write");
    // Named together, the one that can write is found.
    let both = format!("postgres://rescind:{PASSWORD}@{},{}/rescind", replica.address(), server.address());
    open(&both).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_read_only_is_unavailable_and_says_so_in_its_health() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    server.configure("default_transaction_read_only = on").unwrap();
    until("it has heard", || async { append(&store, cut_off(Scope::token(jti(1)))).await.is_err() }).await;
    let error = append(&store, cut_off(Scope::token(jti(1)))).await.unwrap_err();
    assert_names(&error, StoreErrorKind::Unavailable, "read-only");
    assert_names(&store.health().await.unwrap_err(), StoreErrorKind::Unavailable, "read-only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_it() {
    let Some(server) = server() else { return };
    let wrong = server.url().replace(PASSWORD, "hunter2");
    let error = open(&wrong).await.unwrap_err();
    assert_names(&error, StoreErrorKind::Unavailable, "Check user and password");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named_and_nobody_is_left_in_doubt_about_a_write() {
    let error = open(&format!("postgres://rescind:{PASSWORD}@127.0.0.1:1/x")).await.unwrap_err();
    assert_names(&error, StoreErrorKind::Unavailable, "127.0.0.1:1");
    assert!(!error.to_string().contains("write"), "{error}");
}

// holds: R22, R30
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_nothing_else_until_there_is_room() {
    let Some(disk) = or_skip(SmallDisk::mount(220), skip) else { return };
    let Some(server) = or_skip(Postgres::options().on(disk).start(), skip) else { return };
    let store = open(&server.url()).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    server.disk().unwrap().fill().unwrap();
    // What is free inside of the files is used up first.
    let body = || vec![7; 1 << 20];
    let mut n = 0;
    let error = loop {
        n += 1;
        let kind = rescind::store::RecordKind::USERS;
        match store.put_record(kind, &format!("user {n}"), 0, body(), None).await {
            Ok(_) => assert!(n < 1_000, "the disk is never full"),
            Err(error) => break error,
        }
    };
    // No room for a table: nothing was written. No room for the write-ahead log: the server restarts.
    assert!(matches!(error.kind(), StoreErrorKind::Full | StoreErrorKind::Unavailable), "{error}");
    if error.kind() == StoreErrorKind::Full {
        assert_names(&error, StoreErrorKind::Full, "Free space");
        assert!(store.load(sid(1)).await.unwrap().is_some(), "reads go on");
    }
    server.disk().unwrap().free().unwrap();
    server.come_back().unwrap();
    until("writes go on by themselves", || async { append(&store, cut_off(Scope::token(jti(1)))).await.is_ok() }).await;
    store.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_postgres_cannot_hold_fails_alone() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    let nul = rescind::session::NewSession { device: Some("a\0b".to_owned()), ..new_session(1, "alice") };
    let (wrong, right) = tokio::join!(store.open(nul), store.open(new_session(2, "alice")));
    assert_names(&wrong.unwrap_err(), StoreErrorKind::Corrupt, "NUL");
    right.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_somebody_else_put_in_public_is_not_called() {
    let Some(server) = server() else { return };
    // Each fits the arguments better than the one that is meant, and would run with the rights of the store.
    for (name, of, gives) in [
        ("hashtextextended", "text, smallint", "bigint"),
        ("hashtextextended", "text, integer", "bigint"),
        ("int8send", "integer", "bytea"),
    ] {
        let body = "begin raise exception 'somebody else''s function runs'; end";
        server
            .psql(&format!("create function public.{name}({of}) returns {gives} language plpgsql as $f$ {body} $f$"))
            .unwrap();
    }
    let store = open(&server.url()).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    append(&store, cut_off(Scope::session(sid(1)))).await.unwrap();
    assert!(store.load(sid(1)).await.unwrap().unwrap().cut_off.is_some());
    store.sweep(rescind::time::Timestamp::from_millis(1), 10).await.unwrap();
    let nul = store.records(rescind::store::RecordKind::USERS, Some("a\0b"), 10).await;
    assert_eq!(nul.unwrap(), [], "a place between ids, though no id can be there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_made_to_forget_while_it_runs_takes_no_writes_until_it_is_put_right() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    for setting in ["fsync", "full_page_writes"] {
        server.configure(&format!("{setting} = off")).unwrap();
        until("it has heard", || async { append(&store, cut_off(Scope::token(jti(1)))).await.is_err() }).await;
        let error = store.advance(sid(1), rescind::position::Generation::FIRST, rescind::position::Generation::new(1));
        assert_names(&error.await.unwrap_err(), StoreErrorKind::Unavailable, "Set fsync = on");
        assert!(store.load(sid(1)).await.unwrap().is_some(), "reads go on");
        server.configure(&format!("{setting} = on")).unwrap();
        until("it has heard", || async { append(&store, cut_off(Scope::token(jti(1)))).await.is_ok() }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_away_while_it_is_restored_is_no_damage() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    store.health().await.unwrap();
    server.psql("alter schema rescind rename to away").unwrap();
    // After damage a node reads nothing more until it is started again.
    assert_names(&store.health().await.unwrap_err(), StoreErrorKind::Unavailable, "is being restored");
    server.psql("alter schema away rename to rescind").unwrap();
    store.health().await.unwrap();
}
