//! Cases: the store under test behind a [`FailingStore`]. A fault before the commit changed nothing; one after it is
//! settled by reading again.

use std::sync::Arc;

use super::cases;
use super::stage::{Stage, batch, done, incarnation, of_subject};
use crate::log::Scope;
use crate::position::{Generation, Incarnation, Seq};
use crate::store::{
    Advance, Appended, FailingStore, Fault, Gate, Operation, Page, Put, RecordKind, Store, StoreError, StoreErrorKind,
    Which,
};
use crate::testing::{cut_off, jti, lift, new_session, sid, subject};
use crate::time::Timestamp;

cases!(
    a_write_that_is_refused_changed_nothing,
    a_lost_reply_of_an_opening_is_settled_by_reading,
    a_lost_reply_of_a_rotation_is_settled_by_reading,
    a_lost_reply_of_an_append_is_settled_by_reading,
    a_lost_reply_of_a_record_is_settled_by_reading,
    a_lost_reply_of_an_incarnation_is_settled_by_reading,
    a_lost_reply_of_a_sweep_is_settled_by_sweeping,
    rotations_with_lost_replies_are_still_one_chain,
    only_the_calls_in_the_script_fail,
    a_store_that_is_down_answers_nothing_and_loses_nothing,
    a_write_that_hangs_holds_up_no_other,
);

type Failing = FailingStore<dyn Store>;

fn failing(stage: &Stage) -> Arc<Failing> {
    Arc::new(FailingStore::new(Arc::clone(&stage.store)))
}

/// Loses the reply of the next call.
fn lose(store: &Failing, operation: Operation) {
    store.inject(operation, Which::Nth(1), Fault::LoseReply);
}

fn assert_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

const WRITES: [Operation; 6] = [
    Operation::Open,
    Operation::Advance,
    Operation::Append,
    Operation::Sweep,
    Operation::Reincarnate,
    Operation::PutRecord,
];

/// Asks for a write that would change something, or for a read.
async fn call(store: &Failing, operation: Operation, lost: Incarnation) -> Result<(), StoreError> {
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    match operation {
        Operation::Open => store.open(new_session(2, "bob")).await.map(drop),
        Operation::Load => store.load(sid(1)).await.map(drop),
        Operation::Advance => store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.map(drop),
        Operation::SessionsOf => store.sessions_of(&subject("alice"), Page { after: None, limit: 1 }).await.map(drop),
        Operation::Append => store.append(vec![cut_off(Scope::All)]).await.map(drop),
        Operation::After => store.after(Seq::ZERO, 1).await.map(drop),
        Operation::Snapshot => store.snapshot(Timestamp::EPOCH).await.map(drop),
        Operation::Sweep => store.sweep(far, 10).await.map(drop),
        Operation::Health => store.health().await.map(drop),
        Operation::Reincarnate => store.reincarnate(lost, incarnation(9), Seq::MAX).await.map(drop),
        Operation::Record => store.record(RecordKind::USERS, "alice").await.map(drop),
        Operation::PutRecord => store.put_record(RecordKind::USERS, "alice", 1, b"two".to_vec(), None).await.map(drop),
        Operation::Records => store.records(RecordKind::USERS, None, 1).await.map(drop),
    }
}

/// A session, a cut-off and a record; then everything that the writes of [`call`] would change.
async fn furnish(stage: &Stage) {
    stage.open(new_session(1, "alice")).await;
    stage.cut(of_subject("carol")).await;
    stage.store.put_record(RecordKind::USERS, "alice", 0, b"one".to_vec(), None).await.unwrap();
}

async fn everything(stage: &Stage) -> impl PartialEq + std::fmt::Debug + use<> {
    let sessions = (stage.store.load(sid(1)).await.unwrap(), stage.store.load(sid(2)).await.unwrap());
    let records = stage.store.records(RecordKind::USERS, None, 10).await.unwrap();
    (sessions, stage.log().await, stage.snapshot(Timestamp::EPOCH).await, records)
}

