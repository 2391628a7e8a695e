//! After a failover: another server answers at the address, or the first of several says nothing. What a copy shows is
//! never taken for the log, and the server that can write is found.

use std::sync::Arc;

use rescind::log::Scope;
use rescind::position::Seq;
use rescind::store::{RecordKind, Store, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session, sid, skip, subject};
use rescind::time::Timestamp;
use rescind_stores::postgres::PostgresStore;
use rescind_test_kit::{PASSWORD, Postgres, Proxy, or_skip};

use crate::support::{append, open, server, timed, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_shows_is_not_taken_for_the_log() {
    let Some(server) = server() else { return };
    let Some(proxy) = or_skip(Proxy::start(server.address()), skip) else { return };
    let store = open(&proxy.through(&server.url())).await.unwrap();
    store.put_record(RecordKind::USERS, "alice", 0, b"active".to_vec(), None).await.unwrap();
    let replica = server.replica().unwrap();
    server.wait_for_replica(&replica).unwrap();
    replica.pause_replay().unwrap();
    // Both are acknowledged, and the replica does not know of them.
    store.open(new_session(1, "alice")).await.unwrap();
    append(&store, cut_off(Scope::token(jti(1)))).await.unwrap();

    proxy.lead_to(replica.address());
    proxy.cut().unwrap();
    proxy.heal().unwrap();
    // The first calls may meet the connections that were cut.
    until("the replica answers", || async {
        store.health().await.is_err_and(|error| error.to_string().contains("target_session_attrs"))
    })
    .await;
    let alice = subject("alice");
    let page = rescind::store::Page { after: None, limit: 10 };
    let answers = [
        ("after", store.after(Seq::ZERO, 10).await.err()),
        ("snapshot", store.snapshot(Timestamp::EPOCH).await.err()),
        ("load", store.load(sid(1)).await.err()),
        ("sessions_of", store.sessions_of(&alice, page).await.err()),
        ("record", store.record(RecordKind::USERS, "alice").await.err()),
        ("no record", store.record(RecordKind::USERS, "bob").await.err()),
        ("records", store.records(RecordKind::USERS, None, 10).await.err()),
    ];
    for (what, error) in answers {
        let error = error.unwrap_or_else(|| panic!("{what} answers what is not known to be true any more"));
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{what}: {error}");
        assert!(error.to_string().contains("target_session_attrs=read-write"), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_one_that_says_nothing_keeps_nobody_from_the_others() {
    let Some(server) = server() else { return };
    let Some(proxy) = or_skip(Proxy::start(server.address()), skip) else { return };
    proxy.half_open().unwrap();
    let both = format!("postgres://rescind:{PASSWORD}@{},{}/rescind", proxy.address(), server.address());
    let (opened, took) = timed(open(&both)).await;
    opened.unwrap();
    assert!(took < std::time::Duration::from_secs(2), "took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_the_one_that_is_used_is_asked_once_a_connection_who_it_is() {
    let Some(server) = or_skip(Postgres::options().setting("log_statement", "all").start(), skip) else { return };
    let (address, nobody) = (server.address(), Proxy::start(server.address()).unwrap());
    nobody.cut().unwrap();
    let store = open(&format!("postgres://rescind:{PASSWORD}@{},{address}/rescind", nobody.address())).await.unwrap();
    faults_of_reads(&store).await;
    let log = server.log();
    // 2026-01-01 00:00:00.000 UTC [4711] LOG:  execute <unnamed>: SELECT …
    let asked = log.lines().filter(|line| line.contains("pg_control_system")).filter_map(|line| line.split(']').next());
    let mut backends: Vec<_> = asked.filter_map(|line| line.split('[').nth(1)).collect();
    let questions = backends.len();
    backends.sort_unstable();
    backends.dedup();
    assert!(questions > 1, "{log}");
    assert_eq!(backends.len(), questions, "{log}");
}

/// An old primary that nobody ended, and the standby that took its place; both take writes.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_that_take_writes_all_connections_lead_to_the_new_one_once_it_was_seen() {
    let Some(old) = server() else { return };
    let new = old.replica().unwrap();
    let hosts = format!("{},{}", old.address(), new.address());
    let store =
        open(&format!("postgres://rescind:{PASSWORD}@{hosts}/rescind?target_session_attrs=read-write")).await.unwrap();
    old.wait_for_replica(&new).unwrap();
    assert_eq!(faults_of_reads(&store).await, Vec::<String>::new());
    assert!(connections(&old) > 1, "it is the only one that takes writes");
    new.promote().unwrap();
    // Some connection is lost, so a new one is made, to whichever answers first.
    until("the new primary was seen", || async {
        one_is_lost(&old);
        faults_of_reads(&store).await;
        connections(&new) > 0
    })
    .await;
    until("all lead to the new one", || async { faults_of_reads(&store).await.is_empty() && connections(&old) == 0 })
        .await;
    assert!(connections(&new) > 1);
}

/// An address that moves to a standby before that is promoted, while the old primary lives on.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_made_while_its_server_recovered_is_not_used_beside_those_to_the_old_primary() {
    let Some(old) = server() else { return };
    let Some(proxy) = or_skip(Proxy::start(old.address()), skip) else { return };
    let new = old.replica().unwrap();
    let store = open(&proxy.through(&old.url())).await.unwrap();
    old.wait_for_replica(&new).unwrap();
    until("there are several connections", || async {
        assert_eq!(faults_of_reads(&store).await, Vec::<String>::new());
        connections(&old) > 3
    })
    .await;
    proxy.lead_to(new.address());
    one_is_lost(&old);
    until("a new one was made, or refused", || async {
        let faults = faults_of_reads(&store).await;
        faults.iter().any(|fault| fault.contains("target_session_attrs=read-write"))
    })
    .await;
    assert!(connections(&old) > 0, "the others still lead to the old one");
    new.promote().unwrap();
    until("the new one has answered", || async {
        faults_of_reads(&store).await;
        connections(&new) > 0
    })
    .await;
    // An answer of one says nothing of what the other one shows.
    until("all lead to the new one", || async { faults_of_reads(&store).await.is_empty() && connections(&old) == 0 })
        .await;
}

/// What goes wrong where so many read at once that several connections are used.
async fn faults_of_reads(store: &Arc<PostgresStore>) -> Vec<String> {
    let read = |n: u32| {
        let store = Arc::clone(store);
        tokio::spawn(async move { store.record(RecordKind::USERS, &format!("user-{n}")).await.err() })
    };
    let reads: Vec<_> = (0..16).map(read).collect();
    let mut faults = Vec::new();
    for read in reads {
        faults.extend(read.await.unwrap().map(|fault| fault.to_string()));
    }
    faults
}

/// A connection of the pool's breaks.
fn one_is_lost(server: &Postgres) {
    let text = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rescind' AND query NOT LIKE 'LISTEN%' \
                LIMIT 1";
    server.psql(text).unwrap();
}

/// How many connections of the pool lead to this server.
fn connections(server: &Postgres) -> u32 {
    let text = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rescind' AND query NOT LIKE 'LISTEN%'";
    server.psql(text).unwrap().trim().parse().unwrap()
}
