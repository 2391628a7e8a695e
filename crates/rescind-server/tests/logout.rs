//! Logging out: exactly the right sessions end, with both of their tokens, whichever token says so.

mod support;

use support::{Server, wait_until};

// holds: 11, 122, 124 (`others`), 133
#[test]
fn each_scope_ends_exactly_its_sessions() {
    let server = Server::dev(&["--sign-in-failures-per-user", "100"]);
    // Which of three sessions live on after the first logs out.
    for (scope, alive) in [("session", [false, true, true]), ("others", [true, false, false]), ("all", [false; 3])] {
        let pairs = [server.sign_in(), server.sign_in(), server.sign_in()];
        let reply = server.logout(&pairs[0].access, &format!(r#"{{"scope":"{scope}"}}"#));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["scope"], scope);
        assert!(reply.json()["seq"].as_u64().unwrap() > 0);
        for (pair, alive) in pairs.iter().zip(alive) {
            assert_eq!(server.me(pair), if alive { 200 } else { 401 }, "{scope}");
            assert_eq!(server.refreshes(pair), alive, "{scope}");
        }
    }
}

#[test]
fn the_body_may_be_left_out() {
    let server = Server::dev(&[]);
    let (pair, other) = (server.sign_in(), server.sign_in());
    let bearer = format!("Bearer {}", pair.access);
    let reply = server.send("POST", "/logout", &[("authorization", &bearer)], "");
    assert_eq!(reply.json()["ended"], 1);
    assert_eq!((server.me(&pair), server.me(&other)), (401, 200));
}

#[test]
fn logging_out_twice_is_no_error() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    assert_eq!(server.logout(&pair.access, "{}").json()["ended"], 1);
    let again = server.logout(&pair.access, "{}");
    assert_eq!((again.status, &again.json()["ended"]), (200, &0.into()));
}

#[test]
fn a_dead_session_has_no_say_over_the_others() {
    let server = Server::dev(&[]);
    let (pair, other) = (server.sign_in(), server.sign_in());
    server.logout(&pair.access, "{}");
    assert_eq!(server.logout(&pair.access, r#"{"scope":"all"}"#).json()["ended"], 0);
    assert_eq!(server.me(&other), 200);
}

#[test]
fn an_expired_access_token_logs_out() {
    let server = Server::dev(&["--access-lifetime", "1s"]);
    let pair = server.sign_in();
    wait_until("the access token has expired", || server.me(&pair) == 401);
    assert_eq!(server.logout(&pair.access, "{}").json()["ended"], 1);
    assert!(!server.refreshes(&pair));
}

#[test]
fn a_refresh_token_logs_out_from_header_json_and_form() {
    let server = Server::dev(&[]);
    let in_header = server.sign_in();
    assert_eq!(server.logout(&in_header.refresh, "{}").json()["ended"], 1);
    assert_eq!(server.me(&in_header), 401);
    let in_json = server.sign_in();
    assert_eq!(server.json("/logout", &serde_json::json!({ "refresh_token": in_json.refresh })).status, 200);
    assert_eq!(server.me(&in_json), 401);
    let in_form = server.sign_in();
    assert_eq!(server.form("/logout", &format!("scope=session&refresh_token={}", in_form.refresh)).status, 200);
    assert_eq!(server.me(&in_form), 401);
}

// holds: R17
#[test]
fn signing_in_right_after_logging_out_everywhere_lives() {
    let server = Server::dev(&[]);
    for _ in 0..10 {
        let before = server.sign_in();
        assert_eq!(server.logout(&before.access, r#"{"scope":"all"}"#).status, 200);
        let after = server.sign_in();
        assert_eq!((server.me(&before), server.me(&after)), (401, 200));
        assert!(server.refreshes(&after));
    }
}

// holds: 139
#[test]
fn nobody_is_logged_out_by_a_bad_token_or_none() {
    let server = Server::dev(&[]);
    let pair = server.sign_in();
    let (head, signature) = pair.access.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{flipped}{}", &signature[1..]);
    assert_eq!(server.logout(&forged, "{}").status, 401);
    assert_eq!(server.logout("rrt_AAAA", "{}").status, 401);
    let none = server.send("POST", "/logout", &[], "");
    assert_eq!(none.status, 401);
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"rescind\"");
    let twice = server.logout(&pair.access, &format!(r#"{{"refresh_token":"{}"}}"#, pair.refresh));
    assert_eq!((twice.status, twice.error().as_str()), (400, "invalid_request"));
    assert_eq!(server.logout(&pair.access, r#"{"scope":"everything"}"#).status, 400);
    assert_eq!(server.logout(&pair.access, r#"{"scopes":"all"}"#).status, 400);
    assert_eq!(server.send("GET", "/logout", &[("authorization", &format!("Bearer {}", pair.access))], "").status, 405);
    assert_eq!(server.me(&pair), 200);
}

// holds: 126, 130
#[test]
fn a_user_ends_own_sessions_one_by_one_and_nobody_elses() {
    let server = Server::dev(&[]);
    let (here, there) = (server.sign_in(), server.sign_in());
    let bearer = format!("Bearer {}", here.access);
    let end = |sid: &str| server.send("DELETE", &format!("/sessions/{sid}"), &[("authorization", &bearer)], "");
    let reply = end(&there.session);
    assert_eq!((reply.status, &reply.json()["ended"]), (200, &1.into()));
    assert_eq!((server.me(&here), server.me(&there)), (200, 401));
    assert!(!server.refreshes(&there));
    assert_eq!(end(&there.session).json()["ended"], 0);
    for unknown in ["0198c0de-0000-7000-8000-00000000abcd", "x", "..", "%2e%2e"] {
        assert_eq!(end(unknown).status, 404, "{unknown}");
    }
    let listed = server.get("/sessions", Some(&here.access)).json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
}
