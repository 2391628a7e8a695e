//! A store that cannot be written: nothing is acknowledged, no token is spent, and none is called bad (RFC 7009 §2.2.1).
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::json;
use support::{FORM, JSON, Reply, Server, exchange, wait_until};

/// As long as this is held, nobody can write into the server's database: SQLite's writer locks a byte of this file, and
/// so do we.
fn hold_writes(server: &Server) -> File {
    let file = File::open(server.data().join("rescind.db-shm")).unwrap();
    wait_until("no writer is at work", || fcntl_lock(&file, FlockOperation::NonBlockingLockShared).is_ok());
    file
}

// holds: 33, 131, R22, R34
#[test]
fn what_the_store_cannot_take_is_503_and_is_not_done() {
    let server = Server::dev(&[]);
    let (kept, one, other) = (server.sign_in(), server.sign_in(), server.sign_in());
    let admin = format!("Bearer {}", server.admin_token());
    let browser = server.form("/login", "username=demo&password=demo");
    let cookies: Vec<_> = browser.all("set-cookie").into_iter().filter_map(|it| it.split(';').next()).collect();
    let cookies = cookies.join("; ");
    let held = hold_writes(&server);
    let bearer = format!("Bearer {}", one.access);
    let ask = |path: &str, headers: &[(&str, &str)], body: &str| server.send("POST", path, headers, body);
    let (form, json) = (("content-type", FORM), ("content-type", JSON));
    let revocation = json!({"scope": {"kind": "session", "id": other.session}, "reason": "test"}).to_string();
    let sign_in = r#"{"username":"demo","password":"demo"}"#;
    let waiting = AtomicBool::new(true);
    let (replies, checks): (Vec<(&str, Reply)>, BTreeSet<u16>) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let checked = std::iter::repeat_with(|| server.me(&kept));
            checked.take_while(|_| waiting.load(Ordering::Relaxed)).collect()
        });
        let asked = [
            scope.spawn(|| ("revoke", ask("/oauth/revoke", &[form], &format!("token={}", other.refresh)))),
            scope.spawn(|| ("log out", ask("/logout", &[("authorization", &bearer), json], "{}"))),
            scope.spawn(|| ("log a browser out", ask("/logout", &[("cookie", &cookies)], ""))),
            scope.spawn(|| ("refresh", server.refresh(&kept.refresh))),
            scope.spawn(|| ("sign in", ask("/login", &[json], sign_in))),
            scope.spawn(|| {
                let headers = [("authorization", admin.as_str()), json];
                ("cut off", exchange(server.admin, "POST", "/admin/v1/revocations", &headers, revocation.as_bytes()))
            }),
        ];
        let replies = asked.map(|thread| thread.join().unwrap()).into();
        waiting.store(false, Ordering::Relaxed);
        (replies, watcher.join().unwrap())
    });
    assert_eq!(checks, BTreeSet::from([200]), "checks need no store");
    for (what, reply) in &replies {
        assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"), "{what}");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() >= 1, "{what}");
        assert_eq!(reply.header("www-authenticate"), "", "{what}");
        assert_eq!(reply.all("set-cookie").len(), 0, "{what}: a browser can try again with what it has");
    }
    for pair in [&kept, &one, &other] {
        assert_eq!(server.me(pair), 200, "what was not acknowledged was not done");
    }
    drop(held);
    assert!(server.refreshes(&kept), "the refresh token was not spent");
    assert_eq!(server.form("/oauth/revoke", &format!("token={}", other.refresh)).status, 200);
    assert_eq!(server.me(&other), 401);
}
