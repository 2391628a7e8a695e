//! `rescind revoke`, `lift`, `log`, `sessions`: the commands as an operator types them, and what they do to tokens.

use serde_json::json;

use crate::running::Running;

#[test]
fn revoke_lift_and_revoke_again() {
    let server = Running::start();
    let alice = server.open("alice");
    assert_eq!(server.me(&alice.access), 200);

    let said = server.rescind(&["revoke", "subject", "alice", "--reason", "laptop stolen"]).ok();
    assert!(said.starts_with("revoked subject alice at position 1\n"), "{said}");
    assert!(said.contains("undo with `rescind lift 1`"), "{said}");
    assert_eq!(server.me(&alice.access), 401);

    assert_eq!(server.rescind(&["lift", "1"]).ok(), "lifted 1 on subject alice, at position 2\n");
    assert_eq!(server.me(&alice.access), 200);

    let said = server.rescind(&["revoke", "subject", "alice", "--wait", "everywhere"]).ok();
    assert!(said.contains("\n  every live node refuses what it covers\n"), "{said}");
    server.rescind(&["revoke", "subject", "alice", "--wait", "here"]).failed(2);
    assert!(server.is_dead(&alice));

    let log = server.rescind(&["log"]).ok();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 4, "{log}");
    assert!(lines[1].contains("cut off") && lines[1].contains("laptop stolen"), "{log}");
    assert!(lines[2].contains("lift of 1"), "{log}");
    assert!(lines[3].starts_with("3 "), "{log}");
}

#[test]
fn wait_may_stand_anywhere_and_takes_no_id_for_a_place() {
    let server = Running::start();
    for words in [
        &["revoke", "--wait", "subject", "alice"][..],
        &["revoke", "--wait", "everywhere", "subject", "alice"],
        &["revoke", "subject", "alice", "--wait"],
        &["revoke", "subject", "--wait=everywhere", "alice"],
        &["revoke", "--reason", "left", "--wait", "client", "rescind", "--json"],
    ] {
        let alice = server.open("alice");
        let said = server.rescind(words).ok();
        let waited = said.contains("every live node refuses") || said.contains("\"applied_everywhere\":true");
        assert!(waited, "{words:?}: {said}");
        assert_eq!(server.me(&alice.access), 401, "{words:?}");
    }
    let said = server.rescind(&["revoke", "subject", "--wait", "alice"]).failed(2);
    assert!(said.contains("rescind revoke subject alice --wait"), "{said}");
}

#[test]
fn nodes_are_listed_for_people_and_for_programs() {
    let server = Running::with(&["--node", "frankfurt-1"]);
    server.rescind(&["revoke", "subject", "alice"]).ok();
    let table = server.rescind(&["nodes"]).ok();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("NODE"), "{table}");
    assert!(lines[1].starts_with("frankfurt-1 (answers)  live  "), "{table}");
    let [node] = &server.rescind(&["nodes", "--json"]).json()[..] else { panic!("one node") };
    assert_eq!((&node["id"], &node["state"], &node["applied"]), (&json!("frankfurt-1"), &json!("live"), &json!(1)));
    assert_eq!((&node["version"], &node["head"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(1)), "{node}");
}

#[test]
fn a_lift_of_what_is_not_newest_names_what_to_lift() {
    let server = Running::start();
    server.rescind(&["revoke", "subject", "alice"]).ok();
    server.rescind(&["revoke", "subject", "alice"]).ok();
    let said = server.rescind(&["lift", "1"]).failed(1);
    assert!(said.contains("1 is not the newest entry on subject alice") && said.contains("stands at 2"), "{said}");
    server.rescind(&["lift", "2"]).ok();
    assert!(server.rescind(&["lift", "2"]).failed(1).contains("lifted at 3 already"));
    assert!(server.rescind(&["lift", "9"]).failed(1).contains("no entry 9"));
    server.rescind(&["lift", "nine"]).failed(2);
}

// holds: R17
#[test]
fn log_out_everywhere_and_sign_in_again_within_the_same_second() {
    let server = Running::start();
    for _ in 0..20 {
        let before = server.sign_in("demo", "demo").unwrap();
        server.rescind(&["revoke", "subject", "demo"]).ok();
        let after = server.sign_in("demo", "demo").unwrap();
        assert_eq!((server.me(&before.access), server.me(&after.access)), (401, 200));
    }
}

