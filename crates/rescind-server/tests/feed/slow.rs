//! Readers that take little: what is held for them is bounded, and who only wants to know what a follower must know waits
//! for none of them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use rescind::id::Subject;
use rescind::log::{Act, NewEntry, Scope, Text};
use rescind::store::Store;
use rescind_axum::follow::wire;
use rescind_stores::sqlite::SqliteStore;

use crate::followed::feed_token;
use crate::support::{Connection, Server, client_request, exchange, home, now, wait_until};

const ENTRIES: usize = 32_000;
/// An event's entries, the last one of them, and what is around.
const EVENT: usize = (64 << 10) + (2 << 10);
/// Two wait for a reader, and one for room.
const WAITING: usize = 3;

/// Writes a log of some 15 MB, and a snapshot of 6 MB, before a server is there.
async fn long_log(data: &Path) {
    std::fs::create_dir_all(data).unwrap();
    let store = SqliteStore::open(data.join("rescind.db")).await.unwrap();
    let until = store.health().await.unwrap().now.plus(Duration::from_hours(1));
    let new = |n| NewEntry {
        scope: Scope::Subject(Subject::new(format!("user-{n}-{}", "z".repeat(150))).unwrap()),
        act: Act::CutOff,
        reason: Text::new("x".repeat(200)).unwrap(),
        actor: Text::new("y".repeat(200)).unwrap(),
        remember_until: until,
    };
    for part in 0..4 {
        store.append((part * ENTRIES / 4..(part + 1) * ENTRIES / 4).map(new).collect()).await.unwrap();
    }
}

/// What the server holds for slow readers. **Units:** bytes.
fn held(server: &Server) -> usize {
    let bearer = format!("Bearer {}", server.admin_token());
    let text = exchange(server.admin, "GET", "/metrics", &[("authorization", &bearer)], b"").text();
    let line = text.lines().find_map(|line| line.strip_prefix("rescind_answers_held_bytes "));
    line.unwrap().parse().unwrap()
}

/// A reader that has asked and takes nothing.
fn idle(server: &Server, path: &str) -> Connection {
    let bearer = format!("Bearer {}", feed_token(server));
    let mut connection = Connection::open(server.admin);
    // A small window, so that little is on the way.
    rustix::net::sockopt::set_socket_recv_buffer_size(&connection.0, 4096).unwrap();
    connection.write(&client_request("GET", path, &[("authorization", &bearer)], b"")).unwrap();
    connection.0.peek(&mut [0]).unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn little_is_held_for_streams_that_are_not_read() {
    const STREAMS: usize = 12;
    let home = home();
    long_log(&home.path().join("data")).await;
    let server = Server::dev_in(&home, &[]);
    let before = held(&server);
    let idle: Vec<_> = (0..STREAMS).map(|_| idle(&server, "/admin/v1/feed?after=0")).collect();
    wait_until("each holds as many as it may", || held(&server) - before >= STREAMS * (WAITING - 1) * (60 << 10));
    let begin = now();
    while now().duration_since(begin).unwrap() < Duration::from_secs(1) {
        let held = held(&server) - before;
        assert!(held <= STREAMS * WAITING * EVENT, "{held} bytes for {STREAMS} streams");
    }
    drop(idle);
    wait_until("nothing is held for who is gone", || held(&server) == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_few_entries_and_they_are_all_told() {
    let home = home();
    long_log(&home.path().join("data")).await;
    let server = Server::dev_in(&home, &[]);
    let bearer = format!("Bearer {}", feed_token(&server));
    let mut connection = Connection::open(server.admin);
    connection.write(&client_request("GET", "/admin/v1/feed?after=0", &[("authorization", &bearer)], b"")).unwrap();
    let mut at = 0;
    for line in BufReader::new(&connection.0).lines().map(Result::unwrap) {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let batch: wire::Batch = serde_json::from_str(data).unwrap();
        assert!(batch.entries.len() <= 256 && data.len() <= EVENT, "{} in {}", batch.entries.len(), data.len());
        assert_eq!(batch.entries.first().map(|entry| entry.seq.get()), Some(at + 1));
        at += batch.entries.len() as u64;
        if at == ENTRIES as u64 {
            break;
        }
    }
    assert_eq!(at, ENTRIES as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_what_a_follower_must_know_takes_no_place_from_those_who_load() {
    let home = home();
    long_log(&home.path().join("data")).await;
    let server = Server::dev_in(&home, &[]);
    let loading: Vec<_> = (0..2).map(|_| idle(&server, "/admin/v1/snapshot")).collect();
    let bearer = format!("Bearer {}", feed_token(&server));
    let ask = |query: &str| {
        let path = format!("/admin/v1/snapshot{query}");
        exchange(server.admin, "GET", &path, &[("authorization", &bearer)], b"")
    };
    assert_eq!(ask("").status, 503, "both places are taken");
    let about = ask("?since=9223372036854775807");
    assert_eq!(about.status, 200, "{}", about.text());
    let about = about.json();
    assert_eq!((&about["count"], &about["cut_offs"]), (&0.into(), &serde_json::json!([])));
    assert_eq!(about["head"]["seq"], ENTRIES);
    assert!(about["max_access_lifetime"].as_u64().unwrap() >= 60);
    drop(loading);
}
