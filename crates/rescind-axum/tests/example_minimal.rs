//! The example `minimal` from outside, and the documentation's first program beside it.
#![cfg(test)]

mod example;

use std::path::Path;

use example::Example;
use serde_json::{Value, json};
use tempfile::TempDir;

async fn sign_in(example: &Example) -> (String, String) {
    let body = json!({ "username": "demo", "password": "demo" });
    let reply = example.send("POST", "/login", None, Some(body)).await;
    (reply.text("access_token"), reply.text("refresh_token"))
}

async fn protected(example: &Example, access: &str) -> u16 {
    example.send("GET", "/protected", Some(access), None).await.status
}

async fn refresh(example: &Example, token: &str) -> (u16, Value) {
    example.send("POST", "/refresh", None, Some(json!({ "refresh_token": token }))).await.json()
}

#[tokio::test]
async fn the_whole_way_from_sign_in_to_logout_everywhere() {
    let home = TempDir::new().unwrap();
    let example = Example::start("minimal", home.path()).await;
    let wrong = json!({ "username": "demo", "password": "wrong" });
    let reply = example.send("POST", "/login", None, Some(wrong)).await;
    assert_eq!((reply.status, reply.text("error").as_str()), (401, "invalid_grant"));

    let (access, token) = sign_in(&example).await;
    let (other, _) = sign_in(&example).await;
    let reply = example.send("GET", "/protected", Some(&access), None).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello demo"));
    assert_eq!(example.send("GET", "/protected", None, None).await.status, 401);
    assert_eq!(protected(&example, &token).await, 401, "a refresh token is no access token");

    let (status, pair) = refresh(&example, &token).await;
    assert_eq!(status, 200, "{pair}");
    assert_eq!(protected(&example, pair["access_token"].as_str().unwrap()).await, 200);

    assert_eq!(example.send("POST", "/logout", Some(&access), None).await.json().1["ended"], 1);
    assert_eq!(protected(&example, &access).await, 401);
    assert_eq!(protected(&example, pair["access_token"].as_str().unwrap()).await, 401);
    let (status, refused) = refresh(&example, pair["refresh_token"].as_str().unwrap()).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    assert_eq!(protected(&example, &other).await, 200, "one session alone");

    let (third, _) = sign_in(&example).await;
    let sessions = example.send("GET", "/sessions", Some(&third), None).await.json().1;
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2);
    let everywhere = example.send("POST", "/logout", Some(&third), Some(json!({ "scope": "all" }))).await;
    assert_eq!(everywhere.status, 200);
    assert_eq!((protected(&example, &third).await, protected(&example, &other).await), (401, 401));

    // What was acknowledged outlives a power cut, and keys and sessions do too.
    let (living, _) = sign_in(&example).await;
    example.kill().await;
    let example = Example::start("minimal", home.path()).await;
    assert_eq!((protected(&example, &third).await, protected(&example, &access).await), (401, 401));
    assert_eq!(protected(&example, &living).await, 200);
}

#[test]
fn the_documentation_s_service_has_at_most_20_lines_and_is_this_program() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(package.join(path)).unwrap();
    let (library, program) = (read("src/lib.rs"), read("examples/minimal/main.rs"));
    let shown = library.split("//! ```\n").nth(1).unwrap().lines().filter_map(|line| line.strip_prefix("//! "));
    let shown: Vec<_> = shown.filter(|line| !line.starts_with("# ")).map(str::trim).collect();
    assert!((10..=20).contains(&shown.len()), "{} lines", shown.len());
    // What a command line gives in place of fixed names.
    let fixed = ["RootSecret", "SqliteStore", ".store(store)", "async fn main", "with_state", "axum::serve"];
    let mut rest = program.lines().map(str::trim);
    for line in shown.into_iter().filter(|line| !fixed.iter().any(|fixed| line.contains(fixed))) {
        assert!(rest.any(|own| own == line), "the example lacks, or has elsewhere: {line}");
    }
}
