//! Signing in: who is let in, and what a refusal tells.

mod support;

use serde_json::json;
use support::{JSON, Server};

// holds: 1
#[test]
fn a_sign_in_gives_a_pair_that_no_cache_keeps() {
    let server = Server::dev(&[]);
    let reply = server.json("/login", &json!({ "username": "demo", "password": "demo", "device": "phone" }));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let body = reply.json();
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].as_u64().unwrap() <= 900);
    assert_eq!(body["refresh_expires_in"], 14 * 86_400);
    let me = server.get("/me", Some(body["access_token"].as_str().unwrap()));
    assert_eq!(me.status, 200);
    let claims = me.json();
    assert_eq!(claims["sub"], "demo");
    assert_eq!(claims["sid"], body["session_id"]);
    assert_eq!(claims["iss"], format!("http://{}", server.public));
    let sessions = server.get("/sessions", Some(body["access_token"].as_str().unwrap())).json();
    assert_eq!(sessions["sessions"][0]["device"], "phone");
    assert_eq!(sessions["sessions"][0]["current"], true);
}

#[test]
fn a_name_with_too_many_failures_waits_and_another_does_not() {
    let server = Server::dev(&["--sign-in-failures-per-user", "3"]);
    let try_it = |name: &str, password: &str| server.json("/login", &json!({ "username": name, "password": password }));
    for _ in 0..3 {
        assert_eq!(try_it("nobody", "wrong").status, 401);
    }
    let reply = try_it("nobody", "wrong");
    assert_eq!((reply.status, reply.error().as_str()), (429, "too_many_requests"));
    assert!((1..=100).contains(&reply.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(try_it("demo", "demo").status, 200);
}

/// Signs in as somebody whom the proxies describe so.
fn through_proxies(server: &Server, forwarded_for: &str, name: &str, password: &str) -> u16 {
    let headers = [("content-type", JSON), ("x-forwarded-for", forwarded_for)];
    let body = json!({ "username": name, "password": password });
    server.send("POST", "/login", &headers, &body.to_string()).status
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_count() {
    let server = Server::dev(&["--trusted-proxies", "10.0.0.1,127.0.0.1", "--sign-in-failures-per-address", "3"]);
    for name in ["a", "b", "c"] {
        assert_eq!(through_proxies(&server, "203.0.113.1", name, "wrong"), 401);
    }
    assert_eq!(through_proxies(&server, "203.0.113.1", "demo", "demo"), 429);
    assert_eq!(through_proxies(&server, "198.51.100.7, 203.0.113.1, 10.0.0.1", "demo", "demo"), 429, "its own word");
    assert_eq!(through_proxies(&server, "203.0.113.2", "demo", "demo"), 200);
}

#[test]
fn a_stranger_does_not_choose_the_own_address() {
    let server = Server::dev(&["--sign-in-failures-per-address", "3"]);
    for (client, status) in [("203.0.113.1", 401), ("203.0.113.2", 401), ("203.0.113.3", 401), ("203.0.113.4", 429)] {
        assert_eq!(through_proxies(&server, client, client, "wrong"), status);
    }
}

#[test]
fn failures_from_elsewhere_do_not_keep_a_user_out_until_they_are_very_many() {
    let limits = ["--sign-in-failures-per-user", "2", "--sign-in-failures-per-user-in-all", "4"];
    let server = Server::dev(&[["--trusted-proxies", "127.0.0.1"].as_slice(), &limits].concat());
    for _ in 0..2 {
        assert_eq!(through_proxies(&server, "203.0.113.1", "demo", "wrong"), 401);
    }
    assert_eq!(through_proxies(&server, "203.0.113.1", "demo", "demo"), 429);
    assert_eq!(through_proxies(&server, "203.0.113.2", "demo", "demo"), 200);
    for _ in 0..2 {
        assert_eq!(through_proxies(&server, "203.0.113.3", "demo", "wrong"), 401);
    }
    assert_eq!(through_proxies(&server, "203.0.113.2", "demo", "demo"), 429);
}

#[test]
fn successes_are_not_counted() {
    let server = Server::dev(&["--sign-in-failures-per-user", "2"]);
    for _ in 0..5 {
        server.sign_in();
    }
}

#[test]
fn a_sign_in_body_is_read_strictly() {
    let server = Server::dev(&[]);
    for (body, named) in [
        (r#"{"username":"demo"}"#, "password"),
        (r#"{"username":"demo","password":"demo","admin":true}"#, "admin"),
        (r#"{"username":"demo","password":"demo","username":"x"}"#, "username"),
        (r#"{"username":"demo","password":7}"#, "string"),
        (r#"{"username":"demo","password":"demo"} x"#, "JSON"),
        ("[]", "no JSON object"),
        ("", "JSON"),
    ] {
        let reply = server.send("POST", "/login", &[("content-type", JSON)], body);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{body}");
        let description = reply.json()["error_description"].as_str().unwrap().to_owned();
        assert!(description.contains(named), "{body}: {description}");
    }
    let reply = server.send("POST", "/login", &[("content-type", "text/plain")], "{}");
    assert_eq!(reply.status, 400);
    assert_eq!(server.send("POST", "/login", &[], "x").status, 400);
}
