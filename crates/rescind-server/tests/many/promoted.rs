//! Another Postgres takes the place of the primary: a replica that lags, one that has everything, and one whose old primary
//! goes on as if nothing were.

use std::net::SocketAddr;

use rescind_test_kit::{DATABASE, Node, PASSWORD, Postgres, Proxy, USER, or_skip};
use serde_json::json;

use crate::lost::assert_healed;
use crate::rig::{ALL, Answer, At, BOUND, Load, NODES, Nodes, Round, What, on_postgres};

on_postgres! {
    a_replica_that_lags_is_promoted_and_healed_from_the_views
    a_replica_that_does_not_show_what_it_has_is_promoted_and_nothing_is_lost
    a_node_that_still_talks_to_the_old_primary_refuses_past_the_bound
}

/// A primary and its replica.
fn pair() -> Option<(Postgres, Postgres)> {
    let primary = or_skip(Postgres::start(), rescind::testing::skip)?;
    let replica = primary.replica().unwrap();
    primary.wait_for_replica(&replica).unwrap();
    Some((primary, replica))
}

/// Nodes that know both servers and use the one that can write.
fn on_both(round: &Round, first: &Postgres, second: &Postgres) -> Nodes {
    let hosts = |servers: [SocketAddr; 2]| servers.map(|address| address.to_string()).join(",");
    let url = format!("postgres://{USER}:{PASSWORD}@{}/{DATABASE}", hosts([first.address(), second.address()]));
    Nodes::start(&vec![url; NODES], |options| options).in_round(round)
}

/// From now on nothing is acknowledged that the replica has not.
fn wait_for_standby(primary: &Postgres) {
    primary.configure("synchronous_standby_names = '*'").unwrap();
    rescind_test_kit::until("the standby is waited for", || {
        primary.psql("select sync_state from pg_stat_replication").is_ok_and(|state| state == "sync")
    })
    .unwrap();
}

fn healed(nodes: &Nodes) -> u64 {
    ALL.iter().map(|node| nodes.stat(*node, "history_healed")).sum()
}

fn a_replica_that_lags_is_promoted_and_healed_from_the_views(round: &Round) {
    let Some((primary, replica)) = pair() else { return };
    let nodes = on_both(round, &primary, &replica);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    let lagging = history.phase("lagging");
    replica.stop_receiving().unwrap();
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    primary.kill().unwrap();
    // What was on its way to it at either end may be lost, too.
    history.sessions_are_lost_since(lagging.saturating_sub(BOUND / 4));
    history.phase("failover");
    replica.promote().unwrap();
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("healed and served {served:.2?} after the promotion");
    load.goes_on_for(40);
    assert_healed(&nodes);
    let again: u64 = ALL.iter().map(|node| nodes.stat(*node, "history_appended_again")).sum();
    assert!(again > 0, "nothing was appended again");
    load.end(&nodes).assert_sound();
}

fn a_replica_that_does_not_show_what_it_has_is_promoted_and_nothing_is_lost(round: &Round) {
    let Some((primary, replica)) = pair() else { return };
    wait_for_standby(&primary);
    let nodes = on_both(round, &primary, &replica);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    replica.pause_replay().unwrap();
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    primary.kill().unwrap();
    history.phase("failover");
    // A promotion applies what was received first, however long it was held back.
    replica.resume_replay().unwrap();
    replica.promote().unwrap();
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("served {served:.2?} after the promotion");
    load.goes_on_for(30);
    assert_eq!(healed(&nodes), 0, "there was nothing to heal");
    load.end(&nodes).assert_sound();
}

fn add_user(nodes: &Nodes, node: usize, name: &str) {
    let body = json!({"username": name, "password": "correct horse"}).to_string();
    assert_eq!(nodes.all[node].send_admin("POST", "/admin/v1/users", &body).unwrap().status, 201);
}

/// Alice has been there before the split, and bob is on the other side of it: nothing is said of either.
fn refuses_no_user(node: &Node) {
    for (name, password) in [("alice", "wrong"), ("bob", "correct horse")] {
        let body = json!({"username": name, "password": password}).to_string();
        let reply = node.send("POST", "/login", None, &body).unwrap();
        assert_eq!(reply.status, 503, "{name}: {}", reply.text());
    }
    for (method, path, body) in [
        ("POST", "/admin/v1/users", json!({"username": "alice", "password": "correct horse"})),
        ("PATCH", "/admin/v1/users/bob", json!({"disabled": true})),
    ] {
        let reply = node.send_admin(method, path, &body.to_string()).unwrap();
        assert_eq!(reply.status, 503, "{method} {path}: {}", reply.text());
    }
}

fn a_node_that_still_talks_to_the_old_primary_refuses_past_the_bound(round: &Round) {
    let Some((old, new)) = pair() else { return };
    wait_for_standby(&old);
    let link = Proxy::start(old.address()).unwrap();
    let led = link.through(&old.url());
    let nodes = Nodes::start(&[old.url(), led.clone(), led], |options| options).in_round(round);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    add_user(&nodes, 0, "alice");
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    // An operator fails over; one node is not told, and the old primary lives on, alone.
    new.promote().unwrap();
    link.lead_to(new.address());
    link.cut().unwrap();
    link.heal().unwrap();
    let split = history.phase("split");
    load.is_served_by(&[1, 2], split);
    add_user(&nodes, 1, "bob");
    refuses_no_user(&nodes.all[0]);
    load.goes_on_until(split + BOUND + BOUND / 2);
    let past = history.now();
    load.goes_on_for(30);
    load.goes_on_until(past + BOUND);
    assert_eq!(history.checks(&[0], &Answer::Yes, past..At::MAX), 0, "what the old primary says is not believed");
    assert!(history.checks(&[0], &Answer::Unavailable, past..At::MAX) > 10);
    assert_eq!(history.first(What::Revoke, &Answer::Yes, 0, split), None, "and nothing is acknowledged on it");
    // The operator ends the split. The node that was led astray stays away: its setting names another server.
    nodes.kill(0);
    old.kill().unwrap();
    let one = history.phase("one again");
    load.is_served_by(&[1, 2], one);
    load.goes_on_for(20);
    load.end_at(&nodes, &[1, 2]).assert_sound();
}
