//! The kit's node is this server: started, signed in to, killed, started again, and with its clock stepped.
#![cfg(test)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rescind::testing::skip;
use rescind_test_kit::{Node, or_skip};
use serde_json::json;

fn node() -> rescind_test_kit::NodeOptions {
    Node::of(env!("CARGO_BIN_EXE_rescind")).flag("--dev")
}

/// Signs the demo user in; the access token.
fn sign_in(node: &Node) -> String {
    let demo = json!({ "username": "demo", "password": "demo" }).to_string();
    let reply = node.send("POST", "/login", None, &demo).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

fn me(node: &Node, token: &str) -> u16 {
    node.send("GET", "/me", Some(token), "").unwrap().status
}

/// When the token was issued by the node's clock.
fn issued_at(node: &Node, token: &str) -> i64 {
    node.send("GET", "/me", Some(token), "").unwrap().json()["iat"].as_i64().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the machine's clock, beside which the node's is stepped")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[test]
fn a_node_that_was_killed_comes_back_at_its_address_with_its_data() {
    let node = node().start().unwrap();
    node.wait_until_ready().unwrap();
    let (kept, revoked) = (sign_in(&node), sign_in(&node));
    let body = json!({ "token": revoked, "reason": "test" }).to_string();
    assert_eq!(node.send_admin("POST", "/admin/v1/revocations", &body).unwrap().status, 201);
    let (public, admin) = (node.public(), node.admin());
    node.kill().unwrap();
    assert_eq!(node.readiness(), None);
    node.start_again().unwrap();
    node.wait_until_ready().unwrap();
    assert_eq!((node.public(), node.admin()), (public, admin));
    assert_eq!((me(&node, &kept), me(&node, &revoked)), (200, 401));
    node.stop().unwrap();
    assert!(node.log().contains("stopped"), "{}", node.log());
}

#[test]
fn a_paused_node_answers_when_it_is_resumed() {
    let node = node().start().unwrap();
    node.wait_until_ready().unwrap();
    node.pause().unwrap();
    assert_eq!(node.readiness(), None);
    node.resume().unwrap();
    node.wait_until_ready().unwrap();
}

#[test]
fn a_nodes_wall_clock_can_be_stepped_while_it_runs() {
    let Some(node) = or_skip(node().stepped_clock().start(), skip) else { return };
    node.wait_until_ready().unwrap();
    let token = sign_in(&node);
    assert!((issued_at(&node, &token) - now()).abs() < 60, "it goes right at first");
    node.set_clock(-3600).unwrap();
    let reply = node.send("GET", "/me", Some(&token), "").unwrap();
    assert_eq!(reply.status, 401, "issued an hour from now: {}", reply.text());
    let early = sign_in(&node);
    assert!((issued_at(&node, &early) + 3600 - now()).abs() < 60, "an hour behind");
    // Its other clocks go on: what it does by the second it still does.
    assert_eq!(node.readiness(), Some(200));
    node.set_clock(0).unwrap();
    rescind_test_kit::until_within(Duration::from_secs(10), "it goes right again", || me(&node, &token) == 200)
        .unwrap();
}
