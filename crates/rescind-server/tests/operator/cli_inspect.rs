//! `rescind inspect`: why would this token be refused now? Each refusal has its sentence.

use serde_json::json;

use crate::running::{Pair, Running, rescind, run};
use crate::support::wait_until;

/// What inspect says of a token: accepted, the stable word, and the sentence.
fn inspect(server: &Running, token: &str) -> (serde_json::Value, String, String) {
    let found = server.rescind(&["inspect", token, "--json"]).json().remove(0);
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (found["accepted"].clone(), text("refused"), text("explanation"))
}

/// The token with another last character of its signature or MAC, in the same alphabet.
fn altered(token: &str) -> String {
    let place = token.len() - 10;
    let other = if &token[place..=place] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..place], &token[place + 1..])
}

#[test]
fn a_good_token_is_shown_whole() {
    let server = Running::start();
    let alice = server.open("alice");
    let shown = server.rescind(&["inspect", &alice.access]).ok();
    for part in ["It would be accepted now", "kind: access", "alg  EdDSA", "sub        alice", &alice.session] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    // An access token lives up to 5 % shorter than 15 minutes.
    let lives = |line: &str| line.contains("Z, in 14 min") || line.contains("Z, in 15 min");
    assert!(shown.lines().any(|line| line.contains("exp") && lives(line)), "{shown}");
    let from_stdin = server.rescind_with(&["inspect", "-"], &alice.refresh).ok();
    assert!(from_stdin.contains("kind: refresh") && from_stdin.contains(&alice.session), "{from_stdin}");
    assert!(server.refresh(&alice.refresh).is_ok(), "looking spends nothing");
}

#[test]
fn each_scope_of_a_cut_off_is_named() {
    let server = Running::start();
    let current = server.rescind(&["keys", "list", "--json"]).json();
    let kid = current.iter().find(|key| key["state"] == "current").unwrap()["kid"].as_str().unwrap().to_owned();
    let pairs: Vec<Pair> =
        vec![server.open("token"), server.open("session"), server.open("subject"), server.open("client")];
    let jti_of = |pair: &Pair| {
        let found = server.rescind(&["inspect", &pair.access, "--json"]).json().remove(0);
        found["claims"]["jti"].as_str().unwrap().to_owned()
    };
    let ids = [
        ("token", jti_of(&pairs[0])),
        ("session", pairs[1].session.clone()),
        ("subject", "subject".to_owned()),
        ("client", "rescind".to_owned()),
    ];
    for (pair, (kind, id)) in pairs.iter().zip(&ids) {
        server.rescind(&["revoke", kind, id, "--reason", "drill"]).ok();
        let (accepted, word, _) = inspect(&server, &pair.access);
        assert_eq!((accepted, word.as_str()), (json!(false), format!("revoked_{kind}").as_str()));
        let shown = server.rescind(&["inspect", &pair.access]).ok();
        assert!(shown.starts_with(&format!("Refused: a cut-off on {kind} {id} covers it.")), "{shown}");
        assert!(shown.lines().nth(1).unwrap().contains("by admin-api: drill"), "{shown}");
    }
    let refresh = server.rescind(&["inspect", &pairs[1].refresh]).ok();
    assert!(refresh.starts_with("Refused: a cut-off on client rescind covers it."), "the newest of all: {refresh}");

    let last = server.open("key");
    server.rescind(&["keys", "revoke", &kid]).ok();
    let (accepted, word, _) = inspect(&server, &last.access);
    assert_eq!((accepted, word.as_str()), (json!(false), "key_revoked"));

    let all = server.open("all");
    server.rescind(&["revoke", "all", "--yes"]).ok();
    assert_eq!(inspect(&server, &all.access).1, "revoked_all");
}

#[test]
fn a_token_that_was_altered_or_is_foreign_is_explained() {
    let server = Running::start();
    let other = Running::start();
    let alice = server.open("alice");
    let foreign = other.open("alice");
    for (token, word) in [
        (altered(&alice.access), "bad_signature"),
        (foreign.access, "unknown_key"),
        (altered(&alice.refresh), "bad_mac"),
        (foreign.refresh, "bad_mac"),
        ("a.b".to_owned(), "wrong_part_count"),
        (format!("{}=", alice.access), "bad_encoding"),
        ("e30.e30.e30".to_owned(), "not_access_token"),
        ("x".repeat(17_000), "too_long"),
        ("rrt_x".to_owned(), "not_refresh_token"),
    ] {
        let (accepted, found, sentence) = inspect(&server, &token);
        assert_eq!((accepted, found.as_str()), (json!(false), word), "{sentence}");
        assert!(sentence.starts_with("Refused: "), "{sentence}");
    }
}

#[test]
fn a_spent_refresh_token_is_explained_without_ending_its_session() {
    let server = Running::with(&["--grace", "0s"]);
    let first = server.open("alice");
    let second = server.refresh(&first.refresh).unwrap();
    let (accepted, word, sentence) = inspect(&server, &first.refresh);
    assert_eq!((accepted, word.as_str()), (json!(false), "refresh_reuse"), "{sentence}");
    assert!(server.refresh(&second.refresh).is_ok(), "it was only looked at");
}

#[test]
fn an_expired_token_says_so() {
    let server = Running::with(&["--access-lifetime", "1s"]);
    let alice = server.open("alice");
    wait_until("a token of one second has expired", || server.me(&alice.access) == 401);
    assert_eq!(inspect(&server, &alice.access).1, "expired");
    let shown = server.rescind(&["inspect", &alice.access]).ok();
    assert!(shown.lines().any(|line| line.contains("exp") && line.contains(" ago")), "{shown}");
}

#[test]
fn without_a_server_what_the_text_says_is_marked_as_unverified() {
    let server = Running::start();
    let alice = server.open("alice");
    let data = server.server.data();
    let asked = |arguments: &[&str]| {
        let mut command = rescind(arguments);
        run(command.env("RESCIND_DATA", &data).env("RESCIND_SERVER", "http://127.0.0.1:1"), "")
    };
    let ran = asked(&["inspect", &alice.access]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("UNVERIFIED: the server could not be asked"), "{}", ran.out);
    assert!(ran.out.contains("sub        alice"), "{}", ran.out);
    assert!(ran.err.contains("Is it running?"), "{}", ran.err);
    let json: serde_json::Value = serde_json::from_str(&asked(&["inspect", &alice.access, "--json"]).out).unwrap();
    assert_eq!((&json["verified"], &json["accepted"]), (&json!(false), &json!(null)));
    assert!(asked(&["inspect", &alice.refresh]).out.contains("opaque"));
    let nothing = asked(&["inspect", "no token at all"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
}
