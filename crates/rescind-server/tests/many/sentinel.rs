//! Redis under Sentinel: a replica that lags takes the place of its primary, and an old primary goes on as if nothing were.

use rescind_test_kit::{Proxy, Redis, SentinelSet, or_skip, until};

use crate::rig::{ALL, Answer, At, BOUND, Load, NODES, Nodes, Round, What, on_redis};

on_redis! {
    a_replica_that_lags_is_promoted_and_healed_from_the_views
    a_failover_to_a_replica_that_has_everything_goes_on_without_healing
    a_failover_that_was_asked_for_goes_on_without_healing
    a_primary_that_stands_still_is_replaced_and_not_believed_when_it_goes_on
    sentinels_may_be_away_for_as_long_as_the_primary_is_there
}

/// The URL by which nodes ask the Sentinels who is primary.
fn url(set: &SentinelSet) -> String {
    let sentinels: Vec<String> = set.sentinels().iter().map(ToString::to_string).collect();
    format!("redis+sentinel://{}/{}", sentinels.join(","), SentinelSet::NAME)
}

/// From now on nothing reaches the replicas.
fn detach_replicas(primary: &Redis) {
    primary.cli(&["ACL", "SETUSER", "default", "-psync", "-sync", "-replconf"]).unwrap();
    primary.cli(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    until("the replicas are off", || primary.info("connected_slaves").is_ok_and(|count| count == "0")).unwrap();
}

fn a_replica_that_lags_is_promoted_and_healed_from_the_views(round: &Round) {
    let Some(set) = or_skip(SentinelSet::start(1), rescind::testing::skip) else { return };
    let nodes = Nodes::start(&[url(&set), url(&set), url(&set)], |options| options).in_round(round);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    let primary = set.primary().unwrap();
    // What is opened while they are taken off may be lost already.
    let detached = history.now();
    detach_replicas(primary);
    history.phase("lagging");
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    primary.kill().unwrap();
    history.sessions_are_lost_since(detached);
    history.phase("failover");
    let promoted = set.wait_for_failover(primary).unwrap();
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("healed and served {served:.2?} after the promotion of {}", promoted.address());
    load.goes_on_for(40);
    let healed: u64 = ALL.iter().map(|node| nodes.stat(*node, "history_healed")).sum();
    let again: u64 = ALL.iter().map(|node| nodes.stat(*node, "history_appended_again")).sum();
    assert!(healed > 0 && again > 0, "healed {healed} times, {again} entries");
    assert!(nodes.all.iter().any(|node| node.log().contains("ALARM")), "no alarm");
    load.end(&nodes).assert_sound();
}

fn a_failover_to_a_replica_that_has_everything_goes_on_without_healing(round: &Round) {
    let Some((set, nodes)) = with_everything(round, 2) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    let primary = set.primary().unwrap();
    primary.kill().unwrap();
    history.phase("failover");
    set.wait_for_failover(primary).unwrap();
    goes_on_without_healing(&nodes, load);
}

fn a_failover_that_was_asked_for_goes_on_without_healing(round: &Round) {
    // With a second replica a write at the old primary could be acknowledged by the one that is not promoted.
    let Some((set, nodes)) = with_everything(round, 1) else { return };
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    let primary = set.primary().unwrap();
    set.fail_over().unwrap();
    nodes.history.phase("failover");
    set.wait_for_failover(primary).unwrap();
    goes_on_without_healing(&nodes, load);
}

fn a_primary_that_stands_still_is_replaced_and_not_believed_when_it_goes_on(round: &Round) {
    let Some((set, nodes)) = with_everything(round, 2) else { return };
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    let primary = set.primary().unwrap();
    primary.pause().unwrap();
    nodes.history.phase("failover");
    set.wait_for_failover(primary).unwrap();
    let back = nodes.history.phase("promoted");
    load.is_served_by_every_node(back);
    load.goes_on_for(20);
    // It goes on as the primary that it was, until the Sentinels have told it.
    primary.resume().unwrap();
    nodes.history.phase("both");
    load.goes_on_for(20);
    until("it has found its place", || primary.info("role").is_ok_and(|role| role == "slave")).unwrap();
    goes_on_without_healing(&nodes, load);
}

fn sentinels_may_be_away_for_as_long_as_the_primary_is_there(round: &Round) {
    let Some((set, nodes)) = with_everything(round, 2) else { return };
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    let sentinels = 0..set.sentinels().len();
    sentinels.clone().for_each(|number| set.kill_sentinel(number).unwrap());
    let alone = history.phase("alone");
    load.goes_on_until(alone + BOUND * 2);
    load.is_served_by_every_node(alone);
    history.assert_undisturbed(&ALL, alone);
    let primary = &set.servers()[0];
    primary.kill().unwrap();
    let down = history.phase("nobody");
    load.goes_on_until(down + BOUND * 2);
    assert_eq!(history.checks(&ALL, &Answer::Yes, down + BOUND..history.now()), 0, "past the bound nothing is");
    sentinels.for_each(|number| set.start_sentinel_again(number).unwrap());
    history.phase("failover");
    set.wait_for_failover(primary).unwrap();
    goes_on_without_healing(&nodes, load);
}

/// So many replicas, of which one has everything that is acknowledged. Sentinel takes eight seconds and more to make a
/// replica of an old primary, and for as long a client whose reply was lost tries again: its grace must not end meanwhile.
fn with_everything(round: &Round, replicas: usize) -> Option<(SentinelSet, Nodes)> {
    let set = or_skip(SentinelSet::start(replicas), rescind::testing::skip)?;
    let url = format!("{}?replicas=1", url(&set));
    let nodes = Nodes::start(&vec![url; NODES], |options| options.environment("RESCIND_GRACE", "60s")).in_round(round);
    Some((set, nodes))
}

fn goes_on_without_healing(nodes: &Nodes, load: Load) {
    let back = nodes.history.phase("one primary");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("served {served:.2?} after the promotion");
    load.goes_on_for(30);
    load.end(nodes).assert_sound();
}

#[test]
fn a_node_that_still_talks_to_the_old_primary_refuses_past_the_bound() {
    let Some(old) = or_skip(Redis::options().setting("min-replicas-max-lag", "1").start(), rescind::testing::skip)
    else {
        return;
    };
    // A replica of the replica, so that what is acknowledged is where the failover goes to.
    let new = old.replica().unwrap();
    let _third = new.replica().unwrap();
    let link = Proxy::start(old.address()).unwrap();
    let direct = format!("{}?replicas=1", old.url());
    let urls = [
        direct,
        link.through(&format!("{}?replicas=1", old.url())),
        link.through(&format!("{}?replicas=1", old.url())),
    ];
    let nodes = Nodes::start(&urls, |options| options);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    // An operator fails over; one node is not told, and the old primary lives on, alone.
    new.promote().unwrap();
    link.lead_to(new.address());
    link.cut().unwrap();
    link.heal().unwrap();
    let split = history.phase("split");
    load.is_served_by(&[1, 2], split);
    load.goes_on_until(split + BOUND + BOUND / 2);
    let healed: u64 = [1, 2].map(|node| nodes.stat(node, "history_healed")).iter().sum();
    assert_eq!(healed, 0, "somebody was shown what was not replicated yet");
    let past = history.now();
    load.goes_on_for(30);
    load.goes_on_until(past + BOUND);
    assert_eq!(history.checks(&[0], &Answer::Yes, past..At::MAX), 0, "what the old primary says is not believed");
    let unavailable = history.checks(&[0], &Answer::Unavailable, past..At::MAX);
    let refused = history.checks(&[0], &Answer::Refused, past..At::MAX);
    assert!(unavailable > 10, "{unavailable} checks were not answered, {refused} refused");
    assert_eq!(history.first(What::Revoke, &Answer::Yes, 0, split), None, "and nothing is acknowledged on it");
    // The operator ends the split: the old one becomes a replica, and the node is led to the new one.
    nodes.kill(0);
    let port = new.address().port().to_string();
    old.cli(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    history.phase("one again");
    load.is_served_by(&[1, 2], history.now());
    load.goes_on_for(20);
    // Nobody refused by what the old primary could not replicate: it was shown to nobody.
    load.end_at(&nodes, &[1, 2]).assert_sound();
}