#[test]
fn a_token_is_recognised_and_a_refresh_token_ends_its_session() {
    let server = Running::start();
    let alice = server.open("alice");
    let said = server.rescind(&["revoke", "token", &alice.access]).ok();
    assert!(said.starts_with("revoked token "), "{said}");
    assert_eq!(server.me(&alice.access), 401);
    let alice = server.refresh(&alice.refresh).expect("the session goes on");
    // From standard input, so that the token is in no shell's history.
    let said = server.rescind_with(&["revoke", "token", "-"], &format!("{}\n", alice.refresh)).ok();
    assert_eq!(said.lines().next(), Some(format!("revoked session {} at position 2", alice.session).as_str()));
    assert!(server.is_dead(&alice));
    assert!(server.rescind(&["revoke", "token", "a.b.c"]).failed(1).contains("none of this server's"));
}

// holds: 125, R27
#[test]
fn a_session_and_all_are_ended_by_name() {
    let server = Running::start();
    let (alice, bob) = (server.open("alice"), server.open("bob"));
    server.rescind(&["revoke", "session", &alice.session]).ok();
    assert!(server.is_dead(&alice));
    assert_eq!(server.me(&bob.access), 200);

    assert!(server.rescind(&["revoke", "all"]).failed(2).contains("--yes"), "not by accident");
    assert_eq!(server.me(&bob.access), 200);
    server.rescind(&["revoke", "all", "--yes"]).ok();
    assert!(server.is_dead(&bob));
}

// holds: R29
#[test]
fn a_dry_run_says_what_would_end_and_ends_nothing() {
    let server = Running::start();
    let alice = server.open("alice");
    server.open("alice");
    let said = server.rescind(&["revoke", "subject", "alice", "--dry-run"]).ok();
    assert_eq!(
        said,
        "would revoke subject alice\n  ends 2 live sessions (2 on record)\n  nothing was changed (--dry-run)\n"
    );
    let json = server.rescind(&["revoke", "session", &alice.session, "--dry-run", "--json"]).json();
    assert_eq!((&json[0]["dry_run"], &json[0]["live_sessions"]), (&json!(true), &json!(1)));
    for others in
        [&["client", "shop"][..], &["key", "k"], &["all"], &["token", &alice.access], &["token", &alice.refresh]]
    {
        server.rescind(&[&["revoke", "--dry-run"], others].concat()).ok();
    }
    assert_eq!(server.get("/admin/v1/revocations").1["head"], 0);
    assert_eq!(server.me(&alice.access), 200);
}

#[test]
fn sessions_are_shown_with_their_state_and_why() {
    let server = Running::start();
    let first = server.open("alice");
    server.open("alice");
    server.rescind(&["revoke", "session", &first.session, "--reason", "lost phone"]).ok();
    let shown = server.rescind(&["sessions", "alice"]).ok();
    let line = shown.lines().find(|line| line.starts_with(&first.session)).unwrap();
    assert!(line.contains("revoked") && line.contains("session cut off at 1: lost phone"), "{shown}");
    let json = server.rescind(&["sessions", "alice", "--json"]).json();
    // Those of one millisecond stand in any order.
    let mut states: Vec<_> = json.iter().map(|session| session["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["live", "revoked"]);
    assert_eq!(server.rescind(&["sessions", "nobody"]).ok(), "nobody has no sessions on record\n");
}

#[test]
fn a_revoked_key_is_gone_from_the_list_of_good_ones() {
    let server = Running::start();
    let alice = server.open("alice");
    let current = || {
        let keys = server.rescind(&["keys", "list", "--json"]).json();
        keys.iter().find(|key| key["state"] == "current").unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let first = current();
    assert!(server.rescind(&["keys", "rotate"]).ok().starts_with("now signing with "));
    let second = current();
    assert_ne!(first, second);
    assert_eq!(server.me(&alice.access), 200);
    server.rescind(&["keys", "revoke", &first, "--reason", "laptop stolen"]).ok();
    assert_eq!(server.me(&alice.access), 401);
    let shown = server.rescind(&["keys", "list"]).ok();
    assert!(shown.lines().any(|line| line.starts_with(&first) && line.contains("revoked")), "{shown}");
    assert!(server.rescind(&["keys", "revoke", "none"]).failed(1).contains("none"));
}
