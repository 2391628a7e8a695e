//! Users: whoever is disabled is out at once and stays out; whoever gets a new password loses the old sessions.

use reqwest::Method;
use serde_json::json;

use crate::running::Running;

const PASSWORD: &str = "correct horse battery";

async fn change(server: &Running, name: &str, body: serde_json::Value) -> serde_json::Value {
    let (status, answer) = server.ask(Method::PATCH, &format!("/admin/v1/users/{name}"), Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_an_enabled_one_starts_anew() {
    let server = Running::start();
    let (status, user) = server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD})).await;
    assert_eq!((status.as_u16(), &user["subject"], &user["disabled"]), (201, &json!("alice"), &json!(false)));
    let before = server.sign_in("alice", PASSWORD).await.unwrap();
    let demo = server.sign_in("demo", "demo").await.unwrap();

    let answer = change(&server, "alice", json!({"disabled": true})).await;
    assert_eq!((&answer["disabled"], &answer["ended_by"]), (&json!(true), &json!(1)));
    assert!(server.is_dead(&before).await);
    assert_eq!(server.sign_in("alice", PASSWORD).await.unwrap_err(), 401);
    let (status, answer) = server.post("/admin/v1/sessions", json!({"subject": "alice"})).await;
    assert_eq!(status, 400, "no way around through a backend: {answer}");
    assert_eq!(server.me(&demo.access).await, 200, "nobody else is concerned");

    change(&server, "alice", json!({"disabled": false})).await;
    assert!(server.is_dead(&before).await, "the old session stays ended");
    let after = server.sign_in("alice", PASSWORD).await.unwrap();
    assert_eq!(server.me(&after.access).await, 200);
}

#[tokio::test]
async fn a_lifted_cut_off_does_not_let_a_disabled_user_refresh() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD})).await;
    let pair = server.sign_in("alice", PASSWORD).await.unwrap();
    change(&server, "alice", json!({"disabled": true})).await;
    server.ask(Method::DELETE, "/admin/v1/revocations/1", None).await;
    assert_eq!(server.refresh(&pair.refresh).await.unwrap_err(), 400);
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD})).await;
    let before = server.sign_in("alice", PASSWORD).await.unwrap();
    change(&server, "alice", json!({"password": "another long one"})).await;
    assert!(server.is_dead(&before).await);
    assert_eq!(server.sign_in("alice", PASSWORD).await.unwrap_err(), 401);
    let after = server.sign_in("alice", "another long one").await.expect("at once, in the same second");
    assert_eq!(server.me(&after.access).await, 200);
    let (_, log) = server.get("/admin/v1/revocations").await;
    assert_eq!(log["revocations"][0]["reason"], "password_changed");
}

#[tokio::test]
async fn users_are_listed_by_name_in_pages_without_their_passwords() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "a/b c", "password": PASSWORD})).await;
    let (_, first) = server.get("/admin/v1/users?limit=1").await;
    assert_eq!((&first["users"][0]["username"], &first["next"]), (&json!("a/b c"), &json!("a/b c")));
    let (_, rest) = server.get("/admin/v1/users?limit=5&cursor=a%2Fb%20c").await;
    assert_eq!((&rest["users"][0]["username"], &rest["next"]), (&json!("demo"), &json!(null)));
    assert!(!first.to_string().contains("argon2") && first["users"][0].get("password").is_none());
    change(&server, "a%2Fb%20c", json!({"disabled": true})).await;
}
