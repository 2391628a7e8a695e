//! Bad input to the admin API: a refusal that names what is wrong, never a 500, and nothing changed.

use serde_json::{Value, json};

use crate::running::Running;
use crate::support;

const UUID: &str = "0198c0de-0000-7000-8000-00000000abcd";

/// Method, path, body, status, and a word that the error has to name.
type Case = (&'static str, &'static str, Value, u16, &'static str);

// holds: 9
#[test]
fn a_wrong_body_is_refused_by_name() {
    let server = Running::start();
    let (post, patch) = ("POST", "PATCH");
    let cases: Vec<Case> = vec![
        (post, "/admin/v1/sessions", json!({}), 400, "subject"),
        (post, "/admin/v1/sessions", json!({"subject": ""}), 400, "subject"),
        (post, "/admin/v1/sessions", json!({"subject": 7}), 400, "string"),
        (post, "/admin/v1/sessions", json!({"subject": "a\nb"}), 400, "subject"),
        (post, "/admin/v1/sessions", json!({"subject": "x".repeat(256)}), 400, "subject"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "client_id": ""}), 400, "client_id"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "klass": "x"}), 400, "klass"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "class": "x"}), 400, "class"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "class": "fixed"}), 400, "secret"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "claims": []}), 400, "map"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "scope": "a  b"}), 400, "scope"),
        (post, "/admin/v1/sessions", json!({"subject": "a", "device": "x".repeat(201)}), 400, "device"),
        (post, "/admin/v1/revocations", json!({}), 400, "scope or token"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "token": "x"}), 400, "scope or token"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "user", "id": "a"}}), 400, "scope.kind"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "subject"}}), 400, "scope.id"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all", "id": "x"}}), 400, "all"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": "x"}}), 400, "session id"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": "no id"}}), 400, "session id"),
        (
            post,
            "/admin/v1/revocations",
            json!({"scope": {"kind": "token", "id": UUID.to_uppercase()}}),
            400,
            "token id",
        ),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all", "of": 1}}), 400, "of"),
        (post, "/admin/v1/revocations", json!({"scope": ["subject", "a"], "reason": "x"}), 400, "expected an object"),
        (post, "/admin/v1/revocations", json!({"scope": "all"}), 400, "expected an object"),
        (post, "/admin/v1/revocations", json!([{"kind": "all"}, null, "x"]), 400, "no JSON object"),
        (post, "/admin/v1/users", json!(["mallory", "password1234"]), 400, "no JSON object"),
        (patch, "/admin/v1/users/demo", json!([true, null]), 400, "no JSON object"),
        (post, "/admin/v1/keys/rotate", json!([]), 400, "no JSON object"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "reason": ""}), 400, "reason"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "reason": "x".repeat(201)}), 400, "reason"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "why": "x"}), 400, "why"),
        (post, "/admin/v1/revocations", json!({"token": "a.b.c"}), 400, "token"),
        (post, "/admin/v1/revocations", json!({"token": "rrt_AAAA"}), 400, "token"),
        (post, "/admin/v1/revocations?wait=here", json!({"scope": {"kind": "all"}}), 400, "wait"),
        (post, "/admin/v1/revocations?wiat=everywhere", json!({"scope": {"kind": "all"}}), 400, "wiat"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": UUID}}), 404, "session"),
        (post, "/admin/v1/revocations", json!({"scope": {"kind": "key", "id": "none"}}), 404, "key"),
        (post, "/admin/v1/users", json!({"username": "a"}), 400, "password"),
        (post, "/admin/v1/users", json!({"username": " a", "password": "long enough"}), 400, "username"),
        (post, "/admin/v1/users", json!({"username": "a", "password": "short"}), 400, "password"),
        (post, "/admin/v1/users", json!({"username": "demo", "password": "long enough"}), 409, "exists"),
        (post, "/admin/v1/users", json!({"username": "a", "password": "long enough", "admin": true}), 400, "admin"),
        (patch, "/admin/v1/users/demo", json!({}), 400, "disabled"),
        (patch, "/admin/v1/users/demo", json!({"disabled": "yes"}), 400, "boolean"),
        (patch, "/admin/v1/users/demo", json!({"disabled": true, "x": 1}), 400, "x"),
        (patch, "/admin/v1/users/nobody", json!({"disabled": true}), 404, "user"),
        (post, "/admin/v1/keys/rotate", json!({"algorithm": "HS256"}), 400, "algorithm"),
        (post, "/admin/v1/inspect", json!({}), 400, "token"),
        (post, "/admin/v1/inspect", json!({"token": 1}), 400, "string"),
    ];
    for (method, path, body, status, word) in cases {
        let (found, answer) = server.ask(method, path, Some(body.clone()));
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        assert!(said.contains(word), "{method} {path} {body}: {answer} does not name {word}");
        assert!(answer["error"].is_string(), "{answer}");
        assert!(!said.contains("Json") && !said.contains("Request"), "{answer} names a type of the inside");
    }
    assert_eq!(server.get("/admin/v1/revocations").1["head"], 0, "nothing was revoked");
    assert!(server.sign_in("demo", "demo").is_ok(), "nobody was disabled");
}

