//! `rescind inspect`: why would this token be refused now? Each refusal has its sentence.

use serde_json::json;

use crate::running::{Pair, Running, rescind, run};

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

#[tokio::test]
async fn a_good_token_is_shown_whole() {
    let server = Running::start();
    let alice = server.open("alice").await;
    let shown = server.rescind(&["inspect", &alice.access]).ok();
    for part in ["It would be accepted now", "kind: access", "alg  EdDSA", "sub        alice", &alice.sid] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    assert!(shown.lines().any(|line| line.contains("exp") && line.contains("Z, in 14 min")), "{shown}");
    let from_stdin = server.rescind_with(&["inspect", "-"], &alice.refresh).ok();
    assert!(from_stdin.contains("kind: refresh") && from_stdin.contains(&alice.sid), "{from_stdin}");
    assert!(server.refresh(&alice.refresh).await.is_ok(), "looking spends nothing");
}

#[tokio::test]
async fn each_scope_of_a_cut_off_is_named() {
    let server = Running::start();
    let current = server.rescind(&["keys", "list", "--json"]).json();
    let kid = current.iter().find(|key| key["state"] == "current").unwrap()["kid"].as_str().unwrap().to_owned();
    let pairs: Vec<Pair> = vec![
        server.open("token").await,
        server.open("session").await,
        server.open("subject").await,
        server.open("client").await,
    ];
    let jti_of = |pair: &Pair| {
        let found = server.rescind(&["inspect", &pair.access, "--json"]).json().remove(0);
        found["claims"]["jti"].as_str().unwrap().to_owned()
    };
    let ids = [
        ("token", jti_of(&pairs[0])),
        ("session", pairs[1].sid.clone()),
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

    let last = server.open("key").await;
    server.rescind(&["keys", "revoke", &kid]).ok();
    let (accepted, word, _) = inspect(&server, &last.access);
    assert_eq!((accepted, word.as_str()), (json!(false), "key_revoked"));

    let all = server.open("all").await;
    server.rescind(&["revoke", "all", "--yes"]).ok();
    assert_eq!(inspect(&server, &all.access).1, "revoked_all");
}

#[tokio::test]
async fn a_token_that_was_altered_or_is_foreign_is_explained() {
    let server = Running::start();
    let other = Running::start();
    let alice = server.open("alice").await;
    let foreign = other.open("alice").await;
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

#[tokio::test]
async fn a_spent_refresh_token_is_explained_without_ending_its_session() {
    let server = Running::with(&["--dev", "--grace", "0s"]);
    let first = server.open("alice").await;
    let second = server.refresh(&first.refresh).await.unwrap();
    let (accepted, word, sentence) = inspect(&server, &first.refresh);
    assert_eq!((accepted, word.as_str()), (json!(false), "refresh_reuse"), "{sentence}");
    assert!(server.refresh(&second.refresh).await.is_ok(), "it was only looked at");
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let server = Running::with(&["--dev", "--access-lifetime", "1s"]);
    let alice = server.open("alice").await;
    let deadline = std::time::Duration::from_secs(10);
    let expired = async {
        while server.me(&alice.access).await != 401 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(deadline, expired).await.expect("a token of one second expires");
    assert_eq!(inspect(&server, &alice.access).1, "expired");
    let shown = server.rescind(&["inspect", &alice.access]).ok();
    assert!(shown.lines().any(|line| line.contains("exp") && line.contains(" ago")), "{shown}");
}

#[tokio::test]
async fn without_a_server_what_the_text_says_is_marked_as_unverified() {
    let server = Running::start();
    let alice = server.open("alice").await;
    let data = server.data();
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
