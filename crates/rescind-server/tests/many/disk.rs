//! A disk that is full under the store, and has room again.

use rescind_test_kit::{SmallDisk, or_skip, until};

use crate::rig::{ALL, Answer, At, BOUND, Links, Load, Rig, Round, Server, ServerKind, Store, What, on_each_store};

on_each_store! {
    a_full_disk_acknowledges_nothing_and_room_is_all_that_is_needed
}

fn a_full_disk_acknowledges_nothing_and_room_is_all_that_is_needed(round: &Round) {
    let skip = rescind::testing::skip;
    let Some(disk) = or_skip(SmallDisk::mount(Server::least_disk(round.kind)), skip) else { return };
    let Some(store) = or_skip(Store::start(round.kind, Some(disk)), skip) else { return };
    let rig = Rig::on(round, store, Links::Direct);
    let history = &rig.nodes.history;
    let load = Load::begin(&rig.nodes);
    load.goes_on_for(20);
    load.goes_on_until_some_moment(round);
    rig.store.disk().fill().unwrap();
    let full = history.phase("full");
    match round.kind {
        // Where a row's page has room it goes on, the nodes' own records among them, until the server finds none for its log.
        ServerKind::Postgres => {
            until("a revocation finds no room", || {
                rig.store.use_up_reserve();
                history.count(What::Revoke, &Answer::Unavailable, full) > 5
            })
            .unwrap();
        }
        ServerKind::Redis => {
            load.goes_on_until(full + BOUND * 2);
            // The last block of a file may have room for a moment.
            let past = full + BOUND + BOUND / 2;
            assert_eq!(history.checks(&ALL, &Answer::Yes, past..At::MAX), 0, "past the bound nothing is");
            assert_eq!(history.count(What::Revoke, &Answer::Yes, past), 0, "nothing is acknowledged");
        }
    }
    assert!(history.checks(&ALL, &Answer::Yes, full..full + BOUND) > 10, "within the bound it is served");
    assert!(history.count(What::Revoke, &Answer::Unavailable, full) > 0);
    rig.store.disk().free().unwrap();
    rig.store.come_back();
    let back = history.phase("room again");
    let served = load.is_served_by_every_node(back).saturating_sub(back);
    eprintln!("served {served:.2?} after there was room");
    load.goes_on_for(20);
    load.end(&rig.nodes).assert_sound();
}
