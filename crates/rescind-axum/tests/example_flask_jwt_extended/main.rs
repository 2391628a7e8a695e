//! The example `flask_jwt_extended` from outside: the steps of flask-jwt-extended's documents, and every error of version
//! 4.7.1 that its routes can come to, with the texts that a client of the old one knows. Texts and status were compared
//! with the old one's, request by request.
#![cfg(test)]

#[path = "../example/mod.rs"]
mod example;
mod faults;
mod listing;
mod refusals;

use std::path::Path;
use std::time::Duration;

use rescind::id::{ClientId, Subject};
use rescind::keys::Algorithm;
use rescind::refresh_token::ClientClass;
use rescind::{OpenSession, Settings, TokenPair};
use serde_json::{Value, json};
use tempfile::tempdir;

use self::example::workshop::{self, Origin};
use self::example::{Example, Reply};

const NAME: &str = "flask_jwt_extended";
const ISSUER: &str = "http://localhost:5000";
/// How long a refresh token lives.
const MONTH: Duration = Duration::from_hours(30 * 24);

/// What a client got at sign-in.
struct Tokens {
    access: String,
    refresh: String,
}

async fn login(flask: &Example) -> Tokens {
    let reply = flask.send("POST", "/login", None, Some(json!({ "username": "test", "password": "test" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    Tokens { access: reply.text("access_token"), refresh: reply.text("refresh_token") }
}

fn said(status: u16, text: &str) -> (u16, Value) {
    (status, json!({ "msg": text }))
}

fn hello() -> (u16, Value) {
    (200, json!({ "hello": "world" }))
}

fn revoked() -> (u16, Value) {
    said(401, "Token has been revoked")
}

async fn get(flask: &Example, path: &str, token: &str) -> (u16, Value) {
    flask.send("GET", path, Some(token), None).await.json()
}

async fn protected(flask: &Example, token: &str) -> (u16, Value) {
    get(flask, "/protected", token).await
}

async fn refresh(flask: &Example, token: &str) -> Reply {
    flask.send("POST", "/refresh", Some(token), None).await
}

/// The rows of `/auth/token`, each as (id, type, revoked).
async fn rows(flask: &Example, token: &str) -> Vec<(String, String, bool)> {
    let (status, rows) = get(flask, "/auth/token", token).await;
    assert_eq!(status, 200, "{rows}");
    let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
    let row = |row: &Value| (text(row, "token_id"), text(row, "token_type"), row["revoked"].as_bool().unwrap());
    rows.as_array().unwrap().iter().map(row).collect()
}

async fn put(flask: &Example, token: &str, id: &str, body: Value) -> (u16, Value) {
    flask.send("PUT", &format!("/auth/token/{id}"), Some(token), Some(body)).await.json()
}

/// A claim of a token, not believed.
fn claim(token: &str, name: &str) -> String {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()[name].as_str().unwrap().to_owned()
}

/// A session as the example opens it.
fn session(sub: &str, company: &str) -> OpenSession {
    OpenSession {
        class: ClientClass::Fixed,
        scope: Some("api fresh".to_owned()),
        claims: json!({ "company": company }).as_object().cloned(),
        ..OpenSession::new(Subject::new(sub).unwrap(), ClientId::new("flask").unwrap())
    }
}

/// What the example gives to its builder.
fn origin() -> Origin {
    let settings = Settings { idle: MONTH, absolute: MONTH, ..Settings::default() };
    Origin { issuer: ISSUER, audience: ISSUER, algorithm: Algorithm::Hs256, settings }
}

/// Opens a session as the example would have, some time ago.
async fn open(data: &Path, issuer: &'static str, ago: Duration, sub: &str, company: &str) -> TokenPair {
    workshop::open(data, Origin { issuer, ..origin() }, ago, session(sub, company)).await
}

#[tokio::test]
async fn one_logs_in_refreshes_and_logs_out_and_both_tokens_die() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    for (path, which) in [("/logout", "access"), ("/logout2", "refresh")] {
        let tokens = login(&flask).await;
        assert_eq!(protected(&flask, &tokens.access).await, hello());
        let refreshed = refresh(&flask, &tokens.refresh).await.text("access_token");
        let again = refresh(&flask, &tokens.refresh).await;
        assert_eq!(again.status, 200, "a refresh token is kept and used again: {}", again.body);
        assert_eq!(again.json().1.as_object().unwrap().len(), 1, "no new refresh token is given");
        assert_eq!(protected(&flask, &refreshed).await, hello());

        let token = if which == "access" { &tokens.access } else { &tokens.refresh };
        let done = flask.send("DELETE", path, Some(token), None).await;
        assert_eq!(done.json(), said(200, "Successfully logged out"));
        assert_eq!(flask.send("DELETE", path, Some(token), None).await.json(), revoked());
        for access in [&tokens.access, &refreshed] {
            assert_eq!(protected(&flask, access).await, revoked(), "after {path}");
        }
        assert_eq!(refresh(&flask, &tokens.refresh).await.json(), revoked(), "after {path}");
    }
    assert_eq!(protected(&flask, &login(&flask).await.access).await, hello(), "who signs in again is let in");
}

#[tokio::test]
async fn the_redis_program_s_routes_answer_in_its_own_words() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let credentials = json!({ "username": "test", "password": "test" });
    for (path, member, text) in [
        ("/auth/access_revoke", "access_token", "Access token revoked"),
        ("/auth/refresh_revoke", "refresh_token", "Refresh token revoked"),
    ] {
        let reply = flask.send("POST", "/auth/login", None, Some(credentials.clone())).await;
        assert_eq!(reply.status, 201);
        let refreshed = flask.send("POST", "/auth/refresh", Some(&reply.text("refresh_token")), None).await;
        assert_eq!((refreshed.status, refreshed.json().1.as_object().unwrap().len()), (201, 1));
        let done = flask.send("DELETE", path, Some(&reply.text(member)), None).await;
        assert_eq!(done.json(), said(200, text));
        assert_eq!(protected(&flask, &refreshed.text("access_token")).await, revoked());
        let again = flask.send("POST", "/auth/refresh", Some(&reply.text("refresh_token")), None).await;
        assert_eq!(again.json(), revoked());
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_and_whatever_else_comes_in_their_place_is_no_fault_of_ours() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let bad = said(401, "Bad username or password");
    for body in [
        json!({ "username": "test", "password": "wrong" }),
        json!({ "username": "nobody", "password": "test" }),
        json!({ "username": "test" }),
        json!({ "username": null, "password": null }),
        json!({ "username": 1, "password": ["test"] }),
        json!([]),
        json!({}),
    ] {
        for path in ["/login", "/fresh-login", "/auth/login"] {
            let reply = flask.send("POST", path, None, Some(body.clone())).await;
            assert_eq!(reply.json(), bad, "{body}");
            assert_eq!(reply.headers["www-authenticate"], "Bearer realm=\"rescind\"");
            assert_eq!(reply.headers["cache-control"], "no-store");
        }
    }
    let json = [("content-type", "application/json")];
    assert_eq!(flask.ask("POST", "/login", &json, "{").await.status, 400);
    assert_eq!(flask.ask("POST", "/login", &[], "{}").await.status, 415);
    assert_eq!(flask.ask("POST", "/login", &json, &"x".repeat(3 << 20)).await.status, 413);
}

#[tokio::test]
async fn a_token_is_fresh_from_a_sign_in_and_never_from_a_refresh() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let tokens = login(&flask).await;
    assert_eq!(get(&flask, "/protected-fresh", &tokens.access).await, hello());
    let refreshed = refresh(&flask, &tokens.refresh).await.text("access_token");
    let stale = flask.send("GET", "/protected-fresh", Some(&refreshed), None).await;
    assert_eq!(stale.json(), said(401, "Fresh token required"));
    // RFC 9470 §3: another token does not help, another sign-in does.
    let challenge = stale.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    let credentials = json!({ "username": "test", "password": "test" });
    let reply = flask.send("POST", "/fresh-login", None, Some(credentials)).await;
    assert_eq!(reply.json().1.as_object().unwrap().len(), 1, "the access token alone");
    assert_eq!(get(&flask, "/protected-fresh", &reply.text("access_token")).await, hello());
}

#[tokio::test]
async fn what_was_revoked_stays_so_through_a_power_cut_and_what_was_given_again_too() {
    let home = tempdir().unwrap();
    let flask = Example::start(NAME, home.path()).await;
    let (out, gone, back, kept) = (login(&flask).await, login(&flask).await, login(&flask).await, login(&flask).await);
    flask.send("DELETE", "/logout", Some(&out.access), None).await;
    for (tokens, last) in [(&gone, true), (&back, false)] {
        for revoke in [true, last] {
            put(&flask, &kept.access, &claim(&tokens.access, "sid"), json!({ "revoke": revoke })).await;
        }
    }
    let before = rows(&flask, &kept.access).await;
    flask.kill().await;
    let flask = Example::start(NAME, home.path()).await;
    for dead in [&out, &gone] {
        assert_eq!(protected(&flask, &dead.access).await, revoked());
        assert_eq!(refresh(&flask, &dead.refresh).await.json(), revoked());
    }
    for alive in [&back, &kept] {
        assert_eq!(protected(&flask, &alive.access).await, hello());
    }
    assert_eq!(rows(&flask, &kept.access).await, before);
    assert_eq!(refresh(&flask, &kept.refresh).await.status, 200);
}
