//! A Redis Cluster: its nodes are killed or stand still, its slots move to another node.

use rescind_test_kit::{Cluster, Redis, or_skip, until};

use crate::redis::LOG;
use crate::rig::{ALL, Answer, BOUND, Load, NODES, Nodes, Round, What, on_redis};

on_redis! {
    a_cluster_whose_primary_is_killed_goes_on_with_its_replica
    a_cluster_whose_primary_stands_still_goes_on_with_its_replica_and_does_not_believe_it_later
    a_cluster_all_of_whose_nodes_were_killed_loses_nothing
    a_cluster_node_that_has_sessions_only_takes_nothing_else_with_it
    the_logs_slot_can_be_moved_to_another_node_of_the_cluster_while_it_is_used
}

/// A cluster whose primaries have so many replicas, and nodes on it.
fn start(round: &Round, replicas: usize) -> Option<(Cluster, Nodes)> {
    let cluster = or_skip(Cluster::start(replicas), rescind::testing::skip)?;
    let servers: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
    let url = format!("redis+cluster://{}", servers.join(","));
    Some((cluster, Nodes::start(&vec![url; NODES], |node| node).in_round(round)))
}

fn a_cluster_whose_primary_is_killed_goes_on_with_its_replica(round: &Round) {
    let Some((cluster, nodes)) = start(round, 1) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    let primary = cluster.owner_of(LOG[0]).unwrap();
    // The replica may lag by what was on its way.
    let lately = history.now().saturating_sub(BOUND / 4);
    primary.kill().unwrap();
    history.sessions_are_lost_since(lately);
    history.phase("failover");
    cluster.wait_for_failover(LOG[0], primary).unwrap();
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("served {served:.2?} after the promotion");
    load.goes_on_for(20);
    load.end(&nodes).assert_sound();
}

fn a_cluster_whose_primary_stands_still_goes_on_with_its_replica_and_does_not_believe_it_later(round: &Round) {
    let Some((cluster, nodes)) = start(round, 1) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    let primary = cluster.owner_of(LOG[0]).unwrap();
    let lately = history.now().saturating_sub(BOUND / 4);
    primary.pause().unwrap();
    history.sessions_are_lost_since(lately);
    history.phase("failover");
    cluster.wait_for_failover(LOG[0], primary).unwrap();
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("served {served:.2?} after the promotion");
    load.goes_on_for(20);
    // It wakes as the primary that it was.
    primary.resume().unwrap();
    history.phase("both");
    until("it has found its place", || primary.info("role").is_ok_and(|role| role == "slave")).unwrap();
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    load.end(&nodes).assert_sound();
}

fn a_cluster_all_of_whose_nodes_were_killed_loses_nothing(round: &Round) {
    let Some((cluster, nodes)) = start(round, 0) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    cluster.nodes().iter().for_each(|node| node.kill().unwrap());
    let down = history.phase("down");
    load.goes_on_until(down + BOUND * 2);
    assert!(history.checks(&ALL, &Answer::Yes, down..down + BOUND) > 10, "within the bound it is served");
    assert_eq!(history.checks(&ALL, &Answer::Yes, down + BOUND..history.now()), 0, "past the bound nothing is");
    load.is_refused_writes(down);
    cluster.nodes().iter().for_each(|node| node.start_again().unwrap());
    let back = history.phase("back");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("everything is served again {served:.2?} after the cluster's nodes were started");
    load.goes_on_for(30);
    assert!(ALL.iter().all(|node| nodes.stat(*node, "history_healed") == 0), "there was nothing to heal");
    load.end(&nodes).assert_sound();
}

fn a_cluster_node_that_has_sessions_only_takes_nothing_else_with_it(round: &Round) {
    let Some((cluster, nodes)) = start(round, 0) else { return };
    // Else a cluster that lacks slots answers nothing at all.
    for node in cluster.nodes() {
        node.cli(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).unwrap();
    }
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    let keeper = cluster.owner_of(LOG[0]).unwrap().address();
    let other = cluster.nodes().iter().find(|node| node.address() != keeper).unwrap();
    other.kill().unwrap();
    let down = history.phase("down");
    load.goes_on_until(down + BOUND * 2);
    let past = history.now();
    load.goes_on_for(20);
    history.assert_undisturbed(&ALL, past);
    assert!(history.count(What::Refresh, &Answer::Unavailable, down) > 0, "its sessions cannot be refreshed");
    other.start_again().unwrap();
    let back = history.phase("back");
    load.is_served_by_every_node(back);
    load.is_served_whole();
    eprintln!("its sessions are refreshed again {:.2?} after its return", history.now().saturating_sub(back + BOUND));
    load.goes_on_for(20);
    load.end(&nodes).assert_sound();
}

fn the_logs_slot_can_be_moved_to_another_node_of_the_cluster_while_it_is_used(round: &Round) {
    let Some((cluster, nodes)) = start(round, 0) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    history.phase("moving");
    let from = cluster.owner_of(LOG[0]).unwrap();
    let to = cluster.nodes().iter().find(|node| node.address() != from.address()).unwrap();
    move_slot(&cluster, from, to);
    assert_eq!(cluster.owner_of(LOG[0]).unwrap().address(), to.address(), "it is there");
    let moved = history.phase("moved");
    load.is_served_by_every_node(moved);
    load.goes_on_for(20);
    load.end(&nodes).assert_sound();
}

/// As `redis-cli --cluster reshard` does it.
fn move_slot(cluster: &Cluster, from: &Redis, to: &Redis) {
    let slot = from.cli(&["CLUSTER", "KEYSLOT", LOG[0]]).unwrap();
    let (old, new) = (from.cli(&["CLUSTER", "MYID"]).unwrap(), to.cli(&["CLUSTER", "MYID"]).unwrap());
    to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &old]).unwrap();
    from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &new]).unwrap();
    let (host, port) = (to.address().ip().to_string(), to.address().port().to_string());
    until("the slot is empty", || {
        let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).unwrap();
        let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
        if !keys.is_empty() {
            from.cli(&[&["MIGRATE", &host, &port, "", "0", "5000", "KEYS"], &keys[..]].concat()).unwrap();
        }
        keys.is_empty()
    })
    .unwrap();
    for node in [to, from].into_iter().chain(cluster.nodes()) {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &new]).unwrap();
    }
}
