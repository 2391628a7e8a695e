//! Dead links and stopped processes: a call that gets no answer ends soon, its connection is used no more, and nobody
//! else waits for long.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rescind::id::Jti;
use rescind::log::Scope;
use rescind::position::Generation;
use rescind::random::SystemRandom;
use rescind::store::{Advance, Store, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session, sid, skip};
use rescind::time::{Clock, SystemClock};
use rescind_test_kit::{Proxy, or_skip};

use crate::support::{append, open, server, timed, until};

const DATABASE: &str = "RESCIND_TEST_STOPPED_NODE";

/// What a call may last on a link that says nothing: the store's limit, and some for a busy machine.
const SILENCE: Duration = Duration::from_millis(2_500);

// holds: R34
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_link_is_found_soon_and_its_connections_are_used_no_more() {
    let Some(server) = server() else { return };
    let Some(proxy) = or_skip(Proxy::start(server.address()), skip) else { return };
    let store = open(&proxy.through(&server.url())).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    append(&store, cut_off(Scope::token(jti(1)))).await.unwrap();

    proxy.half_open().unwrap();
    let (read, took) = timed(store.load(sid(1))).await;
    assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(took < SILENCE, "a read took {took:?}");
    let (written, took) = timed(append(&store, cut_off(Scope::token(jti(2))))).await;
    assert_eq!(written.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(took < SILENCE, "a write took {took:?}");

    proxy.heal().unwrap();
    let (read, took) = timed(async {
        until("the store answers again", || async { store.load(sid(1)).await.is_ok() }).await;
    })
    .await;
    let () = read;
    assert!(took < SILENCE, "back after {took:?}");
    assert_eq!(append(&store, cut_off(Scope::token(jti(3)))).await.unwrap().scope, Scope::token(jti(3)));
}

// holds: R34
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_is_unavailable_and_comes_back() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    server.pause().unwrap();
    let (moved, took) = timed(store.advance(sid(1), Generation::FIRST, Generation::new(1))).await;
    server.resume().unwrap();
    assert_eq!(moved.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(took < SILENCE, "took {took:?}");
    until("the store answers again", || async { store.load(sid(1)).await.is_ok() }).await;
    // Whether it happened is found by reading, and from there it goes on.
    let at = store.load(sid(1)).await.unwrap().unwrap().session.generation;
    assert!(at <= Generation::new(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_while_it_writes_holds_up_no_other() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["links::a_node_writes_until_it_is_killed", "--exact", "--nocapture"])
            .env(DATABASE, server.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Once it is at it, it may be stopped anywhere: also between asking for the lock and hearing of the commit.
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let lines = 40 + round * 17;
        assert_eq!(said.by_ref().filter(|line| line.contains("wrote")).take(lines).count(), lines);
        signal(&child, "STOP");
        let (written, took) = timed(append(&store, cut_off(Scope::token(jti(1))))).await;
        written.unwrap();
        assert!(took < Duration::from_secs(1), "in round {round} an append waited {took:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn signal(child: &std::process::Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Not a test of its own: what the test above runs in its child.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_writes_until_it_is_killed() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let store = open(&url).await.unwrap();
    let writers: Vec<_> = (0..32)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                loop {
                    let jti = Jti::generate(SystemClock.wall(), &SystemRandom).unwrap();
                    append(&store, cut_off(Scope::token(jti))).await.unwrap();
                    println!("wrote {jti}");
                }
            })
        })
        .collect();
    for writer in writers {
        let () = writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_is_made_again() {
    let Some(server) = server() else { return };
    let Some(proxy) = or_skip(Proxy::start(server.address()), skip) else { return };
    let store = open(&proxy.through(&server.url())).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    proxy.cut().unwrap();
    let error = store.load(sid(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    proxy.heal().unwrap();
    until("the store answers again", || async { store.load(sid(1)).await.is_ok() }).await;
    let moved = store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.unwrap();
    assert!(matches!(moved, Advance::Advanced(_)));
}
