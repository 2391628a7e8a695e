//! What only Postgres does to its users: a pooler in between goes away, the server takes no writes, or no connections.

use rescind_test_kit::{PoolMode, Postgres, USER, or_skip, until};

use crate::rig::{ALL, Answer, At, BOUND, Kind, Links, Load, NODES, Nodes, Rig, What};

#[test]
fn a_pooler_in_between_may_be_killed_and_comes_back() {
    let Some(server) = or_skip(Postgres::start(), rescind::testing::skip) else { return };
    let Some(pooler) = or_skip(server.pgbouncer(PoolMode::Transaction), rescind::testing::skip) else { return };
    let nodes = Nodes::start(&vec![pooler.url(); NODES], |options| options);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(30);
    pooler.kill().unwrap();
    let down = history.phase("down");
    load.goes_on_until(down + BOUND * 2);
    assert!(history.checks(&ALL, &Answer::Yes, down..down + BOUND) > 10, "within the bound it is served");
    assert_eq!(history.checks(&ALL, &Answer::Yes, down + BOUND..At::MAX), 0, "past the bound nothing is");
    pooler.start_again().unwrap();
    let back = history.phase("back");
    let resumed = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("everything is served again {resumed:.2?} after the pooler's return");
    load.goes_on_for(30);
    let report = load.end(&nodes);
    assert!(report.count("down", What::Revoke, &Answer::Unavailable) > 0, "{report}");
    report.assert_sound();
}

#[test]
fn a_server_that_takes_no_writes_is_as_good_as_none_until_it_does() {
    refuses(
        |server| {
            server.psql("alter system set default_transaction_read_only = on").unwrap();
            server.psql("select pg_reload_conf()").unwrap();
        },
        |server| {
            server.psql("alter system reset default_transaction_read_only").unwrap();
            server.psql("select pg_reload_conf()").unwrap();
        },
    );
}

#[test]
fn a_server_without_a_free_connection_is_as_good_as_none_until_it_has_one() {
    refuses(
        |server| {
            // A connection of the log's reader may stay in use: all are ended, and none is to be had.
            server.psql(&format!("alter role {USER} connection limit 0")).unwrap();
            server
                .psql(&format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{USER}'"))
                .unwrap();
        },
        |server| server.psql(&format!("alter role {USER} connection limit -1")).map(drop).unwrap(),
    );
}

/// Nothing is acknowledged meanwhile, nothing is answered past the bound, and no restart is needed afterwards.
fn refuses(fault: impl Fn(&Postgres), remedy: impl Fn(&Postgres)) {
    let Some(rig) = Rig::start(Kind::Postgres, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    fault(rig.store.postgres());
    let begun = history.phase("refused");
    load.goes_on_until(begun + BOUND * 2);
    assert!(history.checks(&ALL, &Answer::Yes, begun..begun + BOUND) > 10, "within the bound it is served");
    assert_eq!(history.checks(&ALL, &Answer::Yes, begun + BOUND..At::MAX), 0, "past the bound nothing is");
    until("no node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(503))).unwrap();
    for what in [What::Revoke, What::Open, What::Refresh] {
        assert!(history.count(what, &Answer::Unavailable, begun) > 0, "{what:?}");
    }
    assert_eq!(history.count(What::Revoke, &Answer::Yes, begun + BOUND / 10), 0, "nothing is acknowledged");
    remedy(rig.store.postgres());
    let back = history.phase("back");
    let resumed = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("everything is served again {resumed:.2?} after the remedy");
    load.goes_on_for(30);
    assert!(ALL.iter().all(|node| rig.nodes.stat(*node, "history_healed") == 0), "there was nothing to heal");
    load.end(&rig.nodes).assert_sound();
}
