//! The store is killed or stands still, a node is, or both at once.

use std::thread;
use std::time::Duration;

use crate::rig::{ALL, Answer, BOUND, Kind, Links, Load, NODES, Rig, What, on_each_store};

on_each_store! {
    a_store_that_was_killed_loses_nothing_and_is_used_again_at_once
    a_store_that_hangs_is_waited_for_within_the_bound_and_not_past_it
    a_store_that_is_killed_again_while_it_recovers_loses_nothing
    a_killed_node_comes_back_on_its_data_and_says_nothing_old
    a_node_that_stood_still_past_the_bound_refuses_with_its_first_answer
    a_store_and_a_node_may_be_killed_at_once
}

/// A loaded machine needs longer than the second that the contract gives.
const RESUME: Duration = Duration::from_secs(3);

fn a_store_that_was_killed_loses_nothing_and_is_used_again_at_once(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    store_is_away(&rig, || rig.store.kill(), || rig.store.start_again());
}

fn a_store_that_hangs_is_waited_for_within_the_bound_and_not_past_it(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    store_is_away(&rig, || rig.store.pause(), || rig.store.resume());
}

/// Served within the bound, refused past it and never with a 401; afterwards everything goes on, and at once.
fn store_is_away(rig: &Rig, goes: impl FnOnce(), comes_back: impl FnOnce()) {
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    goes();
    let down = history.phase("down");
    load.goes_on_until(down + BOUND + BOUND);
    load.is_refused_writes(down);
    let (within, past) = (down..down + BOUND, down + BOUND..down + BOUND + BOUND);
    assert!(history.checks(&ALL, &Answer::Yes, within) > 10, "within the bound it is served");
    assert_eq!(history.checks(&ALL, &Answer::Yes, past.clone()), 0, "past the bound nothing is");
    assert!(history.checks(&ALL, &Answer::Unavailable, past) > 10);
    comes_back();
    let back = history.phase("back");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("everything is served again {served:.2?} after the store's return");
    assert!(served < RESUME, "only {served:?} after the store's return");
    load.goes_on_for(30);
    let report = load.end(&rig.nodes);
    assert!((0..NODES).all(|node| rig.nodes.stat(node, "history_healed") == 0), "there was nothing to heal");
    report.assert_sound();
}

fn a_store_that_is_killed_again_while_it_recovers_loses_nothing(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
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

fn a_killed_node_comes_back_on_its_data_and_says_nothing_old(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
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

fn a_node_that_stood_still_past_the_bound_refuses_with_its_first_answer(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
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

fn a_store_and_a_node_may_be_killed_at_once(kind: Kind) {
    let Some(rig) = Rig::start(kind, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    thread::scope(|scope| {
        scope.spawn(|| rig.nodes.kill(2));
        rig.store.kill();
    });
    let down = history.phase("down");
    load.goes_on_until(down + BOUND / 2);
    rig.store.start_again();
    rig.nodes.start_again(2);
    let back = history.phase("back");
    load.is_served_by_every_node(back);
    load.goes_on_for(30);
    let report = load.end(&rig.nodes);
    assert!(report.count("down", What::Revoke, &Answer::Unavailable) > 0, "{report}");
    report.assert_sound();
}