async fn a_write_that_is_refused_changed_nothing(stage: Stage) {
    furnish(&stage).await;
    let (before, lost) = (everything(&stage).await, stage.head().await.incarnation);
    let store = failing(&stage);
    for operation in WRITES {
        for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Full, StoreErrorKind::Broken] {
            store.inject(operation, Which::Nth(1), Fault::Refuse(kind));
            let error = call(&store, operation, lost).await.unwrap_err();
            assert_eq!((error.kind(), error.op()), (kind, operation.as_str()));
            assert_eq!(everything(&stage).await, before, "after {error}");
        }
    }
    call(&store, Operation::Append, lost).await.unwrap();
    assert_ne!(everything(&stage).await, before, "one that is not refused changes something");
}

async fn a_lost_reply_of_an_opening_is_settled_by_reading(stage: Stage) {
    let store = failing(&stage);
    lose(&store, Operation::Open);
    assert_unavailable(store.open(new_session(1, "alice")).await);
    let loaded = store.load(sid(1)).await.unwrap().expect("it was written");
    assert_eq!(loaded.session.subject, subject("alice"));
    let again = store.open(new_session(1, "alice")).await.unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Corrupt, "{again}");
}

async fn a_lost_reply_of_a_rotation_is_settled_by_reading(stage: Stage) {
    let store = failing(&stage);
    stage.open(new_session(1, "alice")).await;
    lose(&store, Operation::Advance);
    assert_unavailable(store.advance(sid(1), Generation::FIRST, Generation::new(1)).await);
    let loaded = store.load(sid(1)).await.unwrap().expect("the session is there");
    assert_eq!(loaded.session.generation, Generation::new(1));
    assert_eq!(store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.unwrap(), Advance::Stale);
}

async fn a_lost_reply_of_an_append_is_settled_by_reading(stage: Stage) {
    let store = failing(&stage);
    let bob = stage.cut(of_subject("bob")).await;
    lose(&store, Operation::Append);
    assert_unavailable(store.append(vec![cut_off(of_subject("alice")), lift(of_subject("bob"), bob)]).await);
    let found = batch(store.after(bob, 10).await.unwrap()).entries;
    let scopes: Vec<_> = found.iter().map(|entry| &entry.scope).collect();
    assert_eq!(scopes, [&of_subject("alice"), &of_subject("bob")], "written once, whole");
    let again = store.append(vec![lift(of_subject("bob"), bob)]).await.unwrap();
    assert_eq!(again, Appended::Conflict { newest: found.last().cloned() }, "the lift names itself");
}

async fn a_lost_reply_of_a_record_is_settled_by_reading(stage: Stage) {
    let store = failing(&stage);
    lose(&store, Operation::PutRecord);
    assert_unavailable(store.put_record(RecordKind::KEYS, "", 0, b"mine".to_vec(), None).await);
    let found = store.record(RecordKind::KEYS, "").await.unwrap().expect("it was written");
    assert_eq!((found.version, &found.body[..]), (1, &b"mine"[..]));
    assert_eq!(store.put_record(RecordKind::KEYS, "", 0, b"mine".to_vec(), None).await.unwrap(), Put::Stale);
}

async fn a_lost_reply_of_an_incarnation_is_settled_by_reading(stage: Stage) {
    let store = failing(&stage);
    let lost = stage.head().await.incarnation;
    lose(&store, Operation::Reincarnate);
    assert_unavailable(store.reincarnate(lost, incarnation(7), Seq::new(10)).await);
    assert_eq!(store.health().await.unwrap().incarnation, incarnation(7));
    assert!(!store.reincarnate(lost, incarnation(7), Seq::new(10)).await.unwrap(), "and it is not done twice");
}

async fn a_lost_reply_of_a_sweep_is_settled_by_sweeping(stage: Stage) {
    let store = failing(&stage);
    let seq = stage.cut(of_subject("alice")).await;
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    lose(&store, Operation::Sweep);
    assert_unavailable(store.sweep(far, 10).await);
    assert_eq!(store.sweep(far, 10).await.unwrap().rows(), 0);
    assert_eq!(store.health().await.unwrap().seq, seq);
}

