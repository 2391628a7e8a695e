//! The example `own_store` from outside: a service whose sessions and revocations lie in a file of its own making.
#![cfg(test)]

mod example;

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use serde_json::json;
use tempfile::tempdir;

use self::example::{Example, Reply};

const NAME: &str = "own_store";

async fn login(service: &Example) -> Reply {
    let reply = service.send("POST", "/login", None, Some(json!({ "username": "demo", "password": "demo" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

async fn me(service: &Example, pair: &Reply) -> u16 {
    service.send("GET", "/me", Some(&pair.text("access_token")), None).await.status
}

async fn refresh(service: &Example, pair: &Reply) -> Reply {
    let body = json!({ "refresh_token": pair.text("refresh_token") });
    service.send("POST", "/refresh", None, Some(body)).await
}

#[tokio::test]
async fn a_logout_outlives_a_power_cut_and_a_line_that_was_torn_by_it() {
    let home = tempdir().unwrap();
    let service = Example::start(NAME, home.path()).await;
    let (out, kept) = (login(&service).await, login(&service).await);
    assert_eq!((me(&service, &out).await, me(&service, &kept).await), (200, 200));
    let logout = service.send("POST", "/logout", Some(&out.text("access_token")), None).await.json();
    assert_eq!(logout, (200, json!({ "ended": 1, "scope": "session", "seq": 1 })));
    assert_eq!((me(&service, &out).await, refresh(&service, &out).await.status), (401, 400));
    service.kill().await;

    let file = home.path().join("rescind.jsonl");
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
    assert!(lines.contains(&out.text("session_id")), "the store is the example's own");
    assert!(!home.path().join("rescind.db").exists());
    assert!(!lines.contains(&out.text("refresh_token")) && !lines.contains(&out.text("access_token")));
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"Entries\":[{\"seq\":2").unwrap();

    let service = Example::start(NAME, home.path()).await;
    assert_eq!((me(&service, &out).await, refresh(&service, &out).await.status), (401, 400));
    let next = refresh(&service, &kept).await;
    assert_eq!((me(&service, &kept).await, me(&service, &next).await), (200, 200));
}

#[tokio::test]
async fn the_command_line_s_store_takes_the_place_of_its_own() {
    let home = tempdir().unwrap();
    let url = format!("sqlite:{}", home.path().join("other.db").display());
    let service = Example::start_with(NAME, home.path(), &["--store", &url], &[]).await;
    let pair = login(&service).await;
    service.send("POST", "/logout", Some(&pair.text("access_token")), None).await.json();
    assert_eq!(me(&service, &pair).await, 401);
    assert!(home.path().join("other.db").exists() && !home.path().join("rescind.jsonl").exists());
}

#[tokio::test]
async fn wrong_credentials_and_no_token_are_refused() {
    let home = tempdir().unwrap();
    let service = Example::start(NAME, home.path()).await;
    let wrong = service.send("POST", "/login", None, Some(json!({ "username": "demo", "password": "wrong" }))).await;
    let refused = json!({ "error": "invalid_grant", "error_description": "the user name or the password is wrong" });
    assert_eq!(wrong.json(), (401, refused));
    assert_eq!(wrong.headers["cache-control"], "no-store");
    assert!(wrong.headers.contains_key("www-authenticate"), "RFC 9110 §15.5.2: a 401 has a challenge");
    assert_eq!(service.send("GET", "/me", None, None).await.status, 401);
    assert_eq!(service.send("POST", "/logout", None, None).await.status, 401);
}
