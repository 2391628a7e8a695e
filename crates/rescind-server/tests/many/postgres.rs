//! What only Postgres does to its users: a pooler in between goes away, the server takes no writes, or no connections, or is
//! told to forget.

use rescind_test_kit::{PoolMode, Postgres, USER, or_skip, until};

use crate::rig::{ALL, Answer, At, BOUND, Links, Load, NODES, Nodes, Rig, Round, What, best_of_three, on_postgres};

on_postgres! {
    a_pooler_in_between_may_be_killed_and_comes_back
    a_server_that_takes_no_writes_is_as_good_as_none_until_it_does
    a_server_without_a_free_connection_is_as_good_as_none_until_it_has_one
    a_server_that_is_told_to_forget_while_it_runs_is_not_believed_any_more
}

fn a_pooler_in_between_may_be_killed_and_comes_back(round: &Round) {
    let Some(server) = or_skip(Postgres::start(), rescind::testing::skip) else { return };
    let Some(pooler) = or_skip(server.pgbouncer(PoolMode::Transaction), rescind::testing::skip) else { return };
    let nodes = Nodes::start(&vec![pooler.url(); NODES], |options| options).in_round(round);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    best_of_three("from the pooler's return until checks were served", || {
        load.goes_on_for(30);
        load.goes_on_until_some_moment(round);
        pooler.kill().unwrap();
        let down = history.phase("down");
        load.goes_on_until(down + BOUND * 2);
        assert!(history.checks(&ALL, &Answer::Yes, down..down + BOUND) > 10, "within the bound it is served");
        assert_eq!(history.checks(&ALL, &Answer::Yes, down + BOUND..history.now()), 0, "past the bound nothing is");
        pooler.start_again().unwrap();
        load.resumes(&ALL, history.phase("back"))
    });
    load.goes_on_for(30);
    let report = load.end(&nodes);
    assert!(report.count("down", What::Revoke, &Answer::Unavailable) > 0, "{report}");
    report.assert_sound();
}

fn a_server_that_takes_no_writes_is_as_good_as_none_until_it_does(round: &Round) {
    refuses(
        round,
        |server| set(server, "set default_transaction_read_only = on"),
        |server| set(server, "reset default_transaction_read_only"),
    );
}

fn a_server_without_a_free_connection_is_as_good_as_none_until_it_has_one(round: &Round) {
    refuses(
        round,
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

fn a_server_that_is_told_to_forget_while_it_runs_is_not_believed_any_more(round: &Round) {
    let Some(rig) = refuses(round, |server| set(server, "set fsync = off"), |server| set(server, "reset fsync")) else {
        return;
    };
    for node in &rig.nodes.all {
        assert!(node.log().contains("Set fsync = on"), "it says what to change: {}", node.log());
    }
}

fn set(server: &Postgres, setting: &str) {
    server.psql(&format!("alter system {setting}")).unwrap();
    server.psql("select pg_reload_conf()").unwrap();
}

/// Nothing is acknowledged meanwhile, nothing is answered past the bound, and no restart is needed afterwards.
fn refuses(round: &Round, fault: impl Fn(&Postgres), remedy: impl Fn(&Postgres)) -> Option<Rig> {
    let rig = Rig::start(round, Links::Direct)?;
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    best_of_three("from the remedy until checks were served", || {
        load.goes_on_for(30);
        load.goes_on_until_some_moment(round);
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
        load.resumes(&ALL, history.phase("back"))
    });
    load.goes_on_for(30);
    assert!(ALL.iter().all(|node| rig.nodes.stat(*node, "history_healed") == 0), "there was nothing to heal");
    load.end(&rig.nodes).assert_sound();
    Some(rig)
}
