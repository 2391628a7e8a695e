//! Bad input to the admin API: a refusal that names what is wrong, never a 500, and nothing changed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::running::Running;

const UUID: &str = "0198c0de-0000-7000-8000-00000000abcd";

/// Method, path, body, status, and a word that the error has to name.
type Case = (Method, &'static str, Value, u16, &'static str);

#[tokio::test]
async fn a_wrong_body_is_refused_by_name() {
    let server = Running::start();
    let (post, patch) = (Method::POST, Method::PATCH);
    let cases: Vec<Case> = vec![
        (post.clone(), "/admin/v1/sessions", json!({}), 400, "subject"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": ""}), 400, "subject"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": 7}), 400, "string"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a\nb"}), 400, "subject"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "x".repeat(256)}), 400, "subject"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "client_id": ""}), 400, "client_id"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "klass": "x"}), 400, "klass"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "class": "x"}), 400, "class"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "class": "fixed"}), 400, "secret"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "claims": []}), 400, "map"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "scope": "a  b"}), 400, "scope"),
        (post.clone(), "/admin/v1/sessions", json!({"subject": "a", "device": "x".repeat(201)}), 400, "device"),
        (post.clone(), "/admin/v1/revocations", json!({}), 400, "scope or token"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "token": "x"}), 400, "scope or token"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "user", "id": "a"}}), 400, "scope.kind"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "subject"}}), 400, "scope.id"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all", "id": "x"}}), 400, "all"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": "x"}}), 400, "session id"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": "no id"}}), 400, "session id"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "token", "id": UUID.to_uppercase()}}), 400, "token id"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all", "of": 1}}), 400, "of"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "reason": ""}), 400, "reason"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "reason": "x".repeat(201)}), 400, "reason"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "all"}, "why": "x"}), 400, "why"),
        (post.clone(), "/admin/v1/revocations", json!({"token": "a.b.c"}), 400, "token"),
        (post.clone(), "/admin/v1/revocations", json!({"token": "rrt_AAAA"}), 400, "token"),
        (post.clone(), "/admin/v1/revocations?wait=here", json!({"scope": {"kind": "all"}}), 400, "wait"),
        (post.clone(), "/admin/v1/revocations?wiat=everywhere", json!({"scope": {"kind": "all"}}), 400, "wiat"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "session", "id": UUID}}), 404, "session"),
        (post.clone(), "/admin/v1/revocations", json!({"scope": {"kind": "key", "id": "none"}}), 404, "key"),
        (post.clone(), "/admin/v1/users", json!({"username": "a"}), 400, "password"),
        (post.clone(), "/admin/v1/users", json!({"username": " a", "password": "long enough"}), 400, "username"),
        (post.clone(), "/admin/v1/users", json!({"username": "a", "password": "short"}), 400, "password"),
        (post.clone(), "/admin/v1/users", json!({"username": "demo", "password": "long enough"}), 409, "exists"),
        (post.clone(), "/admin/v1/users", json!({"username": "a", "password": "long enough", "admin": true}), 400, "admin"),
        (patch.clone(), "/admin/v1/users/demo", json!({}), 400, "disabled"),
        (patch.clone(), "/admin/v1/users/demo", json!({"disabled": "yes"}), 400, "boolean"),
        (patch.clone(), "/admin/v1/users/demo", json!({"disabled": true, "x": 1}), 400, "x"),
        (patch, "/admin/v1/users/nobody", json!({"disabled": true}), 404, "user"),
        (post.clone(), "/admin/v1/keys/rotate", json!({"algorithm": "HS256"}), 400, "algorithm"),
        (post.clone(), "/admin/v1/inspect", json!({}), 400, "token"),
        (post, "/admin/v1/inspect", json!({"token": 1}), 400, "string"),
    ];
    for (method, path, body, status, word) in cases {
        let (found, answer) = server.ask(method.clone(), path, Some(body.clone())).await;
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{method} {path} {body}: {answer}");
        assert!(said.contains(word), "{method} {path} {body}: {answer} does not name {word}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(server.get("/admin/v1/revocations").await.1["head"], 0, "nothing was revoked");
    assert!(server.sign_in("demo", "demo").await.is_ok(), "nobody was disabled");
}

#[tokio::test]
async fn a_wrong_path_or_query_is_refused_by_name() {
    let server = Running::start();
    let cases = [
        (Method::GET, "/admin/v1/sessions", 400, "subject"),
        (Method::GET, "/admin/v1/sessions?subject=", 400, "subject"),
        (Method::GET, "/admin/v1/sessions?subject=a&cursor=x", 400, "cursor"),
        (Method::GET, "/admin/v1/sessions?subject=a&limit=0", 400, "limit"),
        (Method::GET, "/admin/v1/sessions?subject=a&limit=1001", 400, "limit"),
        (Method::GET, "/admin/v1/sessions?subject=a&subject=b", 400, "twice"),
        (Method::GET, "/admin/v1/sessions?subject=a&page=2", 400, "page"),
        (Method::GET, "/admin/v1/sessions/x", 400, "session id"),
        (Method::GET, "/admin/v1/sessions/0198c0de-0000-7000-8000-00000000abcd", 404, "session"),
        (Method::GET, "/admin/v1/sessions/%ff", 400, "UTF-8"),
        (Method::GET, "/admin/v1/revocations?after=-1", 400, "after"),
        (Method::GET, "/admin/v1/revocations?after=99999999999999999999", 400, "after"),
        (Method::GET, "/admin/v1/revocations?limit=x", 400, "limit"),
        (Method::DELETE, "/admin/v1/revocations/x", 400, "position"),
        (Method::DELETE, "/admin/v1/revocations/0", 404, "entry"),
        (Method::DELETE, "/admin/v1/revocations/7", 404, "entry"),
        (Method::DELETE, "/admin/v1/keys/none", 404, "key"),
        (Method::GET, "/admin/v1/users?limit=0", 400, "limit"),
        (Method::GET, "/admin/v1/stats?x=1", 400, "x"),
        (Method::GET, "/admin/v2/stats", 404, "/admin/v1"),
        (Method::PUT, "/admin/v1/sessions", 405, "method"),
        (Method::DELETE, "/admin/v1/users/demo", 405, "method"),
    ];
    for (method, path, status, word) in cases {
        let (found, answer) = server.ask(method.clone(), path, None).await;
        let said = answer["error_description"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{method} {path}: {answer}");
        assert!(said.contains(word), "{method} {path}: {answer} does not name {word}");
    }
}

#[tokio::test]
async fn a_reserved_claim_is_refused_by_name() {
    let server = Running::start();
    for claim in ["iss", "sub", "aud", "client_id", "iat", "exp", "nbf", "jti", "sid", "seq", "auth_time", "scope"] {
        let body = json!({"subject": "alice", "claims": {"role": "x", claim: 1}});
        let (status, answer) = server.post("/admin/v1/sessions", body).await;
        assert_eq!(status, 400, "{claim}");
        assert!(answer["error_description"].as_str().unwrap().contains(claim), "{claim}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_large_is_refused() {
    let server = Running::start();
    for body in ["", "{", "[]", "null", "\"x\"", "{\"subject\":\"a\"}x", "{\"subject\":\"a\",\"subject\":\"b\"}", "{\"subject\":\"\u{fffd}\\ud800\"}"] {
        let (status, answer) = server.post_text("/admin/v1/sessions", body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert_eq!(answer["error"], "invalid_request", "{body}: {answer}");
    }
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(server.post_text("/admin/v1/sessions", &large).await.0, 413);
    let form = server.http().post(format!("{}/admin/v1/sessions", server.admin)).bearer_auth(&server.token);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("subject=a").send().await.unwrap();
    assert_eq!(form.status(), 400);
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let server = Running::start();
    let request = server.http().put(format!("{}/admin/v1/users", server.admin)).bearer_auth(&server.token);
    let answer = request.send().await.unwrap();
    let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}
