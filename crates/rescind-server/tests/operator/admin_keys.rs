//! Keys: rotating is routine and nobody notices; revoking is for a stolen key and everybody does.

use serde_json::Value;

use crate::running::Running;

fn current(server: &Running) -> String {
    let (_, ring) = server.get("/admin/v1/keys");
    let keys = ring["keys"].as_array().unwrap();
    let current = keys.iter().find(|key| key["state"] == "current").unwrap();
    current["kid"].as_str().unwrap().to_owned()
}

// holds: 72
#[test]
fn a_rotation_changes_who_signs_and_breaks_nothing() {
    let server = Running::start();
    let (old_key, before) = (current(&server), server.open("alice"));
    let (status, answer) = server.ask("POST", "/admin/v1/keys/rotate", None);
    assert_eq!(status, 200, "{answer}");
    assert_ne!(answer["current"], Value::from(old_key.as_str()));
    assert_eq!(answer["current"], Value::from(current(&server)));
    assert!(server.published_keys().contains(&old_key), "it still has tokens to verify");
    assert_eq!(server.me(&before.access), 200);
    assert_eq!(server.me(&server.open("alice").access), 200);
}

// holds: 72
#[test]
fn a_revoked_key_takes_its_access_tokens_with_it() {
    let server = Running::start();
    let (stolen, before) = (current(&server), server.open("alice"));
    let (status, entry) = server.ask("DELETE", &format!("/admin/v1/keys/{stolen}?reason=stolen"), None);
    assert_eq!((status, &entry["scope"]["kind"], &entry["reason"]), (200, &"key".into(), &"stolen".into()));
    assert_eq!(server.me(&before.access), 401);
    assert!(!server.published_keys().contains(&stolen));
    assert_ne!(current(&server), stolen);
    assert_eq!(server.me(&server.open("alice").access), 200, "new tokens work");
    let renewed = server.refresh(&before.refresh).expect("the session itself goes on");
    assert_eq!(server.me(&renewed.access), 200);
}

#[test]
fn revoking_a_key_as_a_scope_takes_it_out_of_the_jwks_too() {
    let server = Running::start();
    let (stolen, before) = (current(&server), server.open("alice"));
    let body = serde_json::json!({"scope": {"kind": "key", "id": stolen}});
    assert_eq!(server.post("/admin/v1/revocations", body.clone()).0, 201);
    assert_eq!(server.post("/admin/v1/revocations", body).0, 201, "twice is harmless");
    assert_eq!(server.me(&before.access), 401);
    assert!(!server.published_keys().contains(&stolen));
}
