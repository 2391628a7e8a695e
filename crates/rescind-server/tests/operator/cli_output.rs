//! What every command has in common: exit codes, errors that name the remedy, JSON that is JSON, no colour in a pipe.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::running::{Running, chmod, rescind, run};

const COMMANDS: [&str; 9] = ["serve", "revoke", "lift", "sessions", "users", "keys", "inspect", "log", "doctor"];

#[test]
fn help_names_every_command_and_each_has_help_of_its_own() {
    let help = run(&mut rescind(&["--help"]), "").ok();
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is missing in:\n{help}");
        let own = run(&mut rescind(&[command, "--help"]), "").ok();
        assert!(own.contains("Usage: rescind "), "{own}");
    }
    let version = run(&mut rescind(&["--version"]), "").ok();
    assert_eq!(version, format!("rescind {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_usage() {
    for wrong in [
        &[][..],
        &["frobnicate"],
        &["revoke"],
        &["revoke", "subject"],
        &["revoke", "user", "alice"],
        &["revoke", "session", "not-a-uuid"],
        &["revoke", "all", "x", "--yes"],
        &["revoke", "subject", "alice", "--reason", ""],
        &["lift"],
        &["lift", "-1"],
        &["users"],
        &["keys", "rotate", "now"],
        &["log", "--limit", "0"],
        &["log", "--server", "https://127.0.0.1:7001"],
    ] {
        run(&mut rescind(wrong), "").failed(2);
    }
}

#[test]
fn a_server_that_is_not_there_is_named_with_the_remedy() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let no_token = run(&mut rescind(&["log", "--data", data]), "").failed(1);
    assert!(no_token.contains("admin-token") && no_token.contains("--data DIR"), "{no_token}");
    let token = scratch.path().join("admin-token");
    std::fs::write(&token, "A".repeat(43)).unwrap();
    chmod(&token, 0o644);
    assert!(run(&mut rescind(&["log", "--data", data]), "").failed(1).contains("chmod 600"));
    chmod(&token, 0o600);
    let nobody = run(&mut rescind(&["log", "--data", data, "--server", "http://127.0.0.1:1"]), "").failed(1);
    assert!(
        nobody.contains("http://127.0.0.1:1") && nobody.contains("refused") && nobody.contains("rescind serve"),
        "{nobody}"
    );
    let tls = run(&mut rescind(&["log", "--data", data, "--server", "https://127.0.0.1:1"]), "").failed(2);
    assert!(tls.contains("ssh -L"), "{tls}");
}

#[test]
fn another_server_and_the_wrong_listener_are_told_apart() {
    let (server, other) = (Running::start(), Running::start());
    let wrong_token = server.rescind(&["log", "--server", &other.admin_url()]).failed(1);
    assert!(
        wrong_token.contains("refuses the admin token") && wrong_token.contains("--admin-token-file"),
        "{wrong_token}"
    );
    let token_file = other.server.data().join("admin-token");
    let right =
        server.rescind(&["log", "--server", &other.admin_url(), "--admin-token-file", token_file.to_str().unwrap()]);
    assert_eq!(right.ok(), "no revocations here yet\n");
    let public = server.rescind(&["log", "--server", &format!("http://{}", server.server.public)]).failed(1);
    assert!(public.contains("Is it the public listener"), "{public}");
}

#[test]
fn json_is_one_object_a_line_for_every_command() {
    let server = Running::start();
    let alice = server.open("alice");
    for (command, lines) in [
        (&["revoke", "subject", "bob"][..], 1),
        (&["revoke", "session", &alice.session], 1),
        (&["lift", "1"], 1),
        (&["log"], 3),
        (&["log", "--after", "1", "--limit", "1"], 1),
        (&["sessions", "alice"], 1),
        (&["users", "disable", "demo"], 1),
        (&["users", "list"], 1),
        (&["keys", "list"], 2),
        (&["keys", "rotate"], 1),
        (&["inspect", &alice.access], 1),
    ] {
        let found = server.rescind(&[command, &["--json"]].concat()).json();
        assert_eq!(found.len(), lines, "{command:?}: {found:?}");
        assert!(found.iter().all(serde_json::Value::is_object), "{command:?}: {found:?}");
    }
}

#[test]
fn nothing_that_a_device_is_called_reaches_the_terminal_as_a_command() {
    let server = Running::start();
    let body = json!({"subject": "alice", "device": "\u{202e}evil"});
    server.post("/admin/v1/sessions", body);
    let shown = server.rescind(&["sessions", "alice"]).ok();
    assert!(shown.contains("\u{fffd}evil") && !shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn the_log_shows_the_newest_and_goes_on_from_anywhere() {
    let server = Running::start();
    for number in 0..60 {
        server.post("/admin/v1/revocations", json!({"scope": {"kind": "subject", "id": format!("u{number}")}}));
    }
    let newest = server.rescind(&["log", "--json"]).json();
    assert_eq!((newest.len(), &newest[0]["seq"], &newest[49]["seq"]), (50, &json!(11), &json!(60)));
    assert_eq!(server.rescind(&["log", "--after", "0", "--json"]).json().len(), 60);
    let few = server.rescind(&["log", "--limit", "3", "--json"]).json();
    assert_eq!((few.len(), &few[0]["seq"]), (3, &json!(58)));
    assert_eq!(server.rescind(&["log", "--after", "60"]).ok(), "no revocations here yet\n");
}

#[test]
fn a_followed_log_shows_what_comes() {
    let server = Running::start();
    let mut command = rescind(&["log", "--follow", "--after", "0", "--json"]);
    let mut child = command.env("RESCIND_DATA", server.server.data()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for name in ["a", "b"] {
        server.post("/admin/v1/revocations", json!({"scope": {"kind": "subject", "id": name}}));
        let entry: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(entry["scope"]["id"], name);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let server = Running::start();
    let mut command = rescind(&["log", "--follow"]);
    let mut child = command.env("RESCIND_DATA", server.server.data()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    server.post("/admin/v1/revocations", json!({"scope": {"kind": "all"}}));
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}
