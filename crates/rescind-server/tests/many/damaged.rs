//! A log that somebody has edited, or emptied: it does not fit itself any more. Nobody goes on with it, and each node ends
//! with what is wrong, where, and what to do.

use rescind_test_kit::until;

use crate::rig::{ALL, At, Links, Load, Rig, Round, Server, Store, on_each_store, on_postgres};

on_each_store! {
    a_log_that_was_edited_ends_every_node_with_what_and_where_and_the_remedy
}

on_postgres! {
    tables_that_were_emptied_end_every_node_and_none_starts_on_them
}

fn a_log_that_was_edited_ends_every_node_with_what_and_where_and_the_remedy(round: &Round) {
    let Some((rig, load)) = damaged(round, edit) else { return };
    for node in &rig.nodes.all {
        let log = node.log();
        for word in ["ALARM", "after position", "do not add up", "backup"] {
            assert!(log.contains(word), "{word} is not in {log}");
        }
    }
    load.end_without_nodes().assert_unbroken();
}

/// The tag of the newest entry is another one: the next entry follows that.
fn edit(store: &Store) {
    match &store.0 {
        Server::Postgres(server) => server.psql("update rescind.head set tag = md5('x')::uuid").map(drop).unwrap(),
        Server::Redis(server) => {
            let wrong = "0123456789abcdef";
            server.cli(&["HSET", "{rescind}:head", "tag", wrong, "settled_tag", wrong]).map(drop).unwrap();
        }
    }
}

fn tables_that_were_emptied_end_every_node_and_none_starts_on_them(round: &Round) {
    let empty = |store: &Store| {
        let tables = "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables \
                      where schemaname = 'rescind'";
        let tables = store.postgres().psql(tables).unwrap();
        // A node under load may hold some of them and wait for another: it is tried again until all nodes have ended.
        if let Err(error) = store.postgres().psql(&format!("truncate {tables}")) {
            assert!(error.to_string().contains("deadlock detected"), "{error}");
        }
    };
    let Some((rig, load)) = damaged(round, empty) else { return };
    rig.nodes.history.sessions_are_lost_since(At::ZERO);
    for node in &rig.nodes.all {
        let log = node.log();
        assert!(log.contains("ALARM") && log.contains("backup"), "it says what and how to repair: {log}");
    }
    let refused = rig.nodes.all[0].start_again().unwrap_err().to_string();
    assert!(refused.contains("backup"), "{refused}");
    load.end_without_nodes().assert_unbroken();
}

/// A rig all of whose nodes have ended by what was done to their store.
fn damaged(round: &Round, damage: impl Fn(&Store)) -> Option<(Rig, Load)> {
    let rig = Rig::start(round, Links::Direct)?;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(30);
    load.goes_on_until_some_moment(round);
    for node in ALL {
        rig.nodes.ends(node);
    }
    rig.nodes.history.phase("damaged");
    until("every node has ended", || {
        // A node that was about to write may have written over it.
        damage(&rig.store);
        rig.nodes.all.iter().all(|node| node.has_ended())
    })
    .unwrap();
    Some((rig, load))
}
