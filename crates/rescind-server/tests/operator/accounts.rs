//! Users who sign in at a provider, as the admin API and the command line see them. No provider is asked for any of it.

use serde_json::json;

use crate::running::Running;

const ISSUER: &str = "http://localhost:9";
const ACCOUNT: &str = "http://localhost:9|7/é";
const PATH: &str = "/admin/v1/users/http%3A%2F%2Flocalhost%3A9%7C7%2F%C3%A9";

fn start() -> Running {
    Running::with(&["--oidc-name", "acme", "--oidc-issuer", ISSUER, "--oidc-client-id", "x"])
}

#[test]
fn an_account_is_added_in_advance_and_listed_with_its_provider() {
    let server = start();
    let add = || server.post("/admin/v1/users", json!({"issuer": ISSUER, "subject": "7/é"}));
    let (status, user) = add();
    assert_eq!((status, &user["subject"], &user["disabled"]), (201, &json!(ACCOUNT), &json!(false)), "{user}");
    let account = json!({"issuer": ISSUER, "subject": "7/é", "email": null, "email_verified": null});
    assert_eq!(user["account"], account);
    assert_eq!(add().0, 409);
    let (_, list) = server.get("/admin/v1/users");
    assert!(list["users"].as_array().unwrap().iter().any(|user| user["account"] == account), "{list}");
    let demo = list["users"].as_array().unwrap().iter().find(|user| user["username"] == "demo").unwrap();
    assert!(demo.get("account").is_none(), "{demo}");
}

#[test]
fn what_names_no_account_is_refused() {
    let server = start();
    for (body, word) in [
        (json!({"issuer": "http://localhost:9/", "subject": "7"}), ISSUER),
        (json!({"issuer": ISSUER}), "issuer and subject"),
        (json!({"subject": "7"}), "issuer and subject"),
        (json!({"issuer": ISSUER, "subject": "7", "username": "alice"}), "issuer and subject"),
        (json!({"issuer": ISSUER, "subject": "7", "password": "correct horse"}), "issuer and subject"),
        (json!({"issuer": ISSUER, "subject": ""}), "subject"),
        (json!({"issuer": ISSUER, "subject": "a\nb"}), "control character"),
        (json!({"issuer": ISSUER, "subject": "x".repeat(256)}), "255"),
        (json!({"username": ACCOUNT, "password": "correct horse"}), "account at a provider"),
    ] {
        let (status, answer) = server.post("/admin/v1/users", body.clone());
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")), "{body}");
        assert!(answer["error_description"].as_str().unwrap().contains(word), "{body}: {answer}");
    }
    assert_eq!(server.get("/admin/v1/users").1["users"].as_array().unwrap().len(), 1, "only demo");
}

#[test]
fn a_disabled_account_is_out_at_once_and_has_no_way_around() {
    let server = start();
    server.post("/admin/v1/users", json!({"issuer": ISSUER, "subject": "7/é"}));
    let pair = server.open(ACCOUNT);
    assert_eq!(server.me(&pair.access), 200);
    let (status, answer) = server.ask("PATCH", PATH, Some(json!({"disabled": true})));
    assert_eq!((status, &answer["disabled"], &answer["ended_by"]), (200, &json!(true), &json!(1)), "{answer}");
    assert!(server.is_dead(&pair));
    assert_eq!(server.post("/admin/v1/sessions", json!({"subject": ACCOUNT})).0, 400);
    let (status, answer) = server.ask("DELETE", "/admin/v1/revocations/1", None);
    assert_eq!(status, 409);
    let remedy = answer["error_description"].as_str().unwrap();
    assert!(remedy.contains("rescind users enable 'http://localhost:9|7/"), "as a shell takes it: {remedy}");
    assert_eq!(server.ask("PATCH", PATH, Some(json!({"disabled": false}))).0, 200);
    assert_eq!(server.post("/admin/v1/sessions", json!({"subject": ACCOUNT})).0, 200);
}

#[test]
fn an_account_has_no_password_and_takes_none() {
    let server = start();
    server.post("/admin/v1/users", json!({"issuer": ISSUER, "subject": "7/é"}));
    let (status, answer) = server.ask("PATCH", PATH, Some(json!({"password": "correct horse"})));
    assert_eq!(status, 400);
    assert!(answer["error_description"].as_str().unwrap().contains("no password here"), "{answer}");
    for password in ["correct horse", ""] {
        assert_eq!(server.sign_in(ACCOUNT, password).unwrap_err(), 401);
    }
}

#[test]
fn an_account_is_managed_by_the_command_line_too() {
    let server = start();
    let added = server.rescind(&["users", "add", "--issuer", ISSUER, "--subject", "7/é"]).ok();
    assert_eq!(added, format!("added {ACCOUNT}\n"));
    let list = server.rescind(&["users", "list"]).ok();
    let line = list.lines().find(|line| line.starts_with(ACCOUNT)).unwrap();
    assert!(line.contains("yes") && line.contains("not told yet"), "{list}");
    let pair = server.open(ACCOUNT);
    assert!(server.rescind(&["users", "disable", ACCOUNT]).ok().starts_with(&format!("disabled {ACCOUNT}: all")));
    assert!(server.is_dead(&pair));
    server.rescind(&["users", "enable", ACCOUNT]).ok();
    for wrong in [
        &["users", "add"][..],
        &["users", "add", "--issuer", ISSUER],
        &["users", "add", "--subject", "7"],
        &["users", "add", "alice", "--issuer", ISSUER, "--subject", "7"],
        &["users", "add", "--issuer", ISSUER, "--subject", "7", "--password-stdin"],
    ] {
        server.rescind(wrong).failed(2);
    }
    let refused = server.rescind(&["users", "add", "--issuer", "https://no.example", "--subject", "7"]).failed(1);
    assert!(refused.contains(ISSUER), "{refused}");
}
