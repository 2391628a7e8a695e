//! A store whose clock is an hour wrong, while the nodes' are right: users notice nothing, operators do, and nothing
//! revoked comes back.
#![cfg(test)]

use std::time::Duration;

use rescind::testing::skip;
use rescind_test_kit::http::Reply;
use rescind_test_kit::{Node, Postgres, or_skip, until, until_within};
use serde_json::{Value, json};

/// The staleness bound, which is the default, and what a busy machine may add to it.
const BOUND: Duration = Duration::from_secs(4);
const HOUR: i64 = 3600;

struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let json = reply.json();
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

fn node(store: &Postgres) -> Node {
    let node = Node::of(env!("CARGO_BIN_EXE_rescind")).store(&store.url()).start().unwrap();
    node.wait_until_ready().unwrap();
    node
}

fn sign_in(node: &Node) -> Pair {
    let body = json!({ "username": "alice", "password": "correct horse battery" }).to_string();
    Pair::of(&node.send("POST", "/login", None, &body).unwrap())
}

fn refresh(node: &Node, refresh: &str) -> Reply {
    let body = json!({ "grant_type": "refresh_token", "refresh_token": refresh }).to_string();
    node.send("POST", "/oauth/token", None, &body).unwrap()
}

fn me(node: &Node, access: &str) -> u16 {
    node.send("GET", "/me", Some(access), "").unwrap().status
}

fn clocks(node: &Node) -> Value {
    node.send("GET", "/readyz?verbose", None, "").unwrap().json()["parts"]["clocks"]["text"].clone()
}

/// Signs in at each node, is let in at all, refreshes at another, logs out, and is refused at all.
fn all_goes_well(nodes: &[&Node]) -> Vec<Pair> {
    let mut dead = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let other = nodes[(at + 1) % nodes.len()];
        let pair = sign_in(node);
        for node in nodes {
            assert_eq!(me(node, &pair.access), 200);
        }
        let next = Pair::of(&refresh(other, &pair.refresh));
        assert_eq!(me(node, &next.access), 200);
        assert_eq!(node.send("POST", "/logout", Some(&next.access), "{}").unwrap().status, 200);
        for node in nodes {
            until_within(BOUND, "all refuse", || me(node, &next.access) == 401 && me(node, &pair.access) == 401)
                .unwrap();
            assert_eq!(refresh(node, &next.refresh).status, 400);
        }
        dead.extend([pair, next]);
    }
    dead
}

#[test]
fn a_store_whose_clock_is_an_hour_wrong_is_noticed_by_operators_alone() {
    for off in [-HOUR, HOUR] {
        let Some(store) = or_skip(Postgres::options().stepped_clock().start(), skip) else { return };
        store.set_clock(off).unwrap();
        // Alone, and from the start.
        let a = node(&store);
        let alice = json!({ "username": "alice", "password": "correct horse battery" }).to_string();
        assert_eq!(a.send_admin("POST", "/admin/v1/users", &alice).unwrap().status, 201);
        let mut dead = all_goes_well(&[&a]);
        until("it is told of", || {
            clocks(&a).as_str().is_some_and(|text| text.contains("tokens count from this node's"))
        })
        .unwrap();
        assert!(a.log().contains("ALARM: the store's clock is 3"), "{}", a.log());
        let b = node(&store);
        dead.extend(all_goes_well(&[&a, &b]));

        // Put right while they run, and wrong the other way.
        let survivor = sign_in(&a);
        for off in [0, -off] {
            store.set_clock(off).unwrap();
            dead.extend(all_goes_well(&[&a, &b]));
            for node in [&a, &b] {
                assert!(dead.iter().all(|pair| me(node, &pair.access) == 401), "{off}");
                assert_eq!(me(node, &survivor.access), 200);
            }
        }
        // Who starts now knows it all from the store.
        let c = node(&store);
        assert!(dead.iter().all(|pair| me(&c, &pair.access) == 401));
        assert_eq!(me(&c, &survivor.access), 200);
        all_goes_well(&[&c, &a]);
        let alarms = a.log().matches("ALARM: the store's clock").count();
        assert!((1..=4).contains(&alarms), "{alarms} alarms: one for each step");
        store.set_clock(0).unwrap();
        until("they agree again", || [&a, &b, &c].iter().all(|node| clocks(node).is_null())).unwrap();
    }
}