#[test]
fn a_wrong_path_or_query_is_refused_by_name() {
    let server = Running::start();
    let cases = [
        ("GET", "/admin/v1/sessions", 400, "subject"),
        ("GET", "/admin/v1/sessions?subject=", 400, "subject"),
        ("GET", "/admin/v1/sessions?subject=a&cursor=x", 400, "cursor"),
        ("GET", "/admin/v1/sessions?subject=a&limit=0", 400, "limit"),
        ("GET", "/admin/v1/sessions?subject=a&limit=1001", 400, "limit"),
        ("GET", "/admin/v1/sessions?subject=a&subject=b", 400, "twice"),
        ("GET", "/admin/v1/sessions?subject=a&page=2", 400, "page"),
        ("GET", "/admin/v1/sessions/x", 400, "session id"),
        ("GET", "/admin/v1/sessions/0198c0de-0000-7000-8000-00000000abcd", 404, "session"),
        ("GET", "/admin/v1/sessions/%ff", 400, "UTF-8"),
        ("GET", "/admin/v1/revocations?after=-1", 400, "after"),
        ("GET", "/admin/v1/revocations?after=99999999999999999999", 400, "after"),
        ("GET", "/admin/v1/revocations?limit=x", 400, "limit"),
        ("DELETE", "/admin/v1/revocations/x", 400, "position"),
        ("DELETE", "/admin/v1/revocations/0", 404, "entry"),
        ("DELETE", "/admin/v1/revocations/7", 404, "entry"),
        ("DELETE", "/admin/v1/keys/none", 404, "key"),
        ("GET", "/admin/v1/users?limit=0", 400, "limit"),
        ("GET", "/admin/v1/stats?x=1", 400, "x"),
        ("GET", "/admin/v2/stats", 404, "/admin/v1"),
        ("PUT", "/admin/v1/sessions", 405, "method"),
        ("DELETE", "/admin/v1/users/demo", 405, "method"),
    ];
    for (method, path, status, word) in cases {
        let (found, answer) = server.ask(method, path, None);
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{method} {path}: {answer}");
        assert!(said.contains(word), "{method} {path}: {answer} does not name {word}");
    }
}

#[test]
fn a_reserved_claim_is_refused_by_name() {
    let server = Running::start();
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "nbf", "jti", "sid", "seq", "auth_time", "scope"] {
        let body = json!({"subject": "alice", "claims": {"role": "x", claim: 1}});
        let (status, answer) = server.post("/admin/v1/sessions", body);
        assert_eq!(status, 400, "{claim}");
        assert!(answer["error_description"].as_str().unwrap().contains(claim), "{claim}: {answer}");
    }
}

#[test]
fn a_body_that_is_no_json_or_too_large_is_refused() {
    let server = Running::start();
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"subject\":\"a\"}x",
        "{\"subject\":\"a\",\"subject\":\"b\"}",
        "{\"subject\":\"\u{fffd}\\ud800\"}",
    ] {
        let (status, answer) = post_text(&server, body);
        assert_eq!(status, 400, "{body}: {answer}");
        assert_eq!(answer["error"], "invalid_request", "{body}: {answer}");
    }
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(post_text(&server, &large).0, 413);
    let headers = [("authorization", &*format!("Bearer {}", server.token)), ("content-type", support::FORM)];
    assert_eq!(server.send("POST", "/admin/v1/sessions", &headers, "subject=a").status, 400);
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let server = Running::start();
    let bearer = format!("Bearer {}", server.token);
    let answer = server.send("PUT", "/admin/v1/users", &[("authorization", &bearer)], "");
    let allow = answer.header("allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

fn post_text(server: &Running, body: &str) -> (u16, Value) {
    let headers = [("authorization", &*format!("Bearer {}", server.token)), ("content-type", support::JSON)];
    let reply = server.send("POST", "/admin/v1/sessions", &headers, body);
    (reply.status, reply.json())
}
