//! What only Redis does to its users: it evicts, its settings change while it runs, it wants replicas and has none.

use std::time::Duration;

use rescind_test_kit::{Node, Redis, or_skip, until};

use crate::lost::{assert_healed, everybody_is_signed_out};
use crate::rig::{ALL, Answer, At, BOUND, Links, Load, Nodes, Rig, Round, What, best_of_three, on_redis};

on_redis! {
    a_redis_that_is_told_to_evict_while_it_runs_is_not_believed_any_more
    a_redis_that_is_told_to_keep_no_file_while_it_runs_is_not_believed_any_more
    a_redis_that_takes_no_writes_is_as_good_as_none_until_it_does
    what_a_relaxed_redis_evicted_is_found_and_healed
}

/// Settings are looked at this often.
const LOOK: Duration = Duration::from_secs(5);

/// Keys of the log, of which none may be lost without notice.
pub(crate) const LOG: [&str; 3] = ["{rescind}:head", "{rescind}:log", "{rescind}:scopes"];

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

fn a_redis_that_is_told_to_evict_while_it_runs_is_not_believed_any_more(round: &Round) {
    is_told_to_forget(round, "maxmemory-policy", ["allkeys-lru", "noeviction"]);
}

fn a_redis_that_is_told_to_keep_no_file_while_it_runs_is_not_believed_any_more(round: &Round) {
    is_told_to_forget(round, "appendonly", ["no", "yes"]);
}

/// By a setting of which one value forgets and the other one does not. Soon nothing is acknowledged any more.
fn is_told_to_forget(round: &Round, setting: &str, [wrong, right]: [&str; 2]) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_until_some_moment(round);
    rig.store.redis().cli(&["CONFIG", "SET", setting, wrong]).unwrap();
    let told = history.phase("forgets");
    until("no node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(503))).unwrap();
    let noticed = history.now();
    let took = noticed.saturating_sub(told);
    eprintln!("noticed after {took:.2?}");
    // The node notices at its next look, and is not ready once its next write was not done.
    assert!(took < LOOK + BOUND, "only after {took:.2?}");
    load.goes_on_until(noticed + BOUND * 2);
    assert_eq!(history.checks(&ALL, &Answer::Yes, noticed + BOUND..At::MAX), 0, "nothing is answered from it");
    assert_eq!(history.count(What::Revoke, &Answer::Yes, noticed), 0, "nothing is acknowledged");
    for what in [What::Revoke, What::Open, What::Refresh] {
        assert!(history.count(what, &Answer::Unavailable, noticed) > 0, "{what:?}");
    }
    let remedy = format!("CONFIG SET {setting} {right}");
    for node in &rig.nodes.all {
        assert!(node.log().contains(&remedy), "it says what to change: {}", node.log());
    }
    rig.store.redis().cli(&["CONFIG", "SET", setting, right]).unwrap();
    let back = history.phase("put right");
    load.resumes(&ALL, back);
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}

fn a_redis_that_takes_no_writes_is_as_good_as_none_until_it_does(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    best_of_three("from the remedy until checks were served", || {
        load.goes_on_for(30);
        load.goes_on_until_some_moment(round);
        // It has no replica.
        rig.store.redis().cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]).unwrap();
        let begun = history.phase("refused");
        load.goes_on_until(begun + BOUND * 2);
        assert!(history.checks(&ALL, &Answer::Yes, begun..begun + BOUND) > 10, "within the bound it is served");
        assert_eq!(history.checks(&ALL, &Answer::Yes, begun + BOUND..At::MAX), 0, "past the bound nothing is");
        until("no node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(503))).unwrap();
        load.is_refused_writes(begun);
        assert_eq!(history.count(What::Revoke, &Answer::Yes, begun), 0, "nothing is acknowledged");
        rig.store.redis().cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]).unwrap();
        load.resumes(&ALL, history.phase("back"))
    });
    load.goes_on_for(30);
    assert!(ALL.iter().all(|node| rig.nodes.stat(*node, "history_healed") == 0), "there was nothing to heal");
    load.end(&rig.nodes).assert_sound();
}

fn what_a_relaxed_redis_evicted_is_found_and_healed(round: &Round) {
    let Some(redis) =
        or_skip(Redis::options().setting("maxmemory-policy", "allkeys-random").start(), rescind::testing::skip)
    else {
        return;
    };
    let nodes = Nodes::start(&[redis.url(), redis.url(), redis.url()], |node| node.arg("--durability", "relaxed"));
    let nodes = nodes.in_round(round);
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
