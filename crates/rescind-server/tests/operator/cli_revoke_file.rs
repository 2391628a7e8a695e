//! `rescind revoke … --from-file`: all lines are read before the first is sent, and the account is exact.

use std::fmt::Write;

use crate::running::{Running, rescind, run};

// holds: R32
#[test]
fn a_file_of_ids_is_revoked_and_counted() {
    let server = Running::start();
    let (mut text, mut pairs) = ("# leaked on Friday\n\n".to_owned(), Vec::new());
    for _ in 0..40 {
        let pair = server.open("alice");
        writeln!(text, "{}", pair.session).unwrap();
        pairs.push(pair);
    }
    let file = server.file("ids.txt", &text);
    assert_eq!(server.rescind(&["revoke", "session", "--from-file", &file]).ok(), "revoked 40 of 40\n");
    for pair in &pairs {
        assert_eq!(server.me(&pair.access), 401);
    }
    let again = server.rescind_with(&["revoke", "session", "--from-file", "-", "--json"], &text).json();
    assert_eq!(again.len(), 40, "twice is harmless, and each answer is a line");
}

#[test]
fn a_bad_line_is_named_and_nothing_is_sent() {
    let server = Running::start();
    let alice = server.open("alice");
    let file = server.file("ids.txt", &format!("{}\nnot an id\nnor this\n", alice.session));
    let said = server.rescind(&["revoke", "session", "--from-file", &file]).failed(1);
    assert!(said.contains("line 2") && said.contains("1 bad line") && said.contains("Nothing was revoked"), "{said}");
    assert_eq!(server.me(&alice.access), 200);
}

#[test]
fn a_line_that_the_server_refuses_is_named_and_the_others_are_done() {
    let server = Running::start();
    let alice = server.open("alice");
    let unknown = "0198c0de-0000-7000-8000-00000000abcd";
    let ran =
        server.rescind_with(&["revoke", "session", "--from-file", "-"], &format!("{unknown}\n{}\n", alice.session));
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("line 1: session 0198c0de"), "{}", ran.out);
    assert!(ran.err.contains("revoked 1 of 2, 1 refused"), "{}", ran.err);
    assert_eq!(server.me(&alice.access), 401);
}

#[test]
fn tokens_in_a_file_are_recognised_and_never_shown() {
    let server = Running::start();
    let (alice, bob) = (server.open("alice"), server.open("bob"));
    let forged = format!("{}x", alice.refresh);
    let text = format!("{}\n{}\n{forged}\n", alice.access, bob.refresh);
    let ran = server.rescind_with(&["revoke", "token", "--from-file", "-"], &text);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("revoked 2 of 3, 1 refused"), "{}", ran.err);
    assert!(!ran.out.contains("rrt_") && !ran.err.contains("rrt_"), "{ran:?}");
    assert_eq!(server.me(&alice.access), 401);
    assert!(server.is_dead(&bob));
}

#[test]
fn a_file_that_cannot_be_meant_is_refused() {
    let server = Running::start();
    assert!(server.rescind(&["revoke", "subject", "--from-file", "/no/such/file"]).failed(1).contains("/no/such/file"));
    let empty = server.file("empty.txt", "# nothing\n\n");
    assert!(server.rescind(&["revoke", "subject", "--from-file", &empty]).failed(1).contains("names nothing"));
    server.rescind(&["revoke", "all", "--yes", "--from-file", &empty]).failed(2);
    server.rescind(&["revoke", "subject", "alice", "--from-file", &empty]).failed(2);
}

#[test]
fn a_dry_run_of_a_file_ends_nothing() {
    let server = Running::start();
    let alice = server.open("alice");
    let said = server.rescind_with(&["revoke", "subject", "--from-file", "-", "--dry-run"], "alice\nbob\n").ok();
    assert!(said.contains("would revoke subject alice") && said.contains("would revoke subject bob"), "{said}");
    assert_eq!(server.me(&alice.access), 200);
}

// holds: R32
#[test]
fn a_server_that_is_gone_stops_the_run_with_an_exact_account() {
    let server = Running::start();
    let data = server.server.data();
    let text = "alice\n".repeat(100);
    let mut command = rescind(&["revoke", "subject", "--from-file", "-", "--server", "http://127.0.0.1:1"]);
    let ran = run(command.env("RESCIND_DATA", data), &text);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("revoked 0 of 100, 32 sent without an answer, 68 not tried"), "{}", ran.err);
    assert!(ran.err.contains("Is it running?"), "{}", ran.err);
}
