//! A server that is no master any more and keeps our connection: what it shows may be old, and is not taken for the log.

use std::time::Duration;

use rescind::log::Scope;
use rescind::position::Seq;
use rescind::store::{RecordKind, Store, StoreErrorKind};
use rescind::testing::{cut_off, new_session, sid, skip};
use rescind::time::Timestamp;
use rescind_test_kit::{Redis, or_skip};

use crate::support::open;

#[tokio::test(flavor = "multi_thread")]
async fn reads_end_at_once_when_the_server_becomes_a_replica() {
    let reads = ["after", "health", "snapshot", "load", "record", "records"];
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    for read in reads {
        let store = open(&server.url()).await;
        if read == "after" {
            store.open(new_session(1, "alice")).await.unwrap();
            store.append(vec![cut_off(Scope::All)]).await.unwrap();
        }
        // As an operator does; its new master cannot be reached, so what it has is as old as it likes.
        server.cli(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
        let answer = async {
            match read {
                "after" => store.after(Seq::ZERO, 10).await.err(),
                "health" => store.health().await.err(),
                "snapshot" => store.snapshot(Timestamp::EPOCH).await.err(),
                "load" => store.load(sid(1)).await.err(),
                "record" => store.record(RecordKind::USERS, "alice").await.err(),
                _ => store.records(RecordKind::USERS, None, 10).await.err(),
            }
        };
        // Before the next look at its settings, which would find it, too.
        let error = tokio::time::timeout(Duration::from_secs(2), answer).await.unwrap();
        let error = error.unwrap_or_else(|| panic!("{read} answers as if it were the master"));
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{read}: {error}");
        assert!(error.to_string().contains("replica"), "{read}: {error}");
        server.promote().unwrap();
    }
}
