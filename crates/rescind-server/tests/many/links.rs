//! The network between a node and the store: cut, slow, slower than the bound, half open; for one node or for all.

use std::time::Duration;

use rescind_test_kit::Proxy;
use serde_json::json;

use crate::rig::{ALL, Answer, At, BOUND, Links, Load, Rig, Round, What, best_of_three, name, on_each_store};

on_each_store! {
    a_node_that_is_cut_off_refuses_past_the_bound_and_the_others_serve
    a_revocation_that_waits_for_everywhere_names_the_node_that_is_cut_off
    a_slow_link_makes_writes_slow_and_checks_not
    a_link_slower_than_the_bound_is_as_good_as_none
    a_half_open_link_is_given_up_in_time
}

/// A node has to give up first what it asked through a link that says nothing, and it waits for up to 1.5 s for that.
const GIVEN_UP: Duration = Duration::from_secs(4);

fn a_node_that_is_cut_off_refuses_past_the_bound_and_the_others_serve(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Proxied) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    best_of_three("from the link's return until checks were served", || {
        load.goes_on_for(10);
        load.goes_on_until_some_moment(round);
        rig.links[0].cut().unwrap();
        let alone = history.phase("alone");
        load.goes_on_until(alone + BOUND);
        let past = history.now();
        load.is_served_by(&[1, 2], past);
        load.goes_on_until(past + BOUND);
        let until = history.now();
        assert!(history.checks(&[0], &Answer::Yes, alone..alone + BOUND) > 5, "within the bound it is served");
        assert_eq!(history.checks(&[0], &Answer::Yes, past..until), 0, "past the bound nothing is");
        assert!(history.checks(&[0], &Answer::Unavailable, past..until) > 5);
        history.assert_undisturbed(&[1, 2], alone);
        assert_eq!(rig.nodes.all[0].readiness(), Some(503));
        rig.links[0].heal().unwrap();
        load.resumes(&[0], history.phase("back"))
    });
    is_served_again(&rig, load);
}

fn a_revocation_that_waits_for_everywhere_names_the_node_that_is_cut_off(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Proxied) else { return };
    let history = &rig.nodes.history;
    let body = |subject: &str| json!({ "scope": { "kind": "subject", "id": subject }, "reason": "test" }).to_string();
    let revoke = |subject: &str| {
        let sent = history.now();
        let reply =
            rig.nodes.all[1].send_admin("POST", "/admin/v1/revocations?wait=everywhere", &body(subject)).unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text());
        (reply.json(), history.now().saturating_sub(sent))
    };
    let (answer, took) = revoke("alice");
    assert_eq!((&answer["applied_everywhere"], &answer["laggards"]), (&json!(true), &json!([])), "after {took:?}");
    rig.links[0].half_open().unwrap();
    let (answer, took) = revoke("bob");
    let lagged = answer["applied_everywhere"] == false && answer["laggards"] == json!([name(0)]);
    // Or it was not seen for longer than its bound meanwhile, so that it is not among the living any more.
    let silent = answer["applied_everywhere"] == true && rig.nodes.state(1, 0) == "silent";
    assert!(lagged || silent, "{answer} after {took:?}");
    assert!(took < BOUND * 2, "{took:?}");
    assert!(silent || took >= BOUND, "{took:?}");
}

fn a_slow_link_makes_writes_slow_and_checks_not(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Proxied) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    let one_way = BOUND / 20;
    rig.links.iter().for_each(|link| link.delay(one_way).unwrap());
    let slow = history.phase("slow");
    load.goes_on_for(40);
    load.goes_on_until(slow + BOUND * 2);
    let span = slow..history.now();
    let (check, revoke) = (history.median(What::Check, span.clone()), history.median(What::Revoke, span));
    assert!(revoke >= one_way * 2 && check < one_way, "a check takes {check:?}, a revocation {revoke:?}");
    history.assert_undisturbed(&ALL, slow);
    is_served_again(&rig, load);
}

fn a_link_slower_than_the_bound_is_as_good_as_none(round: &Round) {
    links_are_of_no_use(round, |link| link.delay(BOUND).unwrap());
}

fn a_half_open_link_is_given_up_in_time(round: &Round) {
    links_are_of_no_use(round, |link| link.half_open().unwrap());
}

fn links_are_of_no_use(round: &Round, fault: impl Fn(&Proxy)) {
    let Some(rig) = Rig::start(round, Links::Proxied) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_until_some_moment(round);
    rig.links.iter().for_each(fault);
    let begun = history.phase("useless");
    load.goes_on_until(begun + BOUND * 3);
    assert!(history.checks(&ALL, &Answer::Yes, begun..begun + BOUND) > 10, "within the bound it is served");
    assert_eq!(history.checks(&ALL, &Answer::Yes, begun + BOUND..At::MAX), 0, "past the bound nothing is");
    assert!(history.checks(&ALL, &Answer::Unavailable, begun + BOUND..At::MAX) > 20);
    assert!(history.count(What::Revoke, &Answer::Unavailable, begun) > 0);
    is_served_again(&rig, load);
}

fn is_served_again(rig: &Rig, load: Load) {
    rig.links.iter().for_each(|link| link.heal().unwrap());
    let back = rig.nodes.history.phase("back");
    let served = load.resumes(&ALL, back);
    assert!(served < GIVEN_UP, "only {served:?} after the links");
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}
