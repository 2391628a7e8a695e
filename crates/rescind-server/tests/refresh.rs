//! Refreshing over HTTP: the decision table from outside.

mod support;

use std::collections::HashSet;
use std::thread;

use support::{Server, wait_until};

// holds: 1, 9
#[test]
fn a_refresh_rotates_and_both_tokens_work() {
    let server = Server::dev(&[]);
    let first = server.sign_in();
    let reply = server.refresh(&first.refresh);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("pragma"), "no-cache");
    let second = reply.pair();
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(second.session, first.session);
    assert_eq!((server.me(&first), server.me(&second)), (200, 200));
    assert!(server.refreshes(&second));
}

// holds: 15, R20
#[test]
fn a_retry_within_grace_returns_the_identical_refresh_token() {
    let server = Server::dev(&[]);
    let first = server.sign_in();
    let second = server.refresh(&first.refresh).pair();
    let again = server.refresh(&first.refresh).pair();
    assert_eq!(again.refresh, second.refresh);
    assert_eq!(server.me(&again), 200);
}

// holds: R14
#[test]
fn parallel_refreshes_of_one_token_end_in_one_chain() {
    let server = Server::dev(&[]);
    let first = server.sign_in();
    let successors: HashSet<String> = thread::scope(|scope| {
        let racers: Vec<_> = (0..64).map(|_| scope.spawn(|| server.refresh(&first.refresh).pair().refresh)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(successors.len(), 1, "all converge on one successor");
    let successor = successors.into_iter().next().unwrap();
    assert_eq!(server.refresh(&successor).status, 200);
}

// holds: 10
#[test]
fn a_spent_token_ends_its_session_and_nothing_else_of_the_user() {
    let server = Server::dev(&["--grace", "0s"]);
    let (first, other) = (server.sign_in(), server.sign_in());
    let second = server.refresh(&first.refresh).pair();
    let replay = server.refresh(&first.refresh);
    assert_eq!((replay.status, replay.error().as_str()), (400, "invalid_grant"));
    assert_eq!((server.me(&first), server.me(&second)), (401, 401));
    assert!(!server.refreshes(&second));
    assert_eq!(server.me(&other), 200);
    assert!(server.refreshes(&other));
    assert!(server.log().contains("refresh_reuse"), "the reuse is logged under its reason");
}

#[test]
fn a_token_two_generations_old_ends_the_session_within_grace_too() {
    let server = Server::dev(&[]);
    let first = server.sign_in();
    let second = server.refresh(&first.refresh).pair();
    let third = server.refresh(&second.refresh).pair();
    assert_eq!(server.refresh(&first.refresh).error(), "invalid_grant");
    assert_eq!(server.me(&third), 401);
    assert!(!server.refreshes(&third));
}

// holds: 13, 127, 134 (no cookie is involved)
#[test]
fn an_idle_session_is_over() {
    let server = Server::dev(&["--access-lifetime", "1s", "--session-idle", "1s", "--grace", "0s"]);
    let pair = server.sign_in();
    wait_until("the access token has expired", || server.me(&pair) == 401);
    wait_until("the session has ended", || {
        let rows = server.get("/sessions", Some(&server.sign_in().access)).json();
        rows["sessions"].as_array().unwrap().iter().all(|row| row["session_id"] != pair.session.as_str())
    });
    assert_eq!(server.refresh(&pair.refresh).error(), "invalid_grant");
}

// holds: 2, 4, 18
#[test]
fn a_refresh_request_is_read_strictly() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let token = &pair.refresh;
    for (body, error) in [
        (format!("grant_type=refresh_token&refresh_token={token}&refresh_token={token}"), "invalid_request"),
        (format!("grant_type=refresh_token&grant_type=refresh_token&refresh_token={token}"), "invalid_request"),
        (format!("refresh_token={token}"), "invalid_request"),
        ("grant_type=refresh_token".to_owned(), "invalid_request"),
        ("grant_type=refresh_token&refresh_token=".to_owned(), "invalid_request"),
        (format!("grant_type=password&refresh_token={token}"), "unsupported_grant_type"),
        (format!("grant_type=refresh_token&refresh_token={token}&scope=admin"), "invalid_scope"),
        (format!("grant_type=refresh_token&refresh_token={token}&client_id=other"), "invalid_grant"),
        (format!("grant_type=refresh_token&refresh_token={}", pair.access), "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=rrt_AAAA".to_owned(), "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=%ff".to_owned(), "invalid_request"),
    ] {
        let reply = server.form("/oauth/token", &body);
        assert_eq!((reply.status, reply.error().as_str()), (400, error), "{body}");
    }
    assert!(server.refreshes(&pair), "none of these has spent the token");
}

// holds: 8, 133
#[test]
fn every_flipped_bit_of_a_refresh_token_is_refused_and_harms_nobody() {
    let server = Server::dev(&["--grace", "0s"]);
    let pair = server.sign_in();
    for at in 4..pair.refresh.len() {
        let mut forged = pair.refresh.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(server.refresh(&forged).error(), "invalid_grant", "{forged}");
    }
    assert!(server.refreshes(&pair));
}

#[test]
fn json_is_read_too() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let body = serde_json::json!({ "grant_type": "refresh_token", "refresh_token": pair.refresh });
    assert_eq!(server.json("/oauth/token", &body).status, 200);
}
