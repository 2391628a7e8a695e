//! What is appended and not settled yet: nobody is shown it, whoever is left settles it, and what a failover loses of it was
//! never seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rescind::log::{ChainTag, Entry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Appended, Feed, Store, StoreError, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session, sid, skip};
use rescind::time::Timestamp;
use rescind_stores::redis::RedisStore;
use rescind_test_kit::{Proxy, Redis, or_skip};

use crate::support::{log_after, open, refused, until};

/// A URL by which each write waits for one replica.
fn replicated(url: &str) -> String {
    format!("{url}?replicas=1")
}

/// Appends one entry, which must be acknowledged.
async fn append(store: &RedisStore, scope: Scope) -> Entry {
    match store.append(vec![cut_off(scope)]).await.unwrap() {
        Appended::Done(mut entries) => entries.remove(0),
        Appended::Conflict { newest } => panic!("refused by {newest:?}"),
    }
}

/// Appends one entry while no replica can have it: nobody knows whether it is kept.
async fn leave(store: &RedisStore, scope: Scope) {
    let error = store.append(vec![cut_off(scope)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("replicas have the write"), "{error}");
}

/// How many entries a server has that are not settled.
fn unsettled(server: &Redis) -> String {
    server.cli(&["XLEN", "{rescind}:unsettled"]).unwrap()
}

/// Fails where this store shows more than the first entry. It may say that it can show nothing now.
async fn shows_the_first_only(store: &RedisStore, first: &Entry) -> Result<(), StoreError> {
    let head = store.health().await?;
    let Feed::Batch(batch) = store.after(Seq::ZERO, usize::MAX).await? else { panic!("the log is gone") };
    assert_eq!((head.seq, batch.head.seq, &batch.entries[..]), (first.seq, first.seq, &[first.clone()][..]));
    let snapshot = store.snapshot(Timestamp::EPOCH).await?;
    assert_eq!((snapshot.head.seq, snapshot.cut_offs.len()), (first.seq, 1));
    let loaded = store.load(sid(1)).await?.expect("the session is there");
    assert_eq!(loaded.cut_off, None, "a session is refused by what may be lost");
    Ok(())
}

/// Fails where the log is not these scopes in this order, or its tags are not those of its entries.
async fn assert_log(store: &RedisStore, scopes: &[Scope]) {
    let batch = log_after(store, Seq::ZERO).await;
    let tag = batch.entries.iter().fold(batch.prev_tag, ChainTag::next);
    assert_eq!((tag, batch.head.tag), (batch.tag, batch.tag));
    let found: Vec<_> = batch.entries.into_iter().map(|entry| entry.scope).collect();
    assert_eq!(found, scopes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_replica_has_is_shown_to_nobody_until_one_has_it() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let url = replicated(&server.url());
    let (here, there) = (open(&url).await, open(&url).await);
    let first = append(&here, Scope::token(jti(1))).await;
    here.open(new_session(1, "alice")).await.unwrap();
    replica.pause().unwrap();
    let leaving = tokio::spawn({
        let here = Arc::clone(&here);
        async move { leave(&here, Scope::session(sid(1))).await }
    });
    until("it is placed", async || (unsettled(&server) == "1").then_some(())).await;
    while !leaving.is_finished() {
        shows_the_first_only(&there, &first).await.unwrap();
        // The moment that its append has failed, it shows nothing before that is settled.
        if let Err(error) = shows_the_first_only(&here, &first).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        }
    }
    leaving.await.unwrap();
    shows_the_first_only(&there, &first).await.unwrap();
    // A lift of it cannot be judged: it may be lost, and so it is not named.
    let lift = rescind::testing::lift(Scope::session(sid(1)), Seq::ZERO);
    assert_eq!(there.append(vec![lift]).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    replica.resume().unwrap();
    until("it is settled", async || (there.health().await.ok()?.seq == Seq::new(2)).then_some(())).await;
    for store in [&here, &there] {
        assert_log(store, &[Scope::token(jti(1)), Scope::session(sid(1))]).await;
        let loaded = store.load(sid(1)).await.unwrap().expect("the session is there");
        assert_eq!(loaded.cut_off.map(|cut_off| cut_off.seq), Some(Seq::new(2)));
        assert_eq!(store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_writer_left_is_settled_once_by_another() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let url = replicated(&server.url());
    let (dying, other) = (open(&url).await, open(&url).await);
    append(&dying, Scope::token(jti(1))).await;
    replica.pause().unwrap();
    leave(&dying, Scope::token(jti(2))).await;
    drop(dying);
    replica.resume().unwrap();
    // It only reads.
    until("it is settled", async || (other.health().await.ok()?.seq == Seq::new(2)).then_some(())).await;
    let next = append(&other, Scope::token(jti(3))).await;
    assert_eq!(next.seq, Seq::new(3));
    assert_log(&other, &[1, 2, 3].map(|n| Scope::token(jti(n)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_behind_a_dead_one_does_not_wait_for_it() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let url = replicated(&server.url());
    let (dying, other) = (open(&url).await, open(&url).await);
    append(&dying, Scope::token(jti(1))).await;
    replica.pause().unwrap();
    leave(&dying, Scope::token(jti(2))).await;
    drop(dying);
    replica.resume().unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), append(&other, Scope::token(jti(3)))).await;
    assert_eq!(next.expect("it loses patience").seq, Seq::new(3));
    assert_log(&other, &[1, 2, 3].map(|n| Scope::token(jti(n)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failover_loses_before_it_was_settled_nobody_has_seen() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let link = Proxy::start(server.address()).unwrap();
    let (direct, through) =
        (open(&replicated(&server.url())).await, open(&replicated(&link.through(&server.url()))).await);
    append(&direct, Scope::token(jti(1))).await;
    let watched = Arc::new(AtomicBool::new(true));
    let watching = tokio::spawn({
        let (watched, through) = (Arc::clone(&watched), Arc::clone(&through));
        async move {
            let mut seen = Vec::new();
            while watched.load(Ordering::Relaxed) {
                let Ok(rescind::store::Feed::Batch(batch)) = through.after(Seq::ZERO, 10).await else { continue };
                seen.extend(batch.entries.into_iter().map(|entry| entry.scope));
            }
            seen
        }
    });
    // Nothing reaches the replica any more, and its connection is gone.
    server.cli(&["ACL", "SETUSER", "default", "-psync", "-sync", "-replconf"]).unwrap();
    server.cli(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    until("the replica is off", async || (server.info("connected_slaves").ok()? == "0").then_some(())).await;
    leave(&direct, Scope::token(jti(2))).await;
    assert_eq!(unsettled(&server), "1");
    server.kill().unwrap();
    replica.promote().unwrap();
    let _third = replica.replica().unwrap();
    link.lead_to(replica.address());
    link.cut().unwrap();
    link.heal().unwrap();
    let next = async || through.append(vec![cut_off(Scope::token(jti(3)))]).await.ok();
    until("it is gone on with", next).await;
    watched.store(false, Ordering::Relaxed);
    // What was tried before the connection was made again may be there, too.
    let again = log_after(&through, Seq::new(1)).await.entries.len();
    let scopes: Vec<_> = [1].into_iter().chain(std::iter::repeat_n(3, again)).map(|n| Scope::token(jti(n))).collect();
    assert_log(&through, &scopes).await;
    assert!(!watching.await.unwrap().contains(&Scope::token(jti(2))), "somebody has seen it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_settles_what_it_finds_before_it_answers() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let (heir, third) = (server.replica().unwrap(), server.replica().unwrap());
    let link = Proxy::start(server.address()).unwrap();
    let store = open(&replicated(&link.through(&server.url()))).await;
    append(&store, Scope::token(jti(1))).await;
    third.pause().unwrap();
    heir.pause().unwrap();
    leave(&store, Scope::token(jti(2))).await;
    // Nobody reads meanwhile, so nobody settles it: as after a failover in which only the settling was lost.
    heir.resume().unwrap();
    third.resume().unwrap();
    until("they have it", async || (unsettled(&heir) == "1" && unsettled(&third) == "1").then_some(())).await;
    server.kill().unwrap();
    heir.promote().unwrap();
    let port = heir.address().port().to_string();
    third.cli(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    link.lead_to(heir.address());
    link.cut().unwrap();
    link.heal().unwrap();
    let head = until("it answers", async || store.health().await.ok()).await;
    assert_eq!(head.seq, Seq::new(2), "a head that was shown before would go back");
    assert_log(&store, &[1, 2].map(|n| Scope::token(jti(n)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_left_in_doubt_learns_by_reading_what_became_of_it() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let (store, other) = (open(&replicated(&server.url())).await, open(&replicated(&server.url())).await);
    append(&store, Scope::token(jti(1))).await;
    assert_eq!(other.health().await.unwrap().seq, Seq::new(1));
    replica.pause().unwrap();
    leave(&store, Scope::token(jti(2))).await;
    let error = store.after(Seq::new(1), 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "nothing is said while it is unknown: {error}");
    replica.resume().unwrap();
    until("it can be read", async || store.after(Seq::new(1), 10).await.ok()).await;
    assert_log(&store, &[1, 2].map(|n| Scope::token(jti(n)))).await;
    assert_eq!(other.health().await.unwrap().seq, Seq::new(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_incarnation_settles_first_what_was_appended() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let store = open(&replicated(&server.url())).await;
    append(&store, Scope::token(jti(1))).await;
    let lost = store.health().await.unwrap().incarnation;
    replica.pause().unwrap();
    leave(&store, Scope::token(jti(2))).await;
    let (new, start) = (Incarnation::from_bytes([7; 16]), Seq::new(100));
    let error = store.reincarnate(lost, new, start).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    replica.resume().unwrap();
    let done = until("it is done", async || store.reincarnate(lost, new, start).await.ok()).await;
    assert!(done);
    assert_eq!((store.health().await.unwrap().seq, unsettled(&server)), (start, "0".to_owned()));
    let active = store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs;
    assert_eq!(active.into_iter().map(|it| it.seq.get()).collect::<Vec<_>>(), [1, 2], "it counts as any other");
    assert_eq!(append(&store, Scope::All).await.seq, start.next());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsettled_structure_that_is_lost_ends_the_history() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    for name in ["unsettled", "newer"] {
        let store = open(&replicated(&server.url())).await;
        let before = append(&store, Scope::token(jti(1))).await;
        let lost = store.health().await.unwrap().incarnation;
        replica.pause().unwrap();
        leave(&store, Scope::token(jti(2))).await;
        server.cli(&["DEL", &format!("{{rescind}}:{name}")]).unwrap();
        let head = store.health().await.unwrap();
        assert_ne!(head.incarnation, lost, "without {name}");
        assert_eq!((before.seq, head.seq), (Seq::new(1), Seq::ZERO), "without {name}");
        replica.resume().unwrap();
        server.cli(&["FLUSHALL"]).unwrap();
    }
}

#[tokio::test]
async fn a_head_of_another_layout_is_refused_with_the_remedy() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store = open(&server.url()).await;
    append(&store, Scope::All).await;
    for (layout, kind, remedy) in
        [("1", StoreErrorKind::Corrupt, "?prefix="), ("3", StoreErrorKind::Newer, "Upgrade this node")]
    {
        server.cli(&["HSET", "{rescind}:head", "layout", layout]).unwrap();
        let error = store.health().await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(remedy), "{error}");
        assert!(refused(&server.url()).await.contains(remedy));
    }
    // The first layout did not say which it is.
    server.cli(&["HDEL", "{rescind}:head", "layout"]).unwrap();
    assert_eq!(store.append(vec![cut_off(Scope::All)]).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    server.cli(&["HSET", "{rescind}:head", "layout", "2"]).unwrap();
    assert_eq!(append(&store, Scope::All).await.seq, Seq::new(2), "nothing was thrown away");
}
