//! The store is killed or stands still, a node is, or both at once.

use std::thread;
use std::time::Duration;

use rescind_test_kit::until;

use crate::rig::{ALL, Answer, BOUND, Links, Load, NODES, Rig, Round, What, best_of_three, on_each_store};

on_each_store! {
    a_store_that_was_killed_loses_nothing_and_is_used_again_at_once
    a_store_that_hangs_is_waited_for_within_the_bound_and_not_past_it
    a_store_that_is_killed_again_while_it_recovers_loses_nothing
    a_killed_node_comes_back_on_its_data_and_says_nothing_old
    a_node_that_stood_still_past_the_bound_refuses_with_its_first_answer
    a_store_and_a_node_may_be_killed_at_once
    a_store_and_a_node_may_stand_still_at_once
}

fn a_store_that_was_killed_loses_nothing_and_is_used_again_at_once(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    store_is_away(round, &rig, || rig.store.kill(), || rig.store.start_again());
}

fn a_store_that_hangs_is_waited_for_within_the_bound_and_not_past_it(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    store_is_away(round, &rig, || rig.store.pause(), || rig.store.resume());
}

/// Served within the bound, refused past it and never with a 401; afterwards everything goes on, and at once.
fn store_is_away(round: &Round, rig: &Rig, goes: impl Fn(), comes_back: impl Fn()) {
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    best_of_three("from the store's return until checks were served", || {
        load.goes_on_for(30);
        load.goes_on_until_some_moment(round);
        goes();
        let down = history.phase("down");
        until("no node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(503))).unwrap();
        load.goes_on_until(down + BOUND + BOUND);
        load.is_refused_writes(down);
        let (within, past) = (down..down + BOUND, down + BOUND..down + BOUND + BOUND);
        assert!(history.checks(&ALL, &Answer::Yes, within) > 10, "within the bound it is served");
        assert_eq!(history.checks(&ALL, &Answer::Yes, past.clone()), 0, "past the bound nothing is");
        assert!(history.checks(&ALL, &Answer::Unavailable, past) > 10);
        comes_back();
        load.resumes(&ALL, history.phase("back"))
    });
    load.is_served_by_every_node(history.now());
    until("every node is ready", || rig.nodes.all.iter().all(|node| node.readiness() == Some(200))).unwrap();
    load.goes_on_for(30);
    let report = load.end(&rig.nodes);
    assert!((0..NODES).all(|node| rig.nodes.stat(node, "history_healed") == 0), "there was nothing to heal");
    report.assert_sound();
}

fn a_store_that_is_killed_again_while_it_recovers_loses_nothing(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    rig.store.kill();
    for _ in 0..3 {
        rig.store.start_again_and_kill();
        rig.store.start_again();
        // Nobody waits until the nodes have found it.
        rig.store.kill();
    }
    rig.store.start_again();
    let back = rig.nodes.history.phase("back");
    load.is_served_by_every_node(back);
    load.goes_on_for(30);
    load.end(&rig.nodes).assert_sound();
}

fn a_killed_node_comes_back_on_its_data_and_says_nothing_old(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    rig.nodes.kill(1);
    let down = history.phase("down");
    load.is_served_by(&[0, 2], down);
    load.goes_on_for(30);
    history.assert_undisturbed(&[0, 2], down);
    rig.nodes.start_again(1);
    let back = history.phase("back");
    load.is_served_by_every_node(back);
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}

fn a_node_that_stood_still_past_the_bound_refuses_with_its_first_answer(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    rig.nodes.pause(1);
    let still = history.phase("still");
    load.is_served_by(&[0, 2], still);
    load.goes_on_for(40);
    history.assert_undisturbed(&[0, 2], still);
    let revoked = load.lately();
    load.goes_on_until(history.now() + BOUND + BOUND / 10);
    let first = thread::scope(|scope| {
        // Asked while it stands still, decided when it goes on.
        let asking: Vec<_> = revoked.chunks(4).map(|some| scope.spawn(|| load.ask(1, some))).collect();
        load.goes_on_for(5);
        rig.nodes.resume(1);
        asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(first.contains(&Answer::Refused) || first.contains(&Answer::Unavailable), "{first:?}");
    let back = history.phase("back");
    load.is_served_by_every_node(back);
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}

fn a_store_and_a_node_may_be_killed_at_once(round: &Round) {
    both_are_away(
        round,
        BOUND / 2,
        |rig| {
            thread::scope(|scope| {
                scope.spawn(|| rig.nodes.kill(2));
                rig.store.kill();
            });
        },
        |rig| {
            rig.store.start_again();
            rig.nodes.start_again(2);
        },
    );
}

fn a_store_and_a_node_may_stand_still_at_once(round: &Round) {
    both_are_away(
        round,
        BOUND,
        |rig| {
            thread::scope(|scope| {
                scope.spawn(|| rig.nodes.pause(2));
                rig.store.pause();
            });
        },
        |rig| {
            rig.store.resume();
            rig.nodes.resume(2);
        },
    );
}

/// For so long, and for up to the bound longer.
fn both_are_away(round: &Round, least: Duration, go: impl FnOnce(&Rig), come_back: impl FnOnce(&Rig)) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    go(&rig);
    let down = history.phase("down");
    load.goes_on_until(down + least + round.within(BOUND));
    let up = [0, 1];
    assert_eq!(history.checks(&up, &Answer::Yes, down + BOUND + BOUND / 10..history.now()), 0, "past the bound");
    come_back(&rig);
    let back = history.phase("back");
    load.is_served_by_every_node(back);
    load.goes_on_for(30);
    let report = load.end(&rig.nodes);
    let writes = [What::Open, What::Refresh, What::Revoke, What::Lift];
    assert!(writes.iter().any(|what| report.count("down", *what, &Answer::Unavailable) > 0), "{report}");
    report.assert_sound();
}
