//! The feed on the wire: without a gap and without a duplicate under load, whatever breaks in between; and its heartbeats.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rescind::id::Subject;
use rescind::log::{Act, ChainTag, NewEntry, Scope, Text};
use rescind::store::Store;
use rescind_axum::follow::wire;
use rescind_stores::sqlite::SqliteStore;
use rustix::process::Signal;
use serde_json::Value;

use crate::followed::{BOUND, feed_token, revoke};
use crate::support::{Connection, JSON, Server, client_request, exchange, home, now, wait_until};

/// An event.
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: u64,
    data: Value,
}

/// A reader of the stream.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    pub(crate) fn open(to: SocketAddr, token: &str, path: &str, last: Option<u64>) -> Self {
        let mut connection = Connection::open(to);
        let (bearer, last) = (format!("Bearer {token}"), last.map(|last| last.to_string()));
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(last.as_deref().map(|last| ("last-event-id", last)));
        connection.write(&client_request("GET", path, &headers, b"")).unwrap();
        let mut reader = BufReader::new(connection.0.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.contains(" 200 "), "{line}");
        let mut head = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            head.push_str(&line);
        }
        assert!(head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next event; `None` at the end. Sizes of chunks are passed over: no field begins with a digit.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let (mut name, mut id) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("id", value)) => id = value.parse().unwrap(),
                Some(("data", value)) => return Some(Event { name, id, data: serde_json::from_str(value).unwrap() }),
                _ => {}
            }
        }
    }
}

/// Follows the tags, and that each position comes once and in order.
struct Chain {
    at: u64,
    tag: ChainTag,
}

impl Chain {
    fn take(&mut self, data: Value) {
        let batch: wire::Batch = serde_json::from_value(data).unwrap();
        assert_eq!(wire::tag(&batch.prev_tag).unwrap(), self.tag);
        for entry in &batch.entries {
            self.at += 1;
            assert_eq!(entry.seq.get(), self.at);
            self.tag = self.tag.next(entry);
        }
        assert_eq!(wire::tag(&batch.tag).unwrap(), self.tag);
        assert!(batch.head.seq.get() >= self.at && batch.age_ms < 2000);
    }
}

pub(crate) fn poll(server: &Server, token: &str, after: u64, limit: usize) -> Value {
    let bearer = format!("Bearer {token}");
    let path = format!("/admin/v1/feed?after={after}&limit={limit}");
    let reply = exchange(server.admin, "GET", &path, &[("authorization", &bearer), ("accept", JSON)], b"");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn under_load_it_resumes_without_a_gap_and_without_a_duplicate() {
    const REVOCATIONS: u64 = 400;
    let server = Server::dev(&[]);
    let token = feed_token(&server);
    let genesis = wire::tag(poll(&server, &token, 0, 1)["prev_tag"].as_str().unwrap()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for n in 0..REVOCATIONS / 4 {
                    revoke(server, "subject", &format!("{writer}-{n}"));
                }
            });
        }
        let polling = scope.spawn(|| {
            let mut chain = Chain { at: 0, tag: genesis };
            while !done.load(Ordering::Relaxed) || chain.at < REVOCATIONS {
                chain.take(poll(&server, &token, chain.at, 7));
            }
            chain.tag
        });
        let mut chain = Chain { at: 0, tag: genesis };
        let mut connections = 0;
        while chain.at < REVOCATIONS {
            // Every third connection says by its URL where it was, the others as a browser does.
            let (path, last) = match connections % 3 {
                0 => (format!("/admin/v1/feed?after={}", chain.at), None),
                _ => ("/admin/v1/feed?after=0".to_owned(), Some(chain.at)),
            };
            connections += 1;
            let mut events = Events::open(server.admin, &token, &path, last);
            for _ in 0..5 {
                let event = events.next().unwrap();
                if event.name == "entries" {
                    chain.take(event.data);
                }
                assert_eq!(event.id, chain.at);
                if chain.at >= REVOCATIONS {
                    break;
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(polling.join().unwrap(), chain.tag, "both forms tell the same log");
    });
}

#[test]
fn a_quiet_log_has_heartbeats_and_a_stream_ends_when_the_server_does() {
    let server = Server::dev(&[]);
    let mut events = Events::open(server.admin, &feed_token(&server), "/admin/v1/feed?after=0", None);
    let begin = now();
    for _ in 0..5 {
        let event = events.next().unwrap();
        assert_eq!((event.name.as_str(), event.id), ("heartbeat", 0));
        let beat: wire::Heartbeat = serde_json::from_value(event.data).unwrap();
        assert!(beat.age_ms < 2000);
    }
    let took = now().duration_since(begin).unwrap();
    assert!(took < 5 * BOUND, "each well within the bound: {took:?}");
    server.signal(Signal::TERM);
    wait_until("the stream ends", || events.next().is_none());
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!log.contains("cut off"), "{log}");
}

#[test]
fn who_asks_from_where_there_is_no_log_is_told_to_load_a_snapshot_and_the_stream_ends() {
    let server = Server::dev(&[]);
    revoke(&server, "subject", "alice");
    let mut events = Events::open(server.admin, &feed_token(&server), "/admin/v1/feed?after=7", None);
    let event = events.next().unwrap();
    assert_eq!(event.name, "gone");
    let gone: wire::Gone = serde_json::from_value(event.data).unwrap();
    assert_eq!(gone.head.seq.get(), 1);
    assert!(events.next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_holds_up_nobody_is_cut_off_and_resumes() {
    const ENTRIES: u64 = 20_000;
    let home = home();
    long_log(&home.path().join("data"), ENTRIES).await;
    let server = Server::dev_in(&home, &["--write-timeout", "1s"]);
    let token = feed_token(&server);
    let bearer = format!("Bearer {token}");
    let mut silent = Connection::open(server.admin);
    // A small window, so that little is on the way.
    rustix::net::sockopt::set_socket_recv_buffer_size(&silent.0, 4096).unwrap();
    silent.write(&client_request("GET", "/admin/v1/feed?after=0", &[("authorization", &bearer)], b"")).unwrap();
    wait_until("it is cut off", || silent.0.take_error().unwrap().is_some());
    let genesis = wire::tag(poll(&server, &token, 0, 1)["prev_tag"].as_str().unwrap()).unwrap();
    let (mut chain, mut events) = (Chain { at: 0, tag: genesis }, None);
    while chain.at < ENTRIES {
        let stream = events.get_or_insert_with(|| Events::open(server.admin, &token, "/admin/v1/feed", Some(chain.at)));
        let event = stream.next().unwrap();
        assert_eq!(event.name, "entries");
        chain.take(event.data);
        if chain.at < ENTRIES / 2 {
            events = None;
        }
    }
}

/// Writes a log with long texts before a server is there.
async fn long_log(data: &Path, entries: u64) {
    std::fs::create_dir_all(data).unwrap();
    let store = SqliteStore::open(data.join("rescind.db")).await.unwrap();
    let until = store.health().await.unwrap().now.plus(Duration::from_hours(1));
    let new = |n| NewEntry {
        scope: Scope::Subject(Subject::new(format!("user-{n}")).unwrap()),
        act: Act::CutOff,
        reason: Text::new("x".repeat(200)).unwrap(),
        actor: Text::new("y".repeat(200)).unwrap(),
        remember_until: until,
    };
    store.append((0..entries).map(new).collect()).await.unwrap();
}
