//! A server that dies, hangs or is cut off while a load runs: what was acknowledged is there, and the store comes back.

use std::sync::Arc;
use std::time::Duration;

use rescind::log::Scope;
use rescind::store::{Store, StoreErrorKind};
use rescind::testing::{cut_off, skip};
use rescind::time::{Clock, SystemClock};
use rescind_test_kit::{Cluster, Proxy, Redis, SentinelSet, SmallDisk, or_skip};

use crate::support::{Load, cluster_url, open, sentinel_url, until};

// holds: R33
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_9_under_load() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let rounds = if std::env::var_os("RESCIND_LONG").is_some() { 20 } else { 3 };
    let store = open(&server.url()).await;
    let load = Load::start(&store, 32);
    for _ in 0..rounds {
        load.goes_on(200).await;
        server.kill().unwrap();
        server.start_again().unwrap();
    }
    load.goes_on(200).await;
    load.stop().assert_all_there(&store).await;
}

// holds: R24
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_by_sentinel_is_followed() {
    let Some(set) = or_skip(SentinelSet::start(1), skip) else { return };
    let store = open(&format!("{}?replicas=1", sentinel_url(&set))).await;
    let load = Load::start(&store, 16);
    load.goes_on(200).await;
    let old = set.primary().unwrap();
    // So that the replica has what was acknowledged: an acknowledgement waits for it.
    let before = load.acknowledged.lock().unwrap().revoked.len();
    old.kill().unwrap();
    set.wait_for_failover(old).unwrap();
    let acknowledged = load.stop();
    assert!(acknowledged.revoked.len() >= before);
    drop(store);
    let store = open(&sentinel_url(&set)).await;
    acknowledged.assert_all_there(&store).await;
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
}

// holds: R34
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_half_open_is_found_and_comes_back() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let proxy = Proxy::start(server.address()).unwrap();
    let store = open(&proxy.through(&server.url())).await;
    proxy.half_open().unwrap();
    for _ in 0..3 {
        let begun = SystemClock.boot();
        let error = store.append(vec![cut_off(Scope::All)]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(SystemClock.boot().since(begun) < Duration::from_secs(4), "it does not hang");
    }
    proxy.heal().unwrap();
    let begun = SystemClock.boot();
    until("it comes back", async || store.health().await.ok()).await;
    assert!(SystemClock.boot().since(begun) < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_told_as_unknown_and_written_at_most_once() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let proxy = Proxy::start(server.address()).unwrap();
    let (through, beside) = (open(&proxy.through(&server.url())).await, open(&server.url()).await);
    through.append(vec![cut_off(Scope::All)]).await.unwrap();
    proxy.delay(Duration::from_millis(400)).unwrap();
    let task = tokio::spawn({
        let through = Arc::clone(&through);
        async move { through.append(vec![cut_off(Scope::All)]).await }
    });
    until("it is written", async || (beside.health().await.unwrap().seq.get() == 2).then_some(())).await;
    proxy.cut().unwrap();
    assert_eq!(task.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    proxy.heal().unwrap();
    until("it comes back", async || through.health().await.ok()).await;
    assert_eq!(beside.health().await.unwrap().seq.get(), 2, "it was not sent again");
}

// holds: R30
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let Some(disk) = or_skip(SmallDisk::mount(32), skip) else { return };
    let Some(server) = or_skip(Redis::options().on(disk).start(), skip) else { return };
    let store = open(&server.url()).await;
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    server.disk().unwrap().fill().unwrap();
    let write = async || store.append((0..500).map(|_| cut_off(Scope::All)).collect()).await;
    let error = until("a write finds no room", async || write().await.err()).await;
    assert!(matches!(error.kind(), StoreErrorKind::Full | StoreErrorKind::Unavailable), "{error}");
    server.disk().unwrap().free().unwrap();
    // With appendfsync always, Redis ends where it cannot append, and it may take its time.
    until("writes resume", async || {
        if server.has_ended() {
            server.start_again().unwrap();
        }
        write().await.ok()
    })
    .await;
}

// holds: R22, R24
#[tokio::test(flavor = "multi_thread")]
async fn full_memory_refuses_writes_and_not_reads() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store = open(&server.url()).await;
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let error = store.append(vec![cut_off(Scope::All)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert!(error.to_string().contains("maxmemory"), "{error}");
    assert_eq!(store.health().await.unwrap_err().kind(), StoreErrorKind::Full, "it is not ready");
    let after = store.after(rescind::position::Seq::ZERO, 10).await;
    assert!(after.is_ok(), "{after:?}");
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    store.health().await.unwrap();
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_that_dies_takes_only_its_share_down_and_comes_back() {
    let Some(cluster) = or_skip(Cluster::start(0), skip) else { return };
    let store = open(&cluster_url(&cluster)).await;
    let load = Load::start(&store, 16);
    load.goes_on(100).await;
    for node in cluster.nodes() {
        node.kill().unwrap();
        node.start_again().unwrap();
        load.goes_on(100).await;
    }
    load.stop().assert_all_there(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_fails_over_and_the_log_goes_on() {
    let Some(cluster) = or_skip(Cluster::start(1), skip) else { return };
    let store = open(&cluster_url(&cluster)).await;
    let load = Load::start(&store, 8);
    load.goes_on(100).await;
    let acknowledged = load.stop();
    let head = "{rescind}:head";
    let owner = cluster.owner_of(head).unwrap();
    until("its replica has all", async || {
        let (here, there) = (owner.info("master_repl_offset").ok()?, owner.info("slave0").ok()?);
        there.contains(&format!("offset={here},")).then_some(())
    })
    .await;
    owner.kill().unwrap();
    cluster.wait_for_failover(head, owner).unwrap();
    until("it is taken over", async || store.append(vec![cut_off(Scope::All)]).await.ok()).await;
    acknowledged.assert_revoked(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_cluster_that_says_nothing_is_left_soon_after_the_failover() {
    let Some(cluster) = or_skip(Cluster::start(1), skip) else { return };
    let store = open(&cluster_url(&cluster)).await;
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    let head = "{rescind}:head";
    let owner = cluster.owner_of(head).unwrap();
    // Its connections stay, as when the machine lost power.
    owner.pause().unwrap();
    cluster.wait_for_failover(head, owner).unwrap();
    let begun = SystemClock.boot();
    until("the new master is found", async || store.health().await.ok()).await;
    let took = SystemClock.boot().since(begun);
    owner.resume().unwrap();
    println!("found after {took:?}");
    assert!(took < Duration::from_secs(4), "found only by the look at the settings, after {took:?}");
}
