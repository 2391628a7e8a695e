//! Three nodes on one store, behind one address of a real proxy, and beside them a relay and a service that follow without
//! a store: what one of them revokes, all refuse.
#![cfg(test)]

use std::collections::BTreeSet;
use std::time::Duration;

use rescind::testing::skip;
use rescind::{Error, Rejection, Rescind};
use rescind_axum::follow::Follow;
use rescind_test_kit::http::{Reply, exchange};
use rescind_test_kit::{ANSWERED_BY, Front, Node, Postgres, Redis, or_skip, until_within};
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// The staleness bound, which is the default, and what a busy machine may add to it.
const BOUND: Duration = Duration::from_secs(4);
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Three nodes, their one address, and a relay.
struct Cluster {
    nodes: [Node; 3],
    front: Front,
    relay: Node,
}

/// What a sign-in or a refresh gives.
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

impl Cluster {
    fn start(store: &str) -> Option<Self> {
        let front = or_skip(Front::reserve(), skip)?;
        let nodes = NAMES.map(|name| {
            let node = Node::of(env!("CARGO_BIN_EXE_rescind")).store(store).arg("--issuer", &front.url());
            let node = node.arg("--node", name).arg("--trusted-proxies", "127.0.0.1");
            node.environment("RESCIND_FEED_TOKEN", &"f".repeat(43)).start().unwrap()
        });
        for node in &nodes {
            node.wait_until_ready().unwrap();
        }
        front.lead_to(&nodes.each_ref().map(Node::public)).unwrap();
        let relay = Node::of(env!("CARGO_BIN_EXE_rescind")).arg("--issuer", &front.url());
        let relay = relay.arg("--follow", &format!("http://{}", nodes[1].admin()));
        let relay = relay.environment("RESCIND_FEED_TOKEN", &"f".repeat(43)).start().unwrap();
        relay.wait_until_ready().unwrap();
        let alice = json!({ "username": "alice", "password": "correct horse battery" }).to_string();
        let made = nodes[2].send_admin("POST", "/admin/v1/users", &alice).unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
        Some(Self { nodes, front, relay })
    }

    /// A service that follows node C.
    async fn follower(&self) -> Rescind {
        let follow = Rescind::follow(format!("http://{}", self.nodes[2].admin()));
        follow.feed_token("f".repeat(43)).audience_of_issuer().build().await.unwrap()
    }

