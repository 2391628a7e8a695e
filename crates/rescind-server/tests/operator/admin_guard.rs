//! Who is let in: the admin token, and nothing else, on every path.

use reqwest::StatusCode;

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

#[tokio::test]
async fn every_path_asks_for_the_admin_token() {
    let server = Running::start();
    let access = server.open("alice").await.access;
    let wrong = server.token.chars().rev().collect::<String>();
    for (method, path) in ROUTES {
        let request = || server.http().request(method.parse().unwrap(), format!("{}{path}", server.admin));
        let without = request().send().await.unwrap();
        assert_eq!(without.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(without.headers()["www-authenticate"], "Bearer realm=\"rescind-admin\"", "{method} {path}");
        for bad in [&wrong, &access, &String::new(), &server.token[1..].to_owned()] {
            let refused = request().bearer_auth(bad).send().await.unwrap();
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"), "{method} {path}");
        }
        let twice = request().header("authorization", format!("Bearer {}", server.token)).bearer_auth(&server.token);
        let twice = twice.send().await.unwrap();
        assert_eq!(twice.status(), StatusCode::UNAUTHORIZED, "{method} {path}: the header twice");
        let basic = request().basic_auth("admin", Some(&server.token)).send().await.unwrap();
        assert_eq!(basic.status(), StatusCode::UNAUTHORIZED, "{method} {path}: Basic");
    }
    // The first wrong request has changed nothing.
    assert_eq!(server.me(&access).await, 200);
}

#[tokio::test]
async fn the_admin_token_is_no_access_token_and_the_public_listener_has_no_admin_routes() {
    let server = Running::start();
    assert_eq!(server.me(&server.token).await, 401);
    let stats = server.http().get(format!("{}/admin/v1/stats", server.public)).bearer_auth(&server.token);
    assert_eq!(stats.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn no_answer_may_be_kept_by_a_cache() {
    let server = Running::start();
    for path in ["/admin/v1/stats", "/admin/v1/keys", "/metrics", "/no-such-route"] {
        let answer = server.http().get(format!("{}{path}", server.admin)).bearer_auth(&server.token).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn numbers_are_there_for_people_and_for_prometheus() {
    let server = Running::start();
    server.open("alice").await;
    let (status, stats) = server.get("/admin/v1/stats").await;
    assert_eq!(status, 200);
    assert_eq!((&stats["ready"], &stats["sessions_opened"]), (&true.into(), &1.into()), "{stats}");
    assert!(stats.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()), "flat: {stats}");
    let (_, nodes) = server.get("/admin/v1/nodes").await;
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1, "{nodes}");
    assert!(nodes["nodes"][0]["staleness_ms"].as_u64().unwrap() < 2000, "{nodes}");
    let metrics = server.http().get(format!("{}/metrics", server.admin)).bearer_auth(&server.token).send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = metrics.text().await.unwrap();
    for line in ["rescind_sessions_opened_total 1", "rescind_ready 1", "rescind_history_healed_total 0"] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
}
