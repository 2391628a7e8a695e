//! The example `custom_claims` from outside: who reads what by tenant and role, and which names nobody may give.
#![cfg(test)]

mod example;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use example::Example;
use rescind::access_token::RESERVED;
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::{OpenSession, Rescind};
use rescind_stores::sqlite::SqliteStore;
use serde_json::{Value, json};
use tempfile::TempDir;

async fn sign_in(example: &Example, user: &str) -> String {
    let body = json!({ "username": user, "password": user });
    example.send("POST", "/login", None, Some(body)).await.text("access_token")
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A token of the same issuer with these claims, as another version of the service may have issued it.
async fn issued_before(home: &TempDir, own: Value) -> String {
    let rescind = Rescind::builder("https://claims.example", "https://claims.example/api")
        .store(SqliteStore::open(home.path().join("rescind.db")).await.unwrap())
        .root_secret(RootSecret::load_or_create(home.path().join("root.key")).unwrap())
        .build()
        .await
        .unwrap();
    let mut session = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("web").unwrap());
    session.claims = own.as_object().cloned();
    let pair = rescind.open_session(session).await.unwrap();
    rescind.shutdown().await;
    pair.access_token
}

#[tokio::test]
async fn a_member_reads_the_own_tenant_and_an_admin_changes_it() {
    let home = tempfile::tempdir().unwrap();
    let example = Example::start("custom_claims", home.path()).await;
    let names = ["alice", "bob", "carol"];
    let mut tokens = Vec::new();
    for name in names {
        tokens.push(sign_in(&example, name).await);
    }
    let status = async |method: &str, path: &str, token: &str| {
        let body = (method == "POST").then(|| json!({ "name": "ci" }));
        example.send(method, path, Some(token), body).await.status
    };
    for (tenant, expected) in [("acme", [200, 200, 403]), ("globex", [403, 403, 200]), ("nobody", [403; 3])] {
        for (token, expected) in tokens.iter().zip(expected) {
            assert_eq!(status("GET", &format!("/tenants/{tenant}"), token).await, expected, "{tenant}");
        }
    }
    for (tenant, expected) in [("acme", [201, 403, 403]), ("globex", [403, 403, 201])] {
        for (token, expected) in tokens.iter().zip(expected) {
            assert_eq!(status("POST", &format!("/tenants/{tenant}/machines"), token).await, expected, "{tenant}");
        }
    }
    let (_, body) = example.send("GET", "/tenants/acme", Some(&tokens[1]), None).await.json();
    assert_eq!(body, json!({ "you": "bob", "tenant": "acme", "role": "reader" }));
    assert_eq!(example.send("GET", "/tenants/acme", None, None).await.status, 401);
    let wrong = json!({ "username": "alice", "password": "bob" });
    assert_eq!(example.send("POST", "/login", None, Some(wrong)).await.status, 401);
}

#[tokio::test]
async fn a_token_without_the_claims_or_with_an_unknown_role_opens_nothing_and_is_not_thrown_away() {
    let home = tempfile::tempdir().unwrap();
    let mut tokens = Vec::new();
    for own in [json!({}), json!({ "tenant": "acme" }), json!({ "tenant": "acme", "role": "owner" })] {
        tokens.push(issued_before(&home, own).await);
    }
    let good = issued_before(&home, json!({ "tenant": "acme", "role": "admin" })).await;
    let example = Example::start("custom_claims", home.path()).await;
    for token in tokens {
        let reply = example.send("GET", "/tenants/acme", Some(&token), None).await;
        assert_eq!((reply.status, reply.text("error").as_str()), (403, "access_denied"));
    }
    assert_eq!(example.send("GET", "/tenants/acme", Some(&good), None).await.status, 200);
}

#[tokio::test]
async fn a_reserved_name_is_refused_and_named_and_others_are_in_the_token() {
    let home = tempfile::tempdir().unwrap();
    let example = Example::start("custom_claims", home.path()).await;
    let admin = sign_in(&example, "alice").await;
    let add = async |name: &str, claims: Value| {
        let body = json!({ "name": name, "claims": claims });
        example.send("POST", "/tenants/acme/machines", Some(&admin), Some(body)).await
    };
    let reserved = RESERVED.iter().map(|claim| claim.name());
    for name in reserved.chain(["tenant", "role"]) {
        let reply = add("ci", json!({ name: "carol" })).await;
        assert_eq!((reply.status, reply.text("error").as_str()), (400, "invalid_request"), "{name}");
        assert!(reply.text("error_description").contains(&format!("`{name}`")), "{}", reply.body);
    }
    assert_eq!(add("ci", json!({ "big": "x".repeat(9000) })).await.status, 400);
    assert_eq!(add(&"x".repeat(300), json!({})).await.status, 400);
    let machine = add("ci", json!({ "pipeline": { "number": 42 } })).await;
    assert_eq!(machine.status, 201);
    let token = machine.text("access_token");
    let inside = claims(&token);
    let expected = json!(["acme/ci", "acme", "reader", { "number": 42 }]);
    assert_eq!(json!([inside["sub"], inside["tenant"], inside["role"], inside["pipeline"]]), expected);
    assert_eq!(example.send("GET", "/tenants/acme", Some(&token), None).await.status, 200);
    let more = json!({ "name": "another" });
    assert_eq!(example.send("POST", "/tenants/acme/machines", Some(&token), Some(more)).await.status, 403);
}
