//! Cases: whoever asked for a write has gone away. The write happened whole or not at all, and the store goes on.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::cases;
use super::stage::{Stage, assert_chained, done, incarnation, of_subject};
use crate::log::{Entry, NewEntry, Scope};
use crate::position::{Generation, Seq};
use crate::session::{NewSession, Session};
use crate::store::{Advance, Feed, Page, Put, RecordKind, StoreErrorKind};
use crate::testing::{cut_off, jti, new_session, sid, subject};
use crate::time::Timestamp;

cases!(
    a_dropped_append_is_whole_or_absent,
    a_dropped_opening_is_whole_or_absent,
    a_dropped_rotation_counts_once_or_not,
    a_dropped_record_is_whole_or_absent,
    a_dropped_incarnation_is_whole_or_absent,
    a_dropped_sweep_leaves_a_log_without_a_hole,
    aborted_writers_harm_no_other,
);

/// Asks once and goes away; the answer, where it was there at once.
fn ask_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// How many of the three entries of batch `n` are in the log; they stand together.
fn part_of(log: &[Entry], n: u64) -> usize {
    let scopes = [0, 1, 2].map(|k| Scope::token(jti(3 * n + k)));
    let found: Vec<_> = log.iter().filter(|entry| scopes.contains(&entry.scope)).map(|entry| entry.seq).collect();
    assert!(found.is_sorted_by(|a, b| a.next() == *b), "a batch is contiguous: {found:?}");
    found.len()
}

fn three(n: u64) -> Vec<NewEntry> {
    (0..3).map(|k| cut_off(Scope::token(jti(3 * n + k)))).collect()
}

async fn a_dropped_append_is_whole_or_absent(stage: Stage) {
    for n in 0..32 {
        let at_once = ask_once(stage.store.append(three(n)));
        let acknowledged = stage.append(vec![cut_off(of_subject("alice"))]).await;
        let log = stage.log().await;
        assert!(log.contains(&acknowledged[0]), "what was acknowledged since is there");
        let part = part_of(&log, n);
        assert!(part == 3 || (part == 0 && at_once.is_none()), "{part} of 3");
    }
    let log = stage.log().await;
    assert!((0..32).all(|n| [0, 3].contains(&part_of(&log, n))));
}

async fn a_dropped_opening_is_whole_or_absent(stage: Stage) {
    for n in 0..32 {
        let new = || NewSession { device: Some("phone".to_owned()), ..new_session(n, "alice") };
        ask_once(stage.store.open(new()));
        match stage.store.open(new()).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
        }
        let session = stage.load(sid(n)).await.session;
        assert_eq!(session, Session::open(new(), Seq::ZERO, stage.now()));
    }
    let page = Page { after: None, limit: 100 };
    assert_eq!(stage.store.sessions_of(&subject("alice"), page).await.unwrap().sessions.len(), 32, "each once");
}

async fn a_dropped_rotation_counts_once_or_not(stage: Stage) {
    for n in 0..32 {
        stage.open(new_session(n, "alice")).await;
        ask_once(stage.store.advance(sid(n), Generation::FIRST, Generation::new(1)));
        loop {
            let at = stage.load(sid(n)).await.session.generation;
            if let Advance::Advanced(_) = stage.advance(sid(n), at.get(), at.get() + 1).await {
                let now = stage.load(sid(n)).await.session.generation;
                assert_eq!(now, at.next());
                assert!(now <= Generation::new(2), "the dropped one moved it once at most");
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn a_dropped_record_is_whole_or_absent(stage: Stage) {
    let large = vec![7; 300_000];
    for n in 0..16 {
        let id = format!("node {n}");
        ask_once(stage.store.put_record(RecordKind::NODES, &id, 0, large.clone(), None));
        let put = stage.store.put_record(RecordKind::NODES, &id, 0, b"small".to_vec(), None).await.unwrap();
        let record = stage.store.record(RecordKind::NODES, &id).await.unwrap().expect("one of the two is there");
        let expected = if put == Put::Stale { &large[..] } else { b"small" };
        assert_eq!((record.version, &record.body[..]), (1, expected));
    }
}

async fn a_dropped_incarnation_is_whole_or_absent(stage: Stage) {
    stage.cut(of_subject("alice")).await;
    let before = stage.head().await;
    ask_once(stage.store.reincarnate(before.incarnation, incarnation(7), Seq::new(1_000)));
    let acknowledged = stage.store.reincarnate(before.incarnation, incarnation(8), Seq::new(2_000)).await.unwrap();
    let head = stage.head().await;
    let expected = if acknowledged { (incarnation(8), 2_000) } else { (incarnation(7), 1_000) };
    assert_eq!((head.incarnation, head.seq.get()), expected);
    assert_eq!(stage.cut(of_subject("alice")).await, head.seq.next());
}

async fn a_dropped_sweep_leaves_a_log_without_a_hole(stage: Stage) {
    for n in 0..16 {
        stage.append(three(n)).await;
    }
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    for _ in 0..4 {
        ask_once(stage.store.sweep(far, 5));
        let head = stage.head().await;
        let mut first = Seq::ZERO;
        let whole = loop {
            assert!(first <= head.seq, "the log is told from its head at the latest");
            match stage.store.after(first, 100).await.unwrap() {
                Feed::Batch(batch) => break batch,
                Feed::Gone(_) => first = first.next(),
            }
        };
        assert_chained(&whole, first);
        assert_eq!((whole.tag, whole.head.seq), (head.tag, Seq::new(48)), "from {first} on, it is whole");
    }
    stage.sweep_all(far, 10).await;
    assert_eq!(stage.cut(of_subject("alice")).await, Seq::new(49));
}

async fn aborted_writers_harm_no_other(stage: Stage) {
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = Arc::clone(&stage.store);
            tokio::spawn(async move { done(store.append(three(n)).await.unwrap()) })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for (n, writer) in writers.into_iter().enumerate() {
        if n % 2 == 0 {
            writer.abort();
        }
        match writer.await {
            Ok(entries) => acknowledged.extend(entries),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    stage.cut(of_subject("alice")).await;
    let log = stage.log().await;
    assert!(acknowledged.iter().all(|entry| log.contains(entry)), "what was acknowledged is there");
    assert!((0..64).all(|n| [0, 3].contains(&part_of(&log, n))));
}
