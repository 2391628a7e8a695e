//! The feed token: made at first start, and good for the log alone.

use std::os::unix::fs::PermissionsExt;

use crate::followed::feed_token;
use crate::support::{JSON, Reply, Server, exchange, home};

fn ask(server: &Server, method: &str, path: &str, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("accept", JSON), ("content-type", JSON)];
    exchange(server.admin, method, path, &headers, b"")
}

#[test]
fn it_reads_the_log_and_is_forbidden_everything_else() {
    let server = Server::dev(&[]);
    let (feed, admin) = (feed_token(&server), server.admin_token());
    let mode = server.data().join("feed-token").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for path in ["/admin/v1/feed?after=0", "/admin/v1/snapshot"] {
        for token in [&feed, &admin] {
            let reply = ask(&server, "GET", path, token);
            assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{path}: {}", reply.text());
        }
        assert_eq!(ask(&server, "GET", path, "wrong").status, 401, "{path}");
        assert_eq!(ask(&server, "POST", path, &feed).status, 405, "{path}");
        assert_eq!(exchange(server.admin, "GET", path, &[], b"").status, 401, "{path}");
    }
    for (method, path) in [
        ("POST", "/admin/v1/sessions"),
        ("GET", "/admin/v1/sessions?subject=a"),
        ("POST", "/admin/v1/revocations"),
        ("GET", "/admin/v1/revocations"),
        ("DELETE", "/admin/v1/revocations/1"),
        ("GET", "/admin/v1/users"),
        ("GET", "/admin/v1/keys"),
        ("POST", "/admin/v1/keys/rotate"),
        ("GET", "/admin/v1/nodes"),
        ("GET", "/admin/v1/stats"),
        ("GET", "/metrics"),
        ("GET", "/admin/v1/feed/"),
        ("GET", "/no-such-route"),
    ] {
        assert_eq!(ask(&server, method, path, &feed).status, 403, "{method} {path}");
    }
    assert_eq!(server.get("/me", Some(&feed)).status, 401, "it is no access token");
}

#[test]
fn it_outlives_a_restart() {
    let home = home();
    let server = Server::dev_in(&home, &[]);
    let first = feed_token(&server);
    server.stop();
    let server = Server::dev_in(&home, &[]);
    assert_eq!(feed_token(&server), first);
}

#[test]
fn what_is_no_position_is_a_bad_request() {
    let server = Server::dev(&[]);
    let token = feed_token(&server);
    let queries =
        ["", "?after=", "?after=x", "?after=-1", "?after=9007199254740992", "?after=1&after=2", "?after=1&before=2"];
    for query in queries {
        let reply = ask(&server, "GET", &format!("/admin/v1/feed{query}"), &token);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{query}");
    }
    for query in ["?after=0&limit=0", "?after=0&limit=4097", "?after=0&limit=x"] {
        assert_eq!(ask(&server, "GET", &format!("/admin/v1/feed{query}"), &token).status, 400, "{query}");
    }
    assert_eq!(ask(&server, "GET", "/admin/v1/snapshot?since=x", &token).status, 400);
    let beyond = ask(&server, "GET", "/admin/v1/feed?after=99", &token);
    assert_eq!((beyond.status, beyond.error().as_str()), (410, "gone"), "{}", beyond.text());
    assert_eq!(beyond.json()["head"]["seq"], 0);
}
