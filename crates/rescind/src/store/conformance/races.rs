//! Cases: many at once. What is checked afterwards is count, uniqueness and contiguity.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;

use super::cases;
use super::stage::{Stage, assert_chained, batch, done, of_subject};
use crate::log::{ChainTag, Scope};
use crate::position::{Generation, Seq};
use crate::store::{Advance, Appended, Put, RecordKind, Store, StoreErrorKind};
use crate::testing::{cut_off, jti, lift, new_session, sid};
use crate::time::Timestamp;

cases!(
    many_rotations_of_one_session_are_one_chain,
    many_appends_are_one_log_for_a_reader_beside_them,
    a_batch_is_never_seen_in_part,
    a_snapshot_beside_a_writer_is_of_one_moment,
    of_many_lifts_of_one_cut_off_one_wins,
    of_many_writes_of_one_record_one_wins,
    of_many_openings_under_one_id_one_wins,
    a_session_opened_beside_cut_offs_stands_on_one_side_of_each,
    a_session_read_beside_a_cut_off_is_of_one_moment,
    sweeping_beside_writers_forgets_nothing_of_theirs,
);

const TASKS: u64 = 64;

/// Runs `task` so many times at once, from a shared start, and returns what each returned.
async fn together<T, F, R>(stage: &Stage, tasks: u64, task: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(Arc<dyn Store>, u64) -> R,
    R: Future<Output = T> + Send + 'static,
{
    together_on(&[stage], tasks, task).await
}

/// The same, with the tasks dealt out to several openings of one store.
pub(super) async fn together_on<T, F, R>(stages: &[&Stage], tasks: u64, task: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(Arc<dyn Store>, u64) -> R,
    R: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(usize::try_from(tasks).unwrap()));
    let running: Vec<_> = (0..tasks)
        .zip(stages.iter().cycle())
        .map(|(n, stage)| {
            let (start, task) = (Arc::clone(&start), task(Arc::clone(&stage.store), n));
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in running {
        results.push(task.await.unwrap());
    }
    results
}

/// Rotates a session once, however often others are first; the generation that it made.
async fn rotate(store: Arc<dyn Store>) -> Generation {
    loop {
        let at = store.load(sid(1)).await.unwrap().expect("the session is there").session.generation;
        match store.advance(sid(1), at, at.next()).await.unwrap() {
            Advance::Advanced(_) => return at.next(),
            // Lets the deadline in where a store is never ready to move.
            Advance::Stale => tokio::task::yield_now().await,
        }
    }
}

// holds: R14
async fn many_rotations_of_one_session_are_one_chain(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    // The first round from one generation that all know: exactly one wins it.
    let first = together(&stage, TASKS, |store: Arc<dyn Store>, _| async move {
        store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.unwrap()
    })
    .await;
    assert_eq!(first.iter().filter(|advance| matches!(advance, Advance::Advanced(_))).count(), 1);
    let made = together(&stage, TASKS, |store, _| rotate(store)).await;
    let made: BTreeSet<_> = made.into_iter().map(Generation::get).collect();
    assert_eq!(made, (2..TASKS + 2).collect(), "each made one generation, none twice, none left out");
    assert_eq!(stage.load(sid(1)).await.session.generation, Generation::new(TASKS + 1));
}

async fn many_appends_are_one_log_for_a_reader_beside_them(stage: Stage) {
    const EACH: u64 = 4;
    let reader = tokio::spawn({
        let store = Arc::clone(&stage.store);
        async move {
            let mut seen = Vec::new();
            let mut at = Seq::ZERO;
            let mut tag = ChainTag::genesis(store.health().await.unwrap().incarnation);
            while at < Seq::new(TASKS * EACH) {
                let part = batch(store.after(at, 7).await.unwrap());
                assert_eq!(part.prev_tag, tag, "at {at}");
                assert_chained(&part, at);
                tag = part.tag;
                at = part.entries.last().map_or(at, |entry| entry.seq);
                seen.extend(part.entries);
                tokio::task::yield_now().await;
            }
            seen
        }
    });
    let acknowledged = together(&stage, TASKS, |store: Arc<dyn Store>, n| async move {
        let mut mine = Vec::new();
        for k in 0..EACH {
            mine.extend(done(store.append(vec![cut_off(Scope::token(jti(n * EACH + k)))]).await.unwrap()));
        }
        assert!(mine.is_sorted_by(|a, b| a.seq < b.seq), "one writer's entries keep their order");
        mine
    })
    .await;
    let mut acknowledged: Vec<_> = acknowledged.into_iter().flatten().collect();
    acknowledged.sort_by_key(|entry| entry.seq);
    assert_eq!(stage.log().await, acknowledged, "the log is what was acknowledged");
    assert_eq!(reader.await.unwrap(), acknowledged, "and what the reader saw");
}

async fn a_batch_is_never_seen_in_part(stage: Stage) {
    let all = 16 * 3;
    let reader = tokio::spawn({
        let store = Arc::clone(&stage.store);
        async move {
            loop {
                let part = batch(store.after(Seq::ZERO, usize::MAX).await.unwrap());
                assert_eq!(part.entries.len() % 3, 0, "batches are of three");
                assert_eq!(part.head.seq, Seq::new(part.entries.len() as u64), "head and entries are of one moment");
                if part.head.seq == Seq::new(all) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    together(&stage, 16, |store: Arc<dyn Store>, n| async move {
        let entries =
            done(store.append((0..3).map(|k| cut_off(Scope::token(jti(n * 3 + k)))).collect()).await.unwrap());
        assert_eq!(entries[2].seq, entries[0].seq.plus(2), "a batch is contiguous");
    })
    .await;
    reader.await.unwrap();
}

async fn a_snapshot_beside_a_writer_is_of_one_moment(stage: Stage) {
    let counts = together(&stage, 8, |store: Arc<dyn Store>, n| async move {
        let mut heads = Vec::new();
        for k in 0..8 {
            if n < 4 {
                store.append(vec![cut_off(Scope::token(jti(n * 8 + k)))]).await.unwrap();
            } else {
                let snapshot = store.snapshot(Timestamp::EPOCH).await.unwrap();
                let positions: Vec<_> = snapshot.cut_offs.iter().map(|cut_off| cut_off.seq.get()).collect();
                assert_eq!(positions, (1..=snapshot.head.seq.get()).collect::<Vec<_>>(), "every entry up to its head");
                heads.push(snapshot.head.seq);
            }
        }
        heads
    })
    .await;
    assert!(counts.iter().all(|heads| heads.is_sorted()), "a head does not go back");
}

async fn of_many_lifts_of_one_cut_off_one_wins(stage: Stage) {
    let seq = stage.cut(of_subject("alice")).await;
    let results = together(&stage, TASKS, move |store: Arc<dyn Store>, _| async move {
        store.append(vec![lift(of_subject("alice"), seq)]).await.unwrap()
    })
    .await;
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Appended::Done(entries) => won.extend(entries),
            Appended::Conflict { newest } => lost.extend(newest),
        }
    }
    assert_eq!((won.len(), lost.len() as u64), (1, TASKS - 1));
    assert!(lost.iter().all(|newest| *newest == won[0]), "the others are told who was first");
    assert_eq!(stage.head().await.seq, seq.next());
}

async fn of_many_writes_of_one_record_one_wins(stage: Stage) {
    for expected in 0..3 {
        let results = together(&stage, TASKS, move |store: Arc<dyn Store>, n: u64| async move {
            let body = n.to_be_bytes().to_vec();
            (n, store.put_record(RecordKind::KEYS, "", expected, body, None).await.unwrap())
        })
        .await;
        let won: Vec<_> = results.into_iter().filter(|(_, put)| *put == Put::Written(expected + 1)).collect();
        assert_eq!(won.len(), 1, "from version {expected}");
        let record = stage.store.record(RecordKind::KEYS, "").await.unwrap().expect("it was written");
        assert_eq!(record.body, won[0].0.to_be_bytes(), "the winner's body is there");
    }
}

// holds: R27
async fn of_many_openings_under_one_id_one_wins(stage: Stage) {
    let results = together(&stage, TASKS, |store: Arc<dyn Store>, n| async move {
        store.open(new_session(1, &format!("user {n}"))).await
    })
    .await;
    let mut won = Vec::new();
    for result in results {
        match result {
            Ok(session) => won.push(session),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
        }
    }
    assert_eq!(won, [stage.load(sid(1)).await.session]);
}

// holds: R16
async fn a_session_opened_beside_cut_offs_stands_on_one_side_of_each(stage: Stage) {
    together(&stage, TASKS / 2, |store: Arc<dyn Store>, n| async move {
        let before = store.open(new_session(2 * n, "alice")).await.unwrap();
        let cut = done(store.append(vec![cut_off(of_subject("alice"))]).await.unwrap())[0].seq;
        let after = store.open(new_session(2 * n + 1, "alice")).await.unwrap();
        assert!(before.position < cut, "a session opened before a cut-off is below it");
        assert!(after.position >= cut, "one opened after it was acknowledged is not");
        let loaded = store.load(before.id).await.unwrap().expect("the session is there");
        assert!(loaded.cut_off.is_some_and(|by| by.seq >= cut), "the acknowledged cut-off, or a later one, covers");
    })
    .await;
    let last = stage.head().await.seq;
    assert_eq!(last, Seq::new(TASKS / 2));
    for n in 0..TASKS {
        let loaded = stage.load(sid(n)).await;
        let expected = (loaded.session.position < last).then_some(last);
        assert_eq!(loaded.cut_off.map(|cut_off| cut_off.seq), expected, "opened at {}", loaded.session.position);
    }
}

async fn a_session_read_beside_a_cut_off_is_of_one_moment(stage: Stage) {
    // Each round rotates, then cuts off: whoever sees the cut-off of a round sees its rotation, too.
    stage.open(new_session(1, "alice")).await;
    together(&stage, 5, |store: Arc<dyn Store>, n| async move {
        for round in 1..=16 {
            if n == 0 {
                let (from, to) = (Generation::new(round - 1), Generation::new(round));
                assert!(matches!(store.advance(sid(1), from, to).await.unwrap(), Advance::Advanced(_)));
                done(store.append(vec![cut_off(Scope::session(sid(1)))]).await.unwrap());
            } else {
                let loaded = store.load(sid(1)).await.unwrap().expect("the session is there");
                let cut_offs = loaded.cut_off.map_or(0, |cut_off| cut_off.seq.get());
                let rotations = loaded.session.generation.get();
                assert!(cut_offs <= rotations && rotations <= cut_offs + 1, "{cut_offs} of {rotations}");
            }
        }
    })
    .await;
}

async fn sweeping_beside_writers_forgets_nothing_of_theirs(stage: Stage) {
    let before = stage.now();
    together(&stage, 8, move |store: Arc<dyn Store>, n| async move {
        for k in 0..8 {
            match n {
                0 => assert_eq!(store.sweep(before, 100).await.unwrap().rows(), 0),
                1 => drop(store.open(new_session(k, "alice")).await.unwrap()),
                _ => drop(done(store.append(vec![cut_off(Scope::token(jti(n * 8 + k)))]).await.unwrap())),
            }
        }
    })
    .await;
    assert_eq!(stage.log().await.len(), 48);
    assert_eq!(stage.active().await.len(), 48);
}
