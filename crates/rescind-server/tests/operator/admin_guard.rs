//! Who is let in: the admin token, and nothing else, on every path.

use crate::running::Running;

const ROUTES: [(&str, &str); 16] = [
    ("POST", "/admin/v1/sessions"),
    ("GET", "/admin/v1/sessions?subject=a"),
    ("GET", "/admin/v1/sessions/0198c0de-0000-7000-8000-00000000abcd"),
    ("POST", "/admin/v1/revocations"),
    ("GET", "/admin/v1/revocations"),
    ("DELETE", "/admin/v1/revocations/1"),
    ("GET", "/admin/v1/users"),
    ("POST", "/admin/v1/users"),
    ("PATCH", "/admin/v1/users/demo"),
    ("GET", "/admin/v1/keys"),
    ("POST", "/admin/v1/keys/rotate"),
    ("DELETE", "/admin/v1/keys/x"),
    ("GET", "/admin/v1/nodes"),
    ("GET", "/admin/v1/stats"),
    ("GET", "/metrics"),
    ("GET", "/no-such-route"),
];

// holds: 24, 27
#[test]
fn every_path_asks_for_the_admin_token() {
    let server = Running::start();
    let access = server.open("alice").access;
    let right = format!("Bearer {}", server.token);
    let reversed = server.token.chars().rev().collect::<String>();
    let wrong = [&reversed, &access, "", &server.token[1..]].map(|token| format!("Bearer {token}"));
    for (method, path) in ROUTES {
        let without = server.send(method, path, &[], "");
        let challenge = "Bearer realm=\"rescind-admin\"";
        assert_eq!((without.status, without.header("www-authenticate")), (401, challenge), "{method} {path}");
        assert!(without.json().get("error").is_none(), "RFC 6750 §3.1: {}", without.text());
        for value in wrong.iter().chain([&"Basic YTpi".to_owned(), &server.token]) {
            let refused = server.send(method, path, &[("authorization", value)], "");
            assert_eq!(refused.status, 401, "{method} {path} {value}");
            assert!(refused.header("www-authenticate").contains("invalid_token"), "{method} {path} {value}");
        }
        let twice = server.send(method, path, &[("authorization", &right), ("authorization", &right)], "");
        assert_eq!(twice.status, 401, "{method} {path}: the header twice");
    }
    assert_eq!(server.me(&access), 200, "nothing was changed");
}

#[test]
fn the_admin_token_is_no_access_token_and_the_public_listener_has_no_admin_routes() {
    let server = Running::start();
    assert_eq!(server.me(&server.token), 401);
    assert_eq!(server.server.get("/admin/v1/stats", Some(&server.token)).status, 404);
}

// holds: 1
#[test]
fn no_answer_may_be_kept_by_a_cache() {
    let server = Running::start();
    let bearer = format!("Bearer {}", server.token);
    for path in ["/admin/v1/stats", "/admin/v1/keys", "/metrics", "/no-such-route"] {
        let answer = server.send("GET", path, &[("authorization", &bearer)], "");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[test]
fn numbers_are_there_for_people_and_for_prometheus() {
    let server = Running::start();
    server.open("alice");
    let (status, numbers) = server.get("/admin/v1/stats");
    assert_eq!(status, 200);
    assert_eq!((&numbers["ready"], &numbers["sessions_opened"]), (&true.into(), &1.into()), "{numbers}");
    assert!(
        numbers.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()),
        "flat: {numbers}"
    );
    let (_, nodes) = server.get("/admin/v1/nodes");
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1, "{nodes}");
    assert!(nodes["nodes"][0]["staleness_ms"].as_u64().unwrap() < 2000, "{nodes}");
    assert_eq!((&nodes["nodes"][0]["id"], &nodes["complete"]), (&nodes["answered_by"], &true.into()), "{nodes}");
    let bearer = format!("Bearer {}", server.token);
    let metrics = server.send("GET", "/metrics", &[("authorization", &bearer)], "");
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = metrics.text();
    for line in
        ["rescind_sessions_opened_total 1", "rescind_ready 1", "rescind_nodes_live 1", "rescind_history_healed_total 0"]
    {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
}
