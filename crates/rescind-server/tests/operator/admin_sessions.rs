//! Sessions as a trusted backend opens them and an operator sees them; the log as it is read and lifted.

use serde_json::{Value, json};

use crate::running::Running;

#[test]
fn a_trusted_backend_opens_sessions_with_claims_of_its_own() {
    let server = Running::start();
    let body = json!({
        "subject": "alice", "client_id": "shop", "device": "Alice's laptop", "scope": "read write", "class": "agent",
        "claims": {"role": "admin", "tenant": {"id": 7}},
    });
    let (status, pair) = server.post("/admin/v1/sessions", body);
    assert_eq!((status, &pair["token_type"], &pair["scope"]), (200, &json!("Bearer"), &json!("read write")));
    let access = pair["access_token"].as_str().unwrap();
    let me = server.server.get("/me", Some(access)).json();
    assert_eq!((&me["sub"], &me["client_id"], &me["role"]), (&json!("alice"), &json!("shop"), &json!("admin")));
    assert_eq!(me["tenant"]["id"], 7);
    let (_, session) = server.get(&format!("/admin/v1/sessions/{}", pair["session_id"].as_str().unwrap()));
    assert_eq!((&session["class"], &session["device"]), (&json!("agent"), &json!("Alice's laptop")));
    assert_eq!((&session["state"], &session["why"]), (&json!("live"), &Value::Null));
}

#[test]
fn a_session_says_its_state_and_why() {
    let server = Running::start();
    let (first, second) = (server.open("alice"), server.open("alice"));
    let (_, entry) = server.post(
        "/admin/v1/revocations",
        json!({"scope": {"kind": "session", "id": first.session}, "reason": "lost phone"}),
    );
    let (_, listed) = server.get("/admin/v1/sessions?subject=alice");
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    // By name: those of one millisecond stand in any order.
    let of = |sid: &str| sessions.iter().find(|session| session["session_id"] == sid).unwrap();
    assert_eq!(of(&second.session)["state"], "live");
    let ended = of(&first.session);
    assert_eq!((&ended["state"], &ended["why"]["reason"]), (&json!("revoked"), &json!("lost phone")));
    assert_eq!((&ended["why"]["kind"], &ended["why"]["seq"]), (&json!("session"), &entry["seq"]));
}

#[test]
fn a_long_list_of_sessions_comes_in_pages() {
    let server = Running::start();
    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(server.open("alice").session);
    }
    server.open("bob");
    let (mut found, mut path) = (Vec::new(), "/admin/v1/sessions?subject=alice&limit=2".to_owned());
    loop {
        let (_, page) = server.get(&path);
        let page_of = page["sessions"].as_array().unwrap();
        assert!(page_of.len() <= 2);
        found.extend(page_of.iter().map(|session| session["session_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/admin/v1/sessions?subject=alice&limit=2&cursor={next}");
    }
    // Newest first: by id, whose time is in milliseconds. Ids of one millisecond stand in the order of their random bits.
    opened.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(found, opened);
}

#[test]
fn the_log_comes_in_order_and_in_pages() {
    let server = Running::start();
    for name in ["a", "b", "c"] {
        let body = json!({"scope": {"kind": "subject", "id": name}, "reason": "test"});
        let (status, entry) = server.post("/admin/v1/revocations?wait=everywhere", body);
        assert_eq!((status, &entry["act"], &entry["actor"]), (201, &json!("cut_off"), &json!("admin-api")));
        assert!(entry["remember_until"].as_u64() > entry["at"].as_u64());
        assert_eq!((&entry["applied_everywhere"], &entry["laggards"]), (&json!(true), &json!([])));
    }
    let (_, first) = server.get("/admin/v1/revocations?limit=2");
    assert_eq!((&first["head"], &first["next"]), (&json!(3), &json!(2)));
    let (_, rest) = server.get("/admin/v1/revocations?after=2");
    assert_eq!(
        (&rest["revocations"][0]["scope"], &rest["next"]),
        (&json!({"kind": "subject", "id": "c"}), &Value::Null)
    );
    assert_eq!(server.get("/admin/v1/revocations?after=99").1["revocations"], json!([]));
}

#[test]
fn a_lift_that_does_not_fit_names_the_newer_entry() {
    let server = Running::start();
    let pair = server.open("alice");
    let body = json!({"scope": {"kind": "subject", "id": "alice"}});
    for _ in 0..2 {
        server.post("/admin/v1/revocations", body.clone());
    }
    let (status, answer) = server.ask("DELETE", "/admin/v1/revocations/1", None);
    assert_eq!((status, &answer["error"], &answer["newest"]["seq"]), (409, &json!("conflict"), &json!(2)));
    let (status, lift) = server.ask("DELETE", "/admin/v1/revocations/2?reason=mistake", None);
    assert_eq!((status, &lift["act"], &lift["lifts"]), (200, &json!("lift"), &json!(2)));
    assert_eq!(lift["reason"], "mistake");
    assert_eq!(server.me(&pair.access), 200, "one lift ends both cut-offs");
    let (status, answer) = server.ask("DELETE", "/admin/v1/revocations/2", None);
    assert_eq!((status, &answer["newest"]["seq"]), (409, &json!(3)), "a lift is lifted by no second one");
}

// holds: 119, 125, R31
#[test]
fn each_scope_ends_what_it_covers_and_nothing_else() {
    let server = Running::start();
    let alice = server.open("alice");
    let other = server.open("alice");
    let bob = server.open("bob");
    let (_, shop) = server.post("/admin/v1/sessions", json!({"subject": "bob", "client_id": "shop"}));
    let shop = shop["access_token"].as_str().unwrap().to_owned();

    server.post("/admin/v1/revocations", json!({"token": alice.access}));
    assert_eq!((server.me(&alice.access), server.me(&other.access)), (401, 200));
    let alice = server.refresh(&alice.refresh).expect("the session of a revoked access token goes on");

    server.post("/admin/v1/revocations", json!({"token": alice.refresh}));
    assert!(server.is_dead(&alice), "a refresh token stands for its session");
    assert_eq!(server.me(&other.access), 200);

    server.post("/admin/v1/revocations", json!({"scope": {"kind": "client", "id": "shop"}}));
    assert_eq!((server.me(&shop), server.me(&bob.access)), (401, 200));

    server.post("/admin/v1/revocations", json!({"scope": {"kind": "subject", "id": "alice"}}));
    assert!(server.is_dead(&other));
    assert_eq!(server.me(&bob.access), 200);

    server.post("/admin/v1/revocations", json!({"scope": {"kind": "all"}}));
    assert!(server.is_dead(&bob));
    assert_eq!(server.me(&server.open("bob").access), 200, "whoever comes after it is welcome");
}
