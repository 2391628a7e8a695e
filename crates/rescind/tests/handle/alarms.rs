//! What the log says: an alarm where history is lost, once; a warning where the store is away and nothing is lost.

use crate::support::cluster::{Cluster, pass};
use crate::support::logs::Logs;
use crate::support::{ms, secs};
use rescind::log::Scope;
use rescind::store::{Fault, Operation, StoreErrorKind, Which};
use tracing::Level;

const NONE: [String; 0] = [];

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_and_comes_back_is_a_warning_and_no_alarm() {
    let logs = Logs::new();
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (pair, dead) = (a.login("alice").await, b.login("bob").await);
    a.revoke(Scope::session(dead.session_id)).await;
    a.rescind.rotate_keys().await.expect("it is there");
    pass(secs(4)).await;
    for away in [ms(100), secs(1), secs(10)] {
        a.cut();
        b.cut();
        pass(away).await;
        drop(a.rescind.refresh(&pair.refresh_token, rescind::Refresh::default()).await);
        drop(b.rescind.open_session(crate::support::opening("bob")).await);
        a.mend();
        b.reconnect();
        pass(secs(8)).await;
    }
    assert_eq!(logs.at(Level::ERROR), NONE);
    assert!(!logs.at(Level::WARN).is_empty());
    let said = logs.at(Level::WARN).join("\n");
    assert!(!said.contains("lost"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_warning_and_its_end_one_line() {
    let logs = Logs::new();
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    pass(secs(4)).await;
    let lines = |level, what: &str| logs.at(level).iter().filter(|line| line.contains(what)).count();
    let (gone, back) = ("the log cannot be followed", "the log is followed again");
    for outages in 1..=2 {
        a.cut();
        pass(secs(5)).await;
        assert_eq!((lines(Level::WARN, gone), lines(Level::INFO, back)), (outages, outages - 1));
        a.mend();
        pass(secs(5)).await;
        assert_eq!((lines(Level::WARN, gone), lines(Level::INFO, back)), (outages, outages));
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_one_alarm_however_long_its_healing_takes() {
    let logs = Logs::new();
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    pass(secs(4)).await;
    let replica = cluster.lagging();
    a.rescind.rotate_keys().await.expect("it is there");
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    let promoted = cluster.promote(replica);
    promoted.inject(Operation::Reincarnate, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(5)).await;
    promoted.clear();
    pass(secs(15)).await;
    assert_eq!(a.healed(), 1);
    assert_eq!(logs.alarms().len(), 1, "{:?}", logs.alarms());
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_signs_everybody_out_is_one_alarm_too() {
    let logs = Logs::new();
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(secs(4)).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    drop(b);
    let promoted = cluster.promote(replica);
    promoted.inject(Operation::Append, Which::Nth(1), Fault::Refuse(StoreErrorKind::Unavailable));
    promoted.inject(Operation::Append, Which::Nth(2), Fault::Refuse(StoreErrorKind::Unavailable));
    a.mend();
    pass(secs(15)).await;
    assert!(cluster.everything_is_cut_off().await);
    assert_eq!(logs.alarms().len(), 1, "{:?}", logs.alarms());
    let out = logs.at(Level::ERROR).into_iter().filter(|line| line.contains("everyone signs in again")).count();
    assert_eq!(out, 1, "{:?}", logs.at(Level::ERROR));
}

#[tokio::test(start_paused = true)]
async fn a_key_ring_that_was_lost_alone_is_one_alarm() {
    let logs = Logs::new();
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    pass(secs(4)).await;
    let replica = cluster.lagging();
    a.rescind.rotate_keys().await.expect("it is there");
    let promoted = cluster.promote(replica);
    promoted.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(20)).await;
    promoted.clear();
    pass(secs(20)).await;
    assert_eq!(logs.alarms().len(), 1, "{:?}", logs.alarms());
}
