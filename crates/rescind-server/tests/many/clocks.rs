//! Clocks that step by an hour: a node's, or the store's, there and back.

use std::time::Duration;

use rescind_test_kit::{Postgres, or_skip, until};

use crate::rig::{Answer, Links, Load, NODES, Nodes, Rig, Round, Server, Store, What, on_each_store, on_postgres};

on_each_store! {
    a_node_whose_clock_steps_by_an_hour_revives_nothing_and_says_so
}

on_postgres! {
    a_store_whose_clock_steps_by_an_hour_revives_nothing_and_refuses_nobody
}

const HOUR: i64 = 3600;

fn a_node_whose_clock_steps_by_an_hour_revives_nothing_and_says_so(round: &Round) {
    let Some(store) = or_skip(Store::start(round.kind, None), rescind::testing::skip) else { return };
    let urls = vec![store.url(); NODES];
    // Tokens that an hour does not expire.
    let Some(nodes) = or_skip(
        Nodes::try_start(&urls, |node| node.arg("--access-lifetime", "3h").stepped_clock()),
        rescind::testing::skip,
    ) else {
        return;
    };
    let nodes = nodes.in_round(round);
    let history = &nodes.history;
    let load = Load::begin(&nodes);
    load.goes_on_for(20);
    for (phase, seconds) in [("an hour on", HOUR), ("an hour back", -HOUR), ("right again", 0)] {
        let steps = nodes.stat(0, "clock_steps");
        if seconds < 0 {
            history.falls_behind(0);
        }
        nodes.all[0].set_clock(seconds).unwrap();
        let begin = history.phase(phase);
        if seconds == 0 {
            history.catches_up(0);
        }
        until("the step is seen", || nodes.stat(0, "clock_steps") > steps).unwrap();
        load.is_served_by(&[1, 2], begin);
        until("it revokes", || history.first(What::Revoke, &Answer::Yes, 0, begin).is_some()).unwrap();
        load.goes_on_for(20);
        load.goes_on_until_some_moment(round);
        load.goes_on_until(begin + Duration::from_secs(2));
    }
    assert!(nodes.all[0].log().contains("the wall clock stepped"), "it says so");
    load.is_served_by(&[0, 1, 2], history.now());
    load.end(&nodes).assert_sound();
}

fn a_store_whose_clock_steps_by_an_hour_revives_nothing_and_refuses_nobody(round: &Round) {
    let Some(server) = or_skip(Postgres::options().stepped_clock().start(), rescind::testing::skip) else { return };
    let rig = Rig::on(round, Store(Server::Postgres(server)), Links::Direct);
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
    for (phase, seconds) in [("an hour on", HOUR), ("an hour back", -HOUR), ("right again", 0)] {
        rig.store.postgres().set_clock(seconds).unwrap();
        let begin = history.phase(phase);
        load.is_served_by_every_node(begin);
        load.goes_on_for(20);
        load.goes_on_until_some_moment(round);
        load.goes_on_until(begin + Duration::from_secs(2));
    }
    load.is_served_by_every_node(history.now());
    load.end(&rig.nodes).assert_sound();
}
