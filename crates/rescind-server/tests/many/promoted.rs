//! Another Postgres takes the place of the primary: a replica that lags, and one that has everything.

use std::net::SocketAddr;

use rescind_test_kit::{DATABASE, PASSWORD, Postgres, USER, or_skip};

use crate::lost::assert_healed;
use crate::rig::{ALL, BOUND, Load, NODES, Nodes};

/// A primary and its replica.
fn pair() -> Option<(Postgres, Postgres)> {
    let primary = or_skip(Postgres::start(), rescind::testing::skip)?;
    let replica = primary.replica().unwrap();
    primary.wait_for_replica(&replica).unwrap();
    Some((primary, replica))
}

/// Nodes that know both servers and use the one that can write.
fn on_both(first: &Postgres, second: &Postgres) -> Nodes {
    let hosts = |servers: [SocketAddr; 2]| servers.map(|address| address.to_string()).join(",");
    let url = format!("postgres://{USER}:{PASSWORD}@{}/{DATABASE}", hosts([first.address(), second.address()]));
    Nodes::start(&vec![url; NODES], |options| options)
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

#[test]
fn a_replica_that_lags_is_promoted_and_healed_from_the_views() {
    let Some((primary, replica)) = pair() else { return };
    let nodes = on_both(&primary, &replica);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    let lagging = history.phase("lagging");
    replica.stop_receiving().unwrap();
    load.goes_on_for(40);
    primary.kill().unwrap();
    history.phase("failover");
    replica.promote().unwrap();
    // What was on its way to it at either end may be lost, too.
    history.sessions_are_lost_since(lagging.saturating_sub(BOUND / 4));
    let back = history.phase("promoted");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("healed and served {served:.2?} after the promotion");
    load.goes_on_for(40);
    assert_healed(&nodes);
    let again: u64 = ALL.iter().map(|node| nodes.stat(*node, "history_appended_again")).sum();
    assert!(again > 0, "nothing was appended again");
    load.end(&nodes).assert_sound();
}

#[test]
fn a_replica_that_does_not_show_what_it_has_is_promoted_and_nothing_is_lost() {
    let Some((primary, replica)) = pair() else { return };
    wait_for_standby(&primary);
    let nodes = on_both(&primary, &replica);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    replica.pause_replay().unwrap();
    load.goes_on_for(40);
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