    /// Through the one address; the node that answered, and what.
    fn send(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> (String, Reply) {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = exchange(self.front.address(), method, path, &headers, body.as_bytes()).unwrap();
        (reply.header(ANSWERED_BY).to_owned(), reply)
    }

    /// A sign-in by whichever node's turn it is.
    fn sign_in(&self) -> Pair {
        Pair::of(&self.send("POST", "/login", None, &alice()).1)
    }

    /// What three turns say of an access token, each by another node.
    fn three_turns(&self, access: &str) -> Vec<u16> {
        let answers: Vec<_> = (0..3).map(|_| self.send("GET", "/me", Some(access), &Value::Null)).collect();
        let nodes: BTreeSet<_> = answers.iter().map(|(node, _)| node.clone()).collect();
        assert_eq!(nodes.len(), 3, "each node had its turn: {nodes:?}");
        answers.iter().map(|(_, reply)| reply.status).collect()
    }

    /// Waits until all three refuse through the one address. A node that has refused once refuses ever after, and none
    /// says anything but yes and no.
    fn wait_until_refused(&self, access: &str) {
        let mut refused = BTreeSet::new();
        until_within(BOUND, "all nodes refuse", || {
            let (node, reply) = self.send("GET", "/me", Some(access), &Value::Null);
            match reply.status {
                401 => drop(refused.insert(node)),
                200 => assert!(!refused.contains(&node), "{node} said no, and then yes"),
                other => panic!("{other}: {}", reply.text()),
            }
            refused.len() == 3
        })
        .unwrap();
        assert_eq!(self.three_turns(access), [401; 3]);
    }
}

fn alice() -> Value {
    json!({ "username": "alice", "password": "correct horse battery" })
}

fn me(node: &Node, access: &str) -> u16 {
    node.send("GET", "/me", Some(access), "").unwrap().status
}

fn refresh(node: &Node, refresh: &str) -> Reply {
    let body = json!({ "grant_type": "refresh_token", "refresh_token": refresh }).to_string();
    node.send("POST", "/oauth/token", None, &body).unwrap()
}

fn logout(node: &Node, access: &str, scope: &str) {
    let reply = node.send("POST", "/logout", Some(access), &json!({ "scope": scope }).to_string()).unwrap();
    assert!(matches!(reply.status, 200 | 204), "{}", reply.text());
}

/// Whether the follower without a store refuses, or says that it is good; nothing else may be.
fn refuses(follower: &Rescind, access: &str) -> bool {
    let checked = tokio::task::block_in_place(|| Handle::current().block_on(follower.check(access)));
    match checked {
        Ok(_) => false,
        Err(Error::Rejected(Rejection::Revoked(_))) => true,
        Err(other) => panic!("{other}"),
    }
}

/// Sign in at A, refresh at B, revoke at C; refused at A, at B, at a relay, and at a service without a store.
async fn each_step_at_another_node(cluster: &Cluster) {
    let [a, b, c] = &cluster.nodes;
    let follower = cluster.follower().await;
    let signed_in = Pair::of(&a.send("POST", "/login", None, &alice().to_string()).unwrap());
    let other_device = cluster.sign_in();
    let pair = Pair::of(&refresh(b, &signed_in.refresh));
    for access in [&signed_in.access, &pair.access, &other_device.access] {
        assert_eq!([a, b, c, &cluster.relay].map(|node| me(node, access)), [200; 4]);
        assert!(!refuses(&follower, access));
    }
    logout(c, &pair.access, "session");
    assert_eq!(me(c, &pair.access), 401, "at once, where it was revoked");
    assert_eq!(refresh(a, &pair.refresh).status, 400, "at once, everywhere: a refresh asks the store");
    for access in [&signed_in.access, &pair.access] {
        for (name, node) in [("A", a), ("B", b), ("the relay", &cluster.relay)] {
            until_within(BOUND, format!("{name} refuses"), || me(node, access) == 401).unwrap();
        }
        until_within(BOUND, "the follower refuses", || refuses(&follower, access)).unwrap();
    }
    assert_eq!(cluster.three_turns(&other_device.access), [200; 3], "the other device is another session");

    logout(b, &other_device.access, "all");
    let again = cluster.sign_in();
    cluster.wait_until_refused(&other_device.access);
    until_within(BOUND, "the relay refuses", || me(&cluster.relay, &other_device.access) == 401).unwrap();
    until_within(BOUND, "the follower refuses", || refuses(&follower, &other_device.access)).unwrap();
    assert_eq!(refresh(c, &other_device.refresh).status, 400);
    assert_eq!(cluster.three_turns(&again.access), [200; 3], "who signs in right after it lives");
    assert!(!refuses(&follower, &again.access));
}

/// All steps through the one address, so that chance says which node takes which.
fn through_the_one_address(cluster: &Cluster) {
    let refresh = |pair: &Pair| {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": pair.refresh });
        cluster.send("POST", "/oauth/token", None, &body).1
    };
    for round in 0..6 {
        let mut devices = [cluster.sign_in(), cluster.sign_in()];
        // Shifts the turn, so that another node does each step in another round.
        for _ in 0..round % 3 {
            cluster.send("GET", "/livez", None, &Value::Null);
        }
        for device in &mut devices {
            let next = Pair::of(&refresh(device));
            assert_eq!(cluster.three_turns(&device.access), [200; 3]);
            *device = next;
        }
        let everywhere = round % 2 == 1;
        let scope = json!({ "scope": if everywhere { "all" } else { "session" } });
        let reply = cluster.send("POST", "/logout", Some(&devices[0].access), &scope).1;
        assert!(matches!(reply.status, 200 | 204), "{}", reply.text());
        assert_eq!(refresh(&devices[0]).error(), "invalid_grant");
        cluster.wait_until_refused(&devices[0].access);
        if everywhere {
            cluster.wait_until_refused(&devices[1].access);
            assert_eq!(refresh(&devices[1]).error(), "invalid_grant");
        } else {
            assert_eq!(cluster.three_turns(&devices[1].access), [200; 3]);
        }
    }
}

/// An operator's revocation that waits for all is refused by all when it is answered; and a node that dies takes nobody
/// out of service.
fn waited_for_and_without_a_node(cluster: &Cluster) {
    let pair = cluster.sign_in();
    let body = json!({ "token": pair.access, "reason": "test" }).to_string();
    let reply = cluster.nodes[0].send_admin("POST", "/admin/v1/revocations?wait=everywhere", &body).unwrap();
    assert_eq!((reply.status, &reply.json()["applied_everywhere"]), (201, &json!(true)), "{}", reply.text());
    assert_eq!(cluster.three_turns(&pair.access), [401; 3]);

    let pair = cluster.sign_in();
    cluster.nodes[2].kill().unwrap();
    for _ in 0..6 {
        assert_eq!(cluster.send("GET", "/me", Some(&pair.access), &Value::Null).1.status, 200);
    }
    logout(&cluster.nodes[0], &pair.access, "session");
    until_within(BOUND, "B refuses", || me(&cluster.nodes[1], &pair.access) == 401).unwrap();
    cluster.nodes[2].start_again().unwrap();
    cluster.nodes[2].wait_until_ready().unwrap();
    assert_eq!(me(&cluster.nodes[2], &pair.access), 401, "it knows what was revoked while it was dead");
}

async fn all_of_it(store: &str) {
    let Some(cluster) = Cluster::start(store) else { return };
    each_step_at_another_node(&cluster).await;
    through_the_one_address(&cluster);
    waited_for_and_without_a_node(&cluster);
}

// holds: 34, R13
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_on_postgres_behind_one_address_are_one_service() {
    let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
    all_of_it(&postgres.url()).await;
}

// holds: R13
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_on_redis_behind_one_address_are_one_service() {
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    all_of_it(&redis.url()).await;
}
