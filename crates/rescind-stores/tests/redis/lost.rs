//! What is lost never reads as "nothing revoked": a flush, an eviction of one structure, and a replica that lags.

use rescind::log::Scope;
use rescind::position::Seq;
use rescind::store::{Feed, Put, RecordKind, Store};
use rescind::testing::{cut_off, new_session, sid, skip};
use rescind::time::Timestamp;
use rescind_test_kit::{Redis, or_skip};

use crate::support::open;

/// Every structure of the log's slot.
const STRUCTURES: [&str; 6] = ["head", "log", "scopes", "due", "records", "ids"];

// holds: R24
#[tokio::test]
async fn each_structure_that_is_lost_ends_the_history() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    for (name, prefix) in STRUCTURES.into_iter().zip("abcdef".chars()) {
        let store = open(&format!("{}?prefix={prefix}", server.url())).await;
        store.open(new_session(1, "alice")).await.unwrap();
        store.append(vec![cut_off(Scope::session(sid(1)))]).await.unwrap();
        store.put_record(RecordKind::USERS, "alice", 0, b"disabled".to_vec(), None).await.unwrap();
        let before = store.health().await.unwrap();
        server.cli(&["DEL", &format!("{{{prefix}}}:{name}")]).unwrap();
        let after = store.health().await.unwrap();
        assert_ne!(after.incarnation, before.incarnation, "without {name}");
        assert_eq!(after.seq, Seq::ZERO, "without {name}");
        assert_eq!(
            store.load(sid(1)).await.unwrap(),
            None,
            "a session whose cut-offs are lost is gone, without {name}"
        );
        assert_eq!(store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs, []);
        assert!(
            matches!(store.after(before.seq, 10).await.unwrap(), Feed::Gone(head) if head.incarnation == after.incarnation)
        );
        assert_eq!(store.record(RecordKind::USERS, "alice").await.unwrap(), None);
        let put = store.put_record(RecordKind::USERS, "alice", 0, b"enabled".to_vec(), None).await.unwrap();
        assert_eq!(put, Put::Written(1));
        store.open(new_session(1, "alice")).await.unwrap();
        store.append(vec![cut_off(Scope::All)]).await.unwrap();
        assert_eq!(store.health().await.unwrap().incarnation, after.incarnation, "it goes on, without {name}");
    }
}

// holds: R24
#[tokio::test]
async fn every_flush_begins_another_history() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store = open(&server.url()).await;
    let mut seen = vec![store.health().await.unwrap().incarnation];
    for _ in 0..3 {
        store.append(vec![cut_off(Scope::All)]).await.unwrap();
        server.cli(&["FLUSHALL"]).unwrap();
        let head = store.health().await.unwrap();
        assert!(!seen.contains(&head.incarnation), "the same name twice would hide the loss");
        assert_eq!(head.seq, Seq::ZERO);
        seen.push(head.incarnation);
    }
}

#[tokio::test]
async fn an_entry_that_is_missing_in_the_log_ends_the_history_too() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store = open(&server.url()).await;
    let before = store.health().await.unwrap();
    store.append((0..3).map(|_| cut_off(Scope::All)).collect()).await.unwrap();
    server.cli(&["XDEL", "{rescind}:log", "2-0"]).unwrap();
    assert_ne!(store.health().await.unwrap().incarnation, before.incarnation);
}
