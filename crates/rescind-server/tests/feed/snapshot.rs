//! The snapshot: JSON that a person's tools read, and of any size.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rescind::id::Subject;
use rescind::log::{Act, NewEntry, Scope, Text};
use rescind::store::Store;
use rescind::time::Timestamp;
use rescind_stores::sqlite::SqliteStore;

use crate::followed::{admin, feed_token, following, revoke};
use crate::support::{Connection, Server, client_request, exchange, home, now};

#[test]
fn it_has_every_active_cut_off_and_what_a_follower_must_know() {
    let server = Server::dev(&["--access-lifetime", "10m"]);
    revoke(&server, "subject", "alice");
    let lifted = revoke(&server, "client", "app");
    revoke(&server, "subject", "bob");
    admin(&server, "DELETE", &format!("/admin/v1/revocations/{lifted}"), &serde_json::Value::Null);
    let bearer = format!("Bearer {}", feed_token(&server));
    let read = |query: &str| {
        let path = format!("/admin/v1/snapshot{query}");
        let reply = server_exchange(&server, &path, &bearer);
        serde_json::from_str::<serde_json::Value>(&reply).unwrap()
    };
    let whole = read("");
    assert_eq!(whole["issuer"], format!("http://{}", server.public));
    assert_eq!(whole["jwks_uri"], format!("http://{}/.well-known/jwks.json", server.public));
    assert_eq!((&whole["max_access_lifetime"], &whole["count"]), (&600.into(), &2.into()), "{whole}");
    assert_eq!(whole["head"]["seq"], 4);
    let scopes: Vec<_> = whole["cut_offs"].as_array().unwrap().iter().map(|it| it["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["subject alice", "subject bob"]);
    let later = whole["cut_offs"][1]["at"].as_u64().unwrap() + 1;
    assert_eq!(read(&format!("?since={later}"))["count"], 0);
    assert_eq!(read("?since=18446744073709551615")["cut_offs"], serde_json::json!([]));
}

/// The body without the framing of its chunks.
fn server_exchange(server: &Server, path: &str, bearer: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("http://{}{path}", server.admin);
        let asked = reqwest::Client::new().get(url).header("authorization", bearer).send().await.unwrap();
        assert_eq!(asked.status(), 200);
        asked.text().await.unwrap()
    })
}

/// **Units:** KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Writes a log of cut-offs before a server is there.
async fn long_log(data: &Path, count: usize, name: &str) {
    fs::create_dir_all(data).unwrap();
    let store = SqliteStore::open(data.join("rescind.db")).await.unwrap();
    let until = store.health().await.unwrap().now.plus(Duration::from_hours(1));
    let text = |text: &str| Text::new(text).unwrap();
    for part in (0..count).collect::<Vec<_>>().chunks(10_000) {
        let entry = |n: &usize| NewEntry {
            scope: Scope::Subject(Subject::new(format!("{name}-{n}")).unwrap()),
            act: Act::CutOff,
            reason: text("test"),
            actor: text("test"),
            remember_until: until,
        };
        store.append(part.iter().map(entry).collect()).await.unwrap();
    }
    assert_eq!(store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_are_given_out_at_once_and_whoever_comes_meanwhile_waits_for_its_turn() {
    let home = home();
    long_log(&home.path().join("data"), 40_000, &"x".repeat(200)).await;
    let server = Server::dev_in(&home, &["--write-timeout", "3s"]);
    let bearer = format!("Bearer {}", feed_token(&server));
    let headers = [("authorization", bearer.as_str())];
    let idle: Vec<_> = (0..2)
        .map(|_| {
            let mut connection = Connection::open(server.admin);
            // A small window, so that little is on the way.
            rustix::net::sockopt::set_socket_recv_buffer_size(&connection.0, 4096).unwrap();
            connection.write(&client_request("GET", "/admin/v1/snapshot", &headers, b"")).unwrap();
            connection.0.peek(&mut [0]).unwrap();
            connection
        })
        .collect();
    let third = exchange(server.admin, "GET", "/admin/v1/snapshot", &headers, b"");
    assert_eq!((third.status, third.header("retry-after")), (503, "1"), "{}", third.text());
    let follower = following(&server, server.admin).build().await.unwrap();
    assert_eq!(follower.stats().view_entries, 40_000);
    drop(idle);
}

/// 20,000 cut-offs; a million with `RESCIND_LONG=1`.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_one_is_loaded_in_bounded_memory() {
    let count: usize = if std::env::var_os("RESCIND_LONG").is_some() { 1_000_000 } else { 20_000 };
    let home = home();
    let data = home.path().join("data");
    long_log(&data, count, "user").await;
    let server = Server::dev_in(&home, &[]);
    let before = (peak(server.pid()), peak(std::process::id()));
    let begin = now();
    let follower = following(&server, server.admin).build().await.unwrap();
    let took = now().duration_since(begin).unwrap();
    let after = (peak(server.pid()), peak(std::process::id()));
    assert_eq!(follower.stats().view_entries, count);
    let (theirs, ours) = (after.0 - before.0, after.1 - before.1);
    eprintln!("{count} cut-offs in {took:?}; the server's peak grew by {theirs} KiB, the follower's by {ours} KiB");
    let each = 400 * u64::try_from(count).unwrap() / 1024 + 32 * 1024;
    assert!(theirs < each && ours < each, "{theirs} KiB and {ours} KiB, of {each} KiB");
    assert_eq!(exchange(server.admin, "GET", "/admin/v1/snapshot", &[], b"").status, 401);
}
