//! The demo user's way out: whoever tried the server with `--dev` and goes on with the same data directory lets nobody
//! in whose password is known to all.

mod support;

use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use support::{Pair, Server, home, serve_to_the_end};
use tempfile::TempDir;

const ISSUER: [&str; 2] = ["--issuer", "https://login.example.com"];

fn plain(home: &Arc<TempDir>) -> Server {
    Server::start(home, &ISSUER)
}

/// A session of the demo user, and the directory in which it was opened.
fn tried_out() -> (Arc<TempDir>, Pair) {
    let server = Server::dev_in(&home(), &ISSUER);
    let pair = server.sign_in();
    (server.kill(), pair)
}

fn sign_in(server: &Server, password: &str) -> u16 {
    server.json("/login", &json!({ "username": "demo", "password": password })).status
}

fn change(server: &Server, body: &serde_json::Value) -> u16 {
    let bearer = format!("Bearer {}", server.admin_token());
    let headers = [("authorization", bearer.as_str()), ("content-type", support::JSON)];
    let body = body.to_string();
    support::exchange(server.admin, "PATCH", "/admin/v1/users/demo", &headers, body.as_bytes()).status
}

#[test]
fn without_dev_the_demo_user_neither_signs_in_nor_refreshes() {
    let (home, pair) = tried_out();
    let server = plain(&home);
    assert_eq!(sign_in(&server, "demo"), 401);
    let reply = server.refresh(&pair.refresh);
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_grant"));
    assert_eq!(change(&server, &json!({ "disabled": false })), 400, "enabling alone opens nothing");
    let again = Server::dev_in(&server.kill(), &ISSUER);
    assert_eq!(sign_in(&again, "demo"), 200, "nothing was lost");
}

#[test]
fn a_password_of_its_own_makes_the_demo_user_one_like_any_other() {
    let (home, _) = tried_out();
    let server = plain(&home);
    assert_eq!(change(&server, &json!({ "password": "correct horse" })), 200);
    assert_eq!((sign_in(&server, "demo"), sign_in(&server, "correct horse")), (401, 200));
}

#[test]
fn production_does_not_start_on_a_demo_user_until_it_is_disabled() {
    let (home, _) = tried_out();
    let production = [["--production"].as_slice(), &ISSUER].concat();
    let (code, _, error) = serve_to_the_end(home.path(), &production);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("demo") && error.contains("--data") && error.contains("users disable demo"), "{error}");
    let server = plain(&home);
    assert_eq!(change(&server, &json!({ "disabled": true })), 200);
    let server = Server::start(&server.kill(), &production);
    assert_eq!(sign_in(&server, "demo"), 401);
}

#[test]
fn the_doctor_warns_of_a_demo_user_until_it_is_disabled() {
    let (home, _) = tried_out();
    let server = plain(&home);
    let warned = || {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_rescind"));
        let out = doctor.arg("doctor").arg("--data").arg(server.data()).output().unwrap();
        let out = String::from_utf8(out.stdout).unwrap();
        out.lines().any(|line| line.starts_with("warn") && line.contains("demo"))
    };
    assert!(warned());
    assert_eq!(change(&server, &json!({ "disabled": true })), 200);
    assert!(!warned());
}
