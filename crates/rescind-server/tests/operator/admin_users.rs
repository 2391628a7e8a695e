//! Users: whoever is disabled is out at once and stays out; whoever gets a new password loses the old sessions.

use serde_json::json;

use crate::running::Running;

const PASSWORD: &str = "correct horse battery";

fn change(server: &Running, name: &str, body: serde_json::Value) -> serde_json::Value {
    let (status, answer) = server.ask("PATCH", &format!("/admin/v1/users/{name}"), Some(body));
    assert_eq!(status, 200, "{answer}");
    answer
}

// holds: 123, R25
#[test]
fn a_disabled_user_is_out_at_once_and_an_enabled_one_starts_anew() {
    let server = Running::start();
    let (status, user) = server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD}));
    assert_eq!((status, &user["subject"], &user["disabled"]), (201, &json!("alice"), &json!(false)));
    let before = server.sign_in("alice", PASSWORD).unwrap();
    let demo = server.sign_in("demo", "demo").unwrap();

    let answer = change(&server, "alice", json!({"disabled": true}));
    assert_eq!((&answer["disabled"], &answer["ended_by"]), (&json!(true), &json!(1)));
    assert!(server.is_dead(&before));
    assert_eq!(server.sign_in("alice", PASSWORD).unwrap_err(), 401);
    let (status, answer) = server.post("/admin/v1/sessions", json!({"subject": "alice"}));
    assert_eq!(status, 400, "no way around through a backend: {answer}");
    assert_eq!(server.me(&demo.access), 200, "nobody else is concerned");

    change(&server, "alice", json!({"disabled": false}));
    assert!(server.is_dead(&before), "the old session stays ended");
    let after = server.sign_in("alice", PASSWORD).unwrap();
    assert_eq!(server.me(&after.access), 200);
}

// holds: R25
#[test]
fn a_disabled_users_cut_off_is_lifted_only_after_enabling() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD}));
    let pair = server.sign_in("alice", PASSWORD).unwrap();
    change(&server, "alice", json!({"disabled": true}));
    let (status, answer) = server.ask("DELETE", "/admin/v1/revocations/1", None);
    assert_eq!((status, &answer["error"]), (409, &json!("conflict")));
    assert!(answer["error_description"].as_str().unwrap().contains("rescind users enable alice"), "{answer}");
    assert!(server.is_dead(&pair), "nothing was lifted");
    assert_eq!(server.get("/admin/v1/revocations").1["head"], 1);
    change(&server, "alice", json!({"disabled": false}));
    assert_eq!(server.ask("DELETE", "/admin/v1/revocations/1", None).0, 200);
    assert_eq!(server.me(&pair.access), 200);
}

// holds: 124, R26
#[test]
fn a_new_password_ends_the_sessions_of_the_old_one() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD}));
    let before = server.sign_in("alice", PASSWORD).unwrap();
    change(&server, "alice", json!({"password": "another long one"}));
    assert!(server.is_dead(&before));
    assert_eq!(server.sign_in("alice", PASSWORD).unwrap_err(), 401);
    let after = server.sign_in("alice", "another long one").expect("at once, in the same second");
    assert_eq!(server.me(&after.access), 200);
    let (_, log) = server.get("/admin/v1/revocations");
    assert_eq!(log["revocations"][0]["reason"], "password_changed");
}

#[test]
fn users_are_listed_by_name_in_pages_without_their_passwords() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "a/b c", "password": PASSWORD}));
    let (_, first) = server.get("/admin/v1/users?limit=1");
    assert_eq!((&first["users"][0]["username"], &first["next"]), (&json!("a/b c"), &json!("a/b c")));
    let (_, rest) = server.get("/admin/v1/users?limit=5&cursor=a%2Fb%20c");
    assert_eq!((&rest["users"][0]["username"], &rest["next"]), (&json!("demo"), &json!(null)));
    assert!(!first.to_string().contains("argon2") && first["users"][0].get("password").is_none());
    change(&server, "a%2Fb%20c", json!({"disabled": true}));
}

/// Signs in from several threads without a pause until it is refused, and returns every pair that was given.
fn signed_in_until_refused(server: &Running, password: &str, change: impl FnOnce()) -> Vec<crate::running::Pair> {
    std::thread::scope(|scope| {
        let keep_trying = || {
            let mut pairs = Vec::new();
            while let Ok(pair) = server.sign_in("alice", password) {
                pairs.push(pair);
            }
            pairs
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(keep_trying)).collect();
        change();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

// holds: R16
#[test]
fn a_sign_in_that_races_the_change_of_the_password_or_the_disabling_does_not_survive_it() {
    let server = Running::start();
    server.post("/admin/v1/users", json!({"username": "alice", "password": PASSWORD}));
    let mut password = PASSWORD.to_owned();
    for round in 0..10 {
        let next = format!("{PASSWORD} {round}");
        let pairs = signed_in_until_refused(&server, &password, || {
            change(&server, "alice", json!({"password": next}));
        });
        let alive = pairs.iter().filter(|pair| server.me(&pair.access) == 200).count();
        assert_eq!(alive, 0, "round {round}: of {} sessions of the old password", pairs.len());
        password = next;
    }
    for round in 0..10 {
        let pairs = signed_in_until_refused(&server, &password, || {
            change(&server, "alice", json!({"disabled": true}));
        });
        let alive = pairs.iter().filter(|pair| server.me(&pair.access) == 200).count();
        assert_eq!(alive, 0, "round {round}: of {} sessions of a disabled user", pairs.len());
        change(&server, "alice", json!({"disabled": false}));
    }
}