async fn rotations_with_lost_replies_are_still_one_chain(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let store = failing(&stage);
    for n in (1..400).step_by(3) {
        store.inject(Operation::Advance, Which::Nth(n), Fault::LoseReply);
    }
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let (mut won, mut unknown) = (Vec::new(), 0);
                for _ in 0..8 {
                    let at = store.load(sid(1)).await.unwrap().expect("the session is there").session.generation;
                    match store.advance(sid(1), at, at.next()).await {
                        Ok(Advance::Advanced(_)) => won.push(at.next()),
                        Ok(Advance::Stale) => {}
                        Err(_) => unknown += 1,
                    }
                }
                (won, unknown)
            })
        })
        .collect();
    let (mut won, mut unknown) = (Vec::new(), 0);
    for task in tasks {
        let (mine, lost) = task.await.unwrap();
        won.extend(mine);
        unknown += lost;
    }
    let acknowledged = won.len() as u64;
    won.sort_unstable();
    assert!(won.is_sorted_by(|a, b| a < b), "no generation is acknowledged twice: {won:?}");
    let end = stage.load(sid(1)).await.session.generation.get();
    assert!(acknowledged <= end && end <= acknowledged + unknown, "{acknowledged} and {unknown} unknown made {end}");
    assert!(unknown > 0);
}

async fn only_the_calls_in_the_script_fail(stage: Stage) {
    let store = failing(&stage);
    store.inject(Operation::Append, Which::Nth(3), Fault::Refuse(StoreErrorKind::Full));
    store.inject(Operation::Append, Which::Nth(5), Fault::LoseReply);
    let mut failed = Vec::new();
    for n in 1..=6 {
        if store.append(vec![cut_off(Scope::token(jti(n)))]).await.is_err() {
            failed.push(n);
        }
    }
    assert_eq!(failed, [3, 5]);
    assert_eq!(store.calls(Operation::Append), 6);
    let written: Vec<_> = stage.log().await.into_iter().map(|entry| entry.scope).collect();
    assert_eq!(written, [1, 2, 4, 5, 6].map(|n| Scope::token(jti(n))), "no position is used up by what was refused");
    store.inject(Operation::Append, Which::Every, Fault::Refuse(StoreErrorKind::Broken));
    for _ in 0..3 {
        assert_eq!(store.append(Vec::new()).await.unwrap_err().kind(), StoreErrorKind::Broken);
    }
    store.clear();
    assert_eq!(done(store.append(vec![cut_off(Scope::All)]).await.unwrap())[0].seq, Seq::new(6));
}

async fn a_store_that_is_down_answers_nothing_and_loses_nothing(stage: Stage) {
    furnish(&stage).await;
    let (before, lost) = (everything(&stage).await, stage.head().await.incarnation);
    let store = failing(&stage);
    store.down();
    for operation in Operation::EVERY {
        assert_unavailable(call(&store, *operation, lost).await);
        assert_eq!(store.calls(*operation), 1);
    }
    assert_eq!(everything(&stage).await, before);
    store.up();
    for operation in Operation::EVERY {
        call(&store, *operation, lost).await.unwrap();
    }
}

async fn a_write_that_hangs_holds_up_no_other(stage: Stage) {
    let store = failing(&stage);
    let (early, late) = (Gate::new(), Gate::new());
    store.inject(Operation::Append, Which::Nth(1), Fault::HangBefore(early.clone()));
    store.inject(Operation::Append, Which::Nth(2), Fault::HangAfter(late.clone()));
    let append = |name: &str| {
        let (store, entry) = (Arc::clone(&store), cut_off(of_subject(name)));
        tokio::spawn(async move { done(store.append(vec![entry]).await.unwrap())[0].seq })
    };
    let first = append("alice");
    early.reached().await;
    let second = append("bob");
    late.reached().await;
    let log: Vec<_> = stage.log().await.into_iter().map(|entry| entry.scope).collect();
    assert_eq!(log, [of_subject("bob")], "before the commit nothing is there, after it everything");
    assert_eq!(append("carol").await.unwrap(), Seq::new(2));
    assert!(!first.is_finished() && !second.is_finished());
    late.release();
    assert_eq!(second.await.unwrap(), Seq::new(1));
    early.release();
    assert_eq!(first.await.unwrap(), Seq::new(3));
}
