//! `rescind users`: who may sign in.

use crate::running::Running;

const PASSWORD: &str = "correct horse battery\n";

#[test]
fn a_user_is_added_disabled_and_enabled() {
    let server = Running::start();
    assert_eq!(server.rescind_with(&["users", "add", "alice", "--password-stdin"], PASSWORD).ok(), "added alice\n");
    let before = server.sign_in("alice", PASSWORD.trim()).unwrap();

    assert!(server.rescind(&["users", "disable", "alice"]).ok().starts_with("disabled alice: all sessions are ended"));
    assert!(server.is_dead(&before));
    assert_eq!(server.sign_in("alice", PASSWORD.trim()).unwrap_err(), 401);
    let list = server.rescind(&["users", "list"]).ok();
    assert!(list.lines().any(|line| line.starts_with("alice") && line.contains("disabled")), "{list}");

    server.rescind(&["users", "enable", "alice"]).ok();
    assert_eq!(server.me(&before.access), 401, "the old session stays ended");
    assert!(server.sign_in("alice", PASSWORD.trim()).is_ok());
    let names: Vec<_> = server.rescind(&["users", "list", "--json"]).json();
    assert_eq!(names.iter().map(|user| user["username"].as_str().unwrap()).collect::<Vec<_>>(), ["alice", "demo"]);
}

#[test]
fn a_new_password_ends_the_old_sessions() {
    let server = Running::start();
    let before = server.sign_in("demo", "demo").unwrap();
    server.rescind_with(&["users", "password", "demo", "--password-stdin"], PASSWORD).ok();
    assert!(server.is_dead(&before));
    assert_eq!(server.sign_in("demo", "demo").unwrap_err(), 401);
    assert!(server.sign_in("demo", PASSWORD.trim()).is_ok());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let server = Running::start();
    let add = |name: &str, password: &str| server.rescind_with(&["users", "add", name, "--password-stdin"], password);
    let taken = add("demo", PASSWORD).failed(1);
    assert!(taken.contains("exists"), "{taken}");
    assert!(add("bob", "short\n").failed(1).contains("8 characters"));
    assert!(add("bob", "\n").failed(1).contains("empty"));
    assert!(add(" bob", PASSWORD).failed(1).contains("blank"));
    assert!(server.rescind(&["users", "add", "bob"]).failed(2).contains("--password-stdin"), "no terminal to ask on");
    assert!(server.rescind(&["users", "disable", "nobody"]).failed(1).contains("no such user"));
    server.rescind(&["users", "add", "bob", "hunter2"]).failed(2);
}
