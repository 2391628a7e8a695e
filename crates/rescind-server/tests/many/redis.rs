//! What only Redis does to its users: it evicts, its settings change while it runs, its slots move to another node of a
//! cluster.

use rescind_test_kit::{Cluster, Node, Redis, or_skip, until};

use crate::lost::{assert_healed, everybody_is_signed_out};
use crate::rig::{Answer, At, BOUND, Kind, Links, Load, Nodes, Rig, What};

/// Keys of the log, of which none may be lost without notice.
const LOG: [&str; 3] = ["{rescind}:head", "{rescind}:log", "{rescind}:scopes"];

#[test]
fn a_redis_that_evicts_is_refused_at_the_start_with_the_remedy() {
    let Some(redis) =
        or_skip(Redis::options().setting("maxmemory-policy", "allkeys-lru").start(), rescind::testing::skip)
    else {
        return;
    };
    let refused = Node::of(env!("CARGO_BIN_EXE_rescind")).store(&redis.url()).start().unwrap_err().to_string();
    assert!(refused.contains("CONFIG SET maxmemory-policy noeviction"), "{refused}");
}

#[test]
fn a_redis_that_is_told_to_evict_while_it_runs_is_not_believed_any_more() {
    let Some(rig) = Rig::start(Kind::Redis, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    rig.store.redis().cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).unwrap();
    let evicting = history.phase("evicting");
    until("no node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(503))).unwrap();
    eprintln!("noticed after {:.2?}", history.now().saturating_sub(evicting));
    let noticed = history.now();
    load.goes_on_until(noticed + BOUND * 2);
    assert_eq!(history.checks(&[0, 1, 2], &Answer::Yes, noticed + BOUND..At::MAX), 0, "nothing is answered from it");
    assert!(history.count(What::Revoke, &Answer::Unavailable, noticed) > 0);
    rig.store.redis().cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    let right = history.phase("put right");
    load.is_served_by_every_node(right);
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}

#[test]
fn what_a_relaxed_redis_evicted_is_found_and_healed() {
    let Some(redis) =
        or_skip(Redis::options().setting("maxmemory-policy", "allkeys-random").start(), rescind::testing::skip)
    else {
        return;
    };
    let nodes = Nodes::start(&[redis.url(), redis.url(), redis.url()], |node| node.arg("--durability", "relaxed"));
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    history.sessions_are_lost_since(At::ZERO);
    history.phase("evicting");
    until("a part of the log is evicted", || {
        let used: u64 = redis.info("used_memory").unwrap().parse().unwrap();
        redis.cli(&["CONFIG", "SET", "maxmemory", &(used / 100 * 97).to_string()]).unwrap();
        let lost = LOG.iter().any(|key| redis.cli(&["EXISTS", key]).is_ok_and(|there| there == "0"));
        lost || redis.log().contains("history begins")
    })
    .unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_ne!(redis.info("evicted_keys").unwrap(), "0");
    history.phase("evicted");
    everybody_is_signed_out(&nodes);
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    assert_healed(&nodes);
    assert!(nodes.metrics(0).contains("rescind_store_relaxed 1"));
    load.end(&nodes).assert_sound();
}

fn url(cluster: &Cluster) -> String {
    let nodes: Vec<String> = cluster.addresses().iter().map(ToString::to_string).collect();
    format!("redis+cluster://{}", nodes.join(","))
}

#[test]
fn a_cluster_whose_primary_is_killed_goes_on_with_its_replica() {
    let Some(cluster) = or_skip(Cluster::start(1), rescind::testing::skip) else { return };
    let nodes = Nodes::start(&[url(&cluster), url(&cluster), url(&cluster)], |node| node);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
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

#[test]
fn the_logs_slot_can_be_moved_to_another_node_of_the_cluster_while_it_is_used() {
    let Some(cluster) = or_skip(Cluster::start(0), rescind::testing::skip) else { return };
    let nodes = Nodes::start(&[url(&cluster), url(&cluster), url(&cluster)], |node| node);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
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
