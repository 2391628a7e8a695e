//! Cases: health, a new incarnation, and opening again what was closed.

use std::time::Duration;

use super::Durability;
use super::cases;
use super::stage::{Stage, assert_chained, incarnation, of_subject};
use crate::log::ChainTag;
use crate::position::{Generation, Incarnation, Seq};
use crate::store::{Advance, Record, RecordKind};
use crate::testing::{cut_off, lift, new_session, sid};
use crate::time::Timestamp;

cases!(
    health_says_where_the_log_stands,
    a_new_incarnation_starts_where_it_is_told,
    a_new_incarnation_keeps_sessions_and_cut_offs,
    refuses_an_incarnation_that_replaces_another,
    refuses_an_incarnation_that_does_not_jump_ahead,
    an_acknowledged_write_outlives_the_store,
    a_new_incarnation_and_a_sweep_outlive_the_store,
);

async fn health_says_where_the_log_stands(stage: Stage) {
    let empty = stage.head().await;
    assert_eq!((empty.seq, empty.now), (Seq::ZERO, stage.now()));
    let entries = stage.append(vec![cut_off(of_subject("alice"))]).await;
    stage.pass(3);
    let head = stage.head().await;
    assert_eq!((head.seq, head.now, head.incarnation), (entries[0].seq, stage.now(), empty.incarnation));
    assert_eq!(head.tag, empty.tag.next(&entries[0]));
}

async fn a_new_incarnation_starts_where_it_is_told(stage: Stage) {
    let old = stage.cut(of_subject("alice")).await;
    let lost = stage.head().await.incarnation;
    let new = incarnation(7);
    let start = old.plus(Seq::JUMP);
    assert!(stage.store.reincarnate(lost, new, start).await.unwrap());
    let head = stage.head().await;
    assert_eq!((head.incarnation, head.seq, head.tag), (new, start, ChainTag::genesis(new)));
    for after in [Seq::ZERO, old, old.next(), Seq::new(start.get() - 1), start.next()] {
        assert_eq!(stage.gone(after).await, head, "after {after}");
    }
    let batch = stage.batch(start, 10).await;
    assert_eq!((batch.prev_tag, batch.tag, batch.entries.len()), (head.tag, head.tag, 0));
    assert_eq!(stage.open(new_session(1, "alice")).await.position, start);
    assert_eq!(stage.cut(of_subject("alice")).await, start.next());
    let batch = stage.batch(start, 10).await;
    assert_chained(&batch, start);
    assert_eq!((batch.prev_tag, batch.entries.len()), (ChainTag::genesis(new), 1));
}

async fn a_new_incarnation_keeps_sessions_and_cut_offs(stage: Stage) {
    let opened = stage.open(new_session(1, "alice")).await;
    stage.store.put_record(RecordKind::SETTINGS, "", 0, b"x".to_vec(), None).await.unwrap();
    let alice = stage.cut(of_subject("alice")).await;
    let bob = stage.cut(of_subject("bob")).await;
    let lifted = stage.lift(of_subject("bob"), bob).await;
    let before = stage.active().await;
    let head = stage.head().await;
    assert!(
        stage.store.reincarnate(head.incarnation, incarnation(7), head.seq.next()).await.unwrap(),
        "one is ahead enough"
    );
    assert_eq!(stage.active().await, before);
    assert_eq!(stage.load(sid(1)).await.session, opened);
    assert_eq!(stage.covered(sid(1)).await, Some(alice));
    assert!(stage.store.record(RecordKind::SETTINGS, "").await.unwrap().is_some());
    let newest = stage.refused(vec![lift(of_subject("bob"), bob)]).await;
    assert_eq!(newest.map(|newest| newest.seq), Some(lifted), "a scope's newest entry is known, a lift too");
    stage.lift(of_subject("alice"), alice).await;
    assert_eq!(stage.covered(sid(1)).await, None);
}

async fn refuses_an_incarnation_that_replaces_another(stage: Stage) {
    stage.cut(of_subject("alice")).await;
    let head = stage.head().await;
    let ahead = head.seq.plus(Seq::JUMP);
    assert!(!stage.store.reincarnate(incarnation(1), incarnation(2), ahead).await.unwrap());
    assert_eq!(stage.head().await, head);
    assert_eq!(stage.log().await.len(), 1, "and the log is there");
    assert!(stage.store.reincarnate(head.incarnation, incarnation(2), ahead).await.unwrap());
    let second = head.incarnation;
    assert!(
        !stage.store.reincarnate(second, incarnation(3), ahead.plus(Seq::JUMP)).await.unwrap(),
        "only the first wins"
    );
    assert_eq!(stage.head().await.incarnation, incarnation(2));
}

