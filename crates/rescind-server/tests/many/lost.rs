//! The store lost acknowledged history: an older copy of its data was put in its place, or all of it was thrown away. The
//! nodes find that and heal it by themselves, loudly.

use rescind_test_kit::{Copied, DATABASE, Node, USER, until};

use crate::rig::{ALL, Answer, At, BOUND, Links, Load, Nodes, Rig, Round, on_each_store, on_postgres, on_redis};

on_each_store! {
    an_older_copy_is_healed_from_the_views_and_nobody_is_signed_out
    an_older_copy_while_a_node_is_dead_signs_everybody_out
    an_older_copy_under_nodes_that_were_all_down_is_found_by_what_they_kept
}

on_postgres! {
    a_database_that_was_made_anew_signs_everybody_out_and_revives_nobody
}

on_redis! {
    a_flushed_redis_signs_everybody_out_and_revives_nobody
}

/// A rig under load whose store has a backup from before the last revocations; when it was made.
fn with_a_backup(round: &Round) -> Option<(Rig, Load, Copied, At)> {
    let rig = Rig::start(round, Links::Direct)?;
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
    rig.store.stop();
    let copied = history.now();
    let copy = rig.store.copy();
    rig.store.start_again();
    let after = history.phase("after copy");
    load.is_served_by_every_node(after);
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    Some((rig, load, copy, copied))
}

fn an_older_copy_is_healed_from_the_views_and_nobody_is_signed_out(round: &Round) {
    let Some((rig, load, copy, copied)) = with_a_backup(round) else { return };
    let history = &rig.nodes.history;
    history.store_goes_away();
    rig.store.stop();
    rig.store.restore(&copy);
    history.sessions_are_lost_since(copied);
    rig.store.start_again();
    let back = history.phase("restored");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("healed and served {served:.2?} after the store's return");
    load.goes_on_for(40);
    assert_healed(&rig.nodes);
    let again: u64 = ALL.iter().map(|node| rig.nodes.stat(*node, "history_appended_again")).sum();
    assert!(again > 0, "nothing was appended again");
    assert_eq!(reasons(&rig.nodes, "history_lost"), 0, "everybody was signed out");
    load.end(&rig.nodes).assert_sound();
}

fn an_older_copy_while_a_node_is_dead_signs_everybody_out(round: &Round) {
    let Some((rig, load, copy, copied)) = with_a_backup(round) else { return };
    let history = &rig.nodes.history;
    // The node may have acknowledged what nobody else has read.
    rig.nodes.kill(2);
    rig.store.kill();
    rig.store.restore(&copy);
    history.sessions_are_lost_since(copied);
    rig.store.start_again();
    let back = history.phase("restored");
    everybody_is_signed_out(&rig.nodes);
    assert!(history.now() >= back + BOUND, "the dead node was waited for");
    load.is_served_by(&[0, 1], history.now());
    rig.nodes.start_again(2);
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    assert_healed(&rig.nodes);
    load.end(&rig.nodes).assert_sound();
}

fn an_older_copy_under_nodes_that_were_all_down_is_found_by_what_they_kept(round: &Round) {
    let Some((rig, load, copy, copied)) = with_a_backup(round) else { return };
    let history = &rig.nodes.history;
    for node in ALL {
        rig.nodes.kill(node);
    }
    rig.store.stop();
    rig.store.restore(&copy);
    history.sessions_are_lost_since(copied);
    rig.store.start_again();
    for node in ALL {
        rig.nodes.start_again(node);
    }
    everybody_is_signed_out(&rig.nodes);
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    assert_healed(&rig.nodes);
    load.end(&rig.nodes).assert_sound();
}

fn a_flushed_redis_signs_everybody_out_and_revives_nobody(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    history.sessions_are_lost_since(At::ZERO);
    rig.store.redis().cli(&["FLUSHALL"]).unwrap();
    history.phase("flushed");
    everybody_is_signed_out(&rig.nodes);
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    assert_healed(&rig.nodes);
    load.end(&rig.nodes).assert_sound();
}

fn a_database_that_was_made_anew_signs_everybody_out_and_revives_nobody(round: &Round) {
    let Some(rig) = Rig::start(round, Links::Direct) else { return };
    let (history, server) = (&rig.nodes.history, rig.store.postgres());
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(40);
    load.goes_on_until_some_moment(round);
    history.sessions_are_lost_since(At::ZERO);
    server.psql_in("postgres", &format!("drop database {DATABASE} with (force)")).unwrap();
    server.psql_in("postgres", &format!("create database {DATABASE} owner {USER}")).unwrap();
    let gone = history.phase("no tables");
    load.goes_on_until(gone + BOUND * 2);
    assert_eq!(history.checks(&ALL, &Answer::Yes, gone + BOUND..At::MAX), 0, "past the bound nothing is");
    assert!(rig.nodes.all.iter().all(|node| node.readiness() == Some(503)), "no node is ready");
    // Tables are made at a start.
    rig.nodes.kill(0);
    rig.nodes.start_again(0);
    history.phase("made anew");
    everybody_is_signed_out(&rig.nodes);
    load.is_served_by_every_node(history.now());
    load.goes_on_for(20);
    assert_healed(&rig.nodes);
    load.end(&rig.nodes).assert_sound();
}

/// Waits until the log says so.
pub(crate) fn everybody_is_signed_out(nodes: &Nodes) {
    until("the log has a cut-off on everything", || reasons(nodes, "history_lost") > 0).unwrap();
    nodes.history.everyone_is_out();
}

/// Some node healed, and said so aloud.
pub(crate) fn assert_healed(nodes: &Nodes) {
    let healed: u64 = ALL.iter().map(|node| nodes.stat(*node, "history_healed")).sum();
    assert!(healed > 0, "nobody healed");
    assert!(nodes.all.iter().any(|node| node.log().contains("ALARM")), "no alarm");
}

/// How many entries of the log bear this reason, as some node that can read it says.
pub(crate) fn reasons(nodes: &Nodes, reason: &str) -> usize {
    nodes.all.iter().map(|node| reasons_at(node, reason)).max().unwrap_or(0)
}

fn reasons_at(node: &Node, reason: &str) -> usize {
    let mut after = 0;
    let mut found = 0;
    loop {
        let path = format!("/admin/v1/revocations?after={after}");
        let reply = node.pid().is_ok().then(|| node.send_admin("GET", &path, "").ok()).flatten();
        let Some(reply) = reply.filter(|reply| reply.status == 200) else { return 0 };
        let page = reply.json();
        found += page["revocations"].as_array().unwrap().iter().filter(|entry| entry["reason"] == reason).count();
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return found,
        }
    }
}