async fn refuses_an_incarnation_that_does_not_jump_ahead(stage: Stage) {
    let seq = stage.cut(of_subject("alice")).await;
    stage.cut(of_subject("bob")).await;
    let head = stage.head().await;
    for start in [Seq::ZERO, seq, head.seq] {
        assert!(!stage.store.reincarnate(head.incarnation, incarnation(2), start).await.unwrap(), "to {start}");
    }
    assert_eq!(stage.head().await, head);
    assert_eq!(stage.log().await.len(), 2);
}

/// What [`an_acknowledged_write_outlives_the_store`] compares before and after.
async fn everything(stage: &Stage) -> impl PartialEq + std::fmt::Debug + use<> {
    let session = stage.store.load(sid(1)).await.unwrap();
    let snapshot = stage.snapshot(Timestamp::EPOCH).await;
    let record = stage.store.record(RecordKind::USERS, "alice").await.unwrap();
    (session, snapshot, stage.store.after(Seq::ZERO, 10).await.unwrap(), record)
}

async fn an_acknowledged_write_outlives_the_store(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    assert!(matches!(stage.advance(sid(1), 0, 1).await, Advance::Advanced(_)));
    stage.cut(of_subject("alice")).await;
    let bob = stage.cut(of_subject("bob")).await;
    stage.lift(of_subject("bob"), bob).await;
    let ends = Timestamp::from_millis(i64::MAX.unsigned_abs());
    stage.store.put_record(RecordKind::USERS, "alice", 0, vec![0, 255], Some(ends)).await.unwrap();
    let before = (stage.head().await, everything(&stage).await);
    let (stage, durability) = stage.reopen().await;
    match durability {
        Durability::Keeps => {
            assert_eq!((stage.head().await, everything(&stage).await), before);
            assert_eq!(stage.load(sid(1)).await.session.generation, Generation::new(1));
            assert_eq!(stage.advance(sid(1), 0, 1).await, Advance::Stale);
            assert_eq!(stage.cut(of_subject("carol")).await, Seq::new(4), "the log goes on");
            stage.log().await;
            let record = stage.store.record(RecordKind::USERS, "alice").await.unwrap();
            assert_eq!(record, Some(Record { version: 1, body: vec![0, 255], ends: Some(ends) }));
        }
        Durability::Forgets => assert_forgotten(&stage, before.0.incarnation).await,
    }
}

async fn assert_forgotten(stage: &Stage, lost: Incarnation) {
    let head = stage.head().await;
    assert_ne!(head.incarnation, lost, "what lost its history says so");
    assert_eq!((head.seq, head.tag), (Seq::ZERO, ChainTag::genesis(head.incarnation)));
    assert_eq!(stage.store.load(sid(1)).await.unwrap(), None);
    assert_eq!(stage.active().await, []);
}

async fn a_new_incarnation_and_a_sweep_outlive_the_store(stage: Stage) {
    stage.cut(of_subject("alice")).await;
    let lost = stage.head().await.incarnation;
    let start = Seq::new(1_000);
    assert!(stage.store.reincarnate(lost, incarnation(7), start).await.unwrap());
    stage.cut(of_subject("bob")).await;
    stage.cut(of_subject("carol")).await;
    let far = stage.now().plus(Duration::from_hours(24 * 365));
    stage.sweep_all(far, 1).await;
    let head = stage.head().await;
    let (stage, durability) = stage.reopen().await;
    if durability == Durability::Forgets {
        return assert_forgotten(&stage, head.incarnation).await;
    }
    assert_eq!(stage.head().await, head);
    stage.gone(start).await;
    let batch = stage.batch(head.seq, 10).await;
    assert_eq!((batch.prev_tag, batch.tag, batch.entries.len()), (head.tag, head.tag, 0));
    assert_eq!(stage.cut(of_subject("dave")).await, start.plus(3));
    assert_chained(&stage.batch(start.plus(2), 10).await, start.plus(2));
}
