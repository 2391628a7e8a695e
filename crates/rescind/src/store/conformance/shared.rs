//! Cases: one store that two processes have open at once, each with an opening of its own. What one acknowledged the
//! other knows, and of two that want the same one wins.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::cases;
use super::races::together_on;
use super::stage::{Stage, assert_chained, batch, done, incarnation, of_subject};
use crate::log::{ChainTag, Entry, NewEntry, Scope};
use crate::position::{Generation, Seq};
use crate::session::NewSession;
use crate::store::{Advance, Appended, Put, RecordKind, Store, StoreErrorKind, Swept};
use crate::testing::{cut_off, jti, lift, new_session, sid};
use crate::time::Timestamp;

cases!(
    what_one_acknowledged_the_other_reads_at_once,
    appends_through_both_are_one_log_for_readers_of_both,
    a_batch_through_one_is_never_seen_in_part_by_the_other,
    a_lift_is_checked_against_what_the_other_wrote,
    of_many_lifts_through_both_one_wins,
    of_many_rotations_through_both_one_wins,
    of_many_writes_of_a_record_through_both_one_wins,
    of_many_openings_of_a_session_through_both_one_wins,
    a_session_stands_on_one_side_of_each_cut_off_of_the_other,
    a_new_incarnation_of_one_is_the_others_too,
    of_many_new_incarnations_through_both_one_wins,
    sweeping_through_both_forgets_each_row_once,
    waiting_for_the_log_to_grow_harms_nobody,
    a_feed_goes_on_where_it_stood_when_its_opening_is_made_again,
);

const TASKS: u64 = 32;

/// A cut-off on the `n`-th token.
fn token(n: u64) -> NewEntry {
    cut_off(Scope::token(jti(n)))
}

/// Reads the log as it grows, up to `end`; each part must follow from the one before.
async fn follow(store: Arc<dyn Store>, end: Seq) -> Vec<Entry> {
    let mut seen = Vec::new();
    let mut at = (Seq::ZERO, ChainTag::genesis(store.health().await.unwrap().incarnation));
    while at.0 < end {
        let part = batch(store.after(at.0, 5).await.unwrap());
        assert_eq!(part.prev_tag, at.1, "at {}", at.0);
        assert_chained(&part, at.0);
        at = (part.entries.last().map_or(at.0, |entry| entry.seq), part.tag);
        seen.extend(part.entries);
        tokio::task::yield_now().await;
    }
    seen
}

async fn what_one_acknowledged_the_other_reads_at_once(stage: Stage) {
    let other = stage.beside().await;
    for n in 0..16 {
        let (writer, reader) = if n % 2 == 0 { (&stage, &other) } else { (&other, &stage) };
        let session = writer.open(new_session(n, "alice")).await;
        assert_eq!(reader.load(sid(n)).await.session, session);
        let seq = writer.cut(of_subject("alice")).await;
        assert_eq!(reader.head().await, writer.head().await);
        assert_eq!(reader.covered(sid(n)).await, Some(seq));
        assert_eq!(reader.log().await.last().map(|entry| entry.seq), Some(seq));
        assert_eq!(reader.active().await.last().map(|cut_off| cut_off.seq), Some(seq));
        assert!(matches!(writer.advance(sid(n), 0, 1).await, Advance::Advanced(_)));
        assert_eq!(reader.load(sid(n)).await.session.generation, Generation::new(1));
        let put = writer.store.put_record(RecordKind::KEYS, "", n, vec![1], None).await.unwrap();
        assert_eq!(put, Put::Written(n + 1));
        let record = reader.store.record(RecordKind::KEYS, "").await.unwrap();
        assert_eq!(record.map(|record| record.version), Some(n + 1));
    }
}

async fn appends_through_both_are_one_log_for_readers_of_both(stage: Stage) {
    const EACH: u64 = 4;
    let other = stage.beside().await;
    let end = Seq::new(TASKS * EACH);
    let readers = [&stage, &other].map(|stage| tokio::spawn(follow(Arc::clone(&stage.store), end)));
    let acknowledged = together_on(&[&stage, &other], TASKS, |store, n| async move {
        let mut mine = Vec::new();
        for k in 0..EACH {
            mine.extend(done(store.append(vec![token(n * EACH + k)]).await.unwrap()));
        }
        assert!(mine.is_sorted_by(|a, b| a.seq < b.seq), "one writer's entries keep their order");
        mine
    })
    .await;
    let mut acknowledged: Vec<_> = acknowledged.into_iter().flatten().collect();
    acknowledged.sort_by_key(|entry| entry.seq);
    assert_eq!(stage.log().await, acknowledged, "the log is what was acknowledged");
    for reader in readers {
        assert_eq!(reader.await.unwrap(), acknowledged, "and what each reader saw");
    }
}

async fn a_batch_through_one_is_never_seen_in_part_by_the_other(stage: Stage) {
    let other = stage.beside().await;
    let all = Seq::new(TASKS * 3);
    let readers = [&stage, &other].map(|stage| {
        let store = Arc::clone(&stage.store);
        tokio::spawn(async move {
            loop {
                let snapshot = store.snapshot(Timestamp::EPOCH).await.unwrap();
                assert_eq!(snapshot.head.seq.get() % 3, 0, "batches are of three");
                let positions: Vec<_> = snapshot.cut_offs.iter().map(|cut_off| cut_off.seq.get()).collect();
                assert_eq!(positions, (1..=snapshot.head.seq.get()).collect::<Vec<_>>(), "every entry up to its head");
                let part = batch(store.after(Seq::ZERO, usize::MAX).await.unwrap());
                assert_eq!(part.head.seq, Seq::new(part.entries.len() as u64), "head and entries are of one moment");
                assert!(part.head.seq >= snapshot.head.seq, "a head does not go back");
                if part.head.seq == all {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
    });
    together_on(&[&stage, &other], TASKS, |store, n| async move {
        let entries = done(store.append((0..3).map(|k| token(3 * n + k)).collect()).await.unwrap());
        assert_eq!(entries[2].seq, entries[0].seq.plus(2), "a batch is contiguous");
    })
    .await;
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn a_lift_is_checked_against_what_the_other_wrote(stage: Stage) {
    let other = stage.beside().await;
    let first = stage.cut(of_subject("alice")).await;
    let second = other.cut(of_subject("alice")).await;
    let newest = stage.refused(vec![lift(of_subject("alice"), first)]).await;
    assert_eq!(newest.map(|newest| newest.seq), Some(second), "the newest is the other's");
    let lifted = stage.lift(of_subject("alice"), second).await;
    let newest = other.refused(vec![lift(of_subject("alice"), second)]).await;
    assert_eq!(newest.map(|newest| newest.seq), Some(lifted), "it is lifted already");
    assert_eq!(other.active().await, []);
}

async fn of_many_lifts_through_both_one_wins(stage: Stage) {
    let other = stage.beside().await;
    for _ in 0..8 {
        let seq = stage.cut(of_subject("alice")).await;
        let results = together_on(&[&stage, &other], TASKS, |store, _| async move {
            store.append(vec![lift(of_subject("alice"), seq)]).await.unwrap()
        })
        .await;
        let won = results.iter().filter(|result| matches!(result, Appended::Done(_))).count();
        assert_eq!((won, other.head().await.seq), (1, seq.next()));
    }
}

// holds: R14 (two nodes)
async fn of_many_rotations_through_both_one_wins(stage: Stage) {
    let other = stage.beside().await;
    stage.open(new_session(1, "alice")).await;
    for from in (0..8).map(Generation::new) {
        let results = together_on(&[&stage, &other], TASKS, |store, _| async move {
            store.advance(sid(1), from, from.next()).await.unwrap()
        })
        .await;
        assert_eq!(results.iter().filter(|result| matches!(result, Advance::Advanced(_))).count(), 1, "from {from:?}");
        assert_eq!(other.load(sid(1)).await.session.generation, from.next());
    }
}

async fn of_many_writes_of_a_record_through_both_one_wins(stage: Stage) {
    let other = stage.beside().await;
    for expected in 0..8 {
        let results = together_on(&[&stage, &other], TASKS, |store, n| async move {
            let body = n.to_be_bytes().to_vec();
            (n, store.put_record(RecordKind::KEYS, "", expected, body, None).await.unwrap())
        })
        .await;
        let won: Vec<_> = results.into_iter().filter(|(_, put)| *put == Put::Written(expected + 1)).collect();
        assert_eq!(won.len(), 1, "from version {expected}");
        for stage in [&stage, &other] {
            let record = stage.store.record(RecordKind::KEYS, "").await.unwrap().expect("it was written");
            assert_eq!(record.body, won[0].0.to_be_bytes(), "both read the winner's body");
        }
    }
}

async fn of_many_openings_of_a_session_through_both_one_wins(stage: Stage) {
    let other = stage.beside().await;
    for id in 0..8 {
        let results = together_on(&[&stage, &other], TASKS, |store, n| async move {
            store.open(new_session(id, &format!("user {n}"))).await
        })
        .await;
        let mut won = Vec::new();
        for result in results {
            match result {
                Ok(session) => won.push(session),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
            }
        }
        assert_eq!(won, [other.load(sid(id)).await.session]);
    }
}

// holds: R16 (two nodes)
async fn a_session_stands_on_one_side_of_each_cut_off_of_the_other(stage: Stage) {
    let other = stage.beside().await;
    for n in 0..16 {
        let (opener, cutter) = if n % 2 == 0 { (&stage, &other) } else { (&other, &stage) };
        let before = opener.open(new_session(2 * n, "alice")).await;
        let seq = cutter.cut(of_subject("alice")).await;
        let after = opener.open(new_session(2 * n + 1, "alice")).await;
        assert!(before.position < seq && after.position >= seq, "{} {seq} {}", before.position, after.position);
        assert_eq!(opener.covered(before.id).await, Some(seq));
        assert_eq!(cutter.covered(after.id).await, None);
    }
    // The same while both are busy.
    together_on(&[&stage, &other], TASKS, |store, n| async move {
        let (one, two) = (1_000 + 2 * n, 1_001 + 2 * n);
        let before = store.open(new_session(one, "bob")).await.unwrap();
        let seq = done(store.append(vec![cut_off(of_subject("bob"))]).await.unwrap())[0].seq;
        let after = store.open(new_session(two, "bob")).await.unwrap();
        assert!(before.position < seq && after.position >= seq);
    })
    .await;
    let last = stage.head().await.seq;
    for n in 1_000..1_000 + 2 * TASKS {
        let loaded = other.load(sid(n)).await;
        let expected = (loaded.session.position < last).then_some(last);
        assert_eq!(loaded.cut_off.map(|cut_off| cut_off.seq), expected, "opened at {}", loaded.session.position);
    }
}

async fn a_new_incarnation_of_one_is_the_others_too(stage: Stage) {
    let other = stage.beside().await;
    let alice = stage.cut(of_subject("alice")).await;
    let lost = other.head().await;
    let start = alice.plus(Seq::JUMP);
    assert!(stage.store.reincarnate(lost.incarnation, incarnation(7), start).await.unwrap());
    assert_eq!(other.head().await, stage.head().await);
    assert_eq!(other.gone(alice).await.incarnation, incarnation(7));
    assert!(!other.store.reincarnate(lost.incarnation, incarnation(8), start.plus(Seq::JUMP)).await.unwrap());
    assert_eq!(other.open(new_session(1, "alice")).await.position, start);
    assert_eq!(other.cut(of_subject("bob")).await, start.next(), "the other goes on in the new one");
    let part = stage.batch(start, 10).await;
    assert_chained(&part, start);
    assert_eq!((part.prev_tag, part.entries.len()), (ChainTag::genesis(incarnation(7)), 1));
}

async fn of_many_new_incarnations_through_both_one_wins(stage: Stage) {
    let other = stage.beside().await;
    for round in 0..4_u8 {
        stage.cut(of_subject("alice")).await;
        let lost = stage.head().await;
        let results = together_on(&[&stage, &other], 16, |store, n| async move {
            // Half of them write meanwhile: each entry is of the old incarnation or of the new one.
            let start = lost.seq.plus(Seq::JUMP).plus(1_000 * n);
            if n % 4 < 2 {
                done(store.append(vec![cut_off(of_subject("bob"))]).await.unwrap());
                return None;
            }
            let new = incarnation(16 * (round + 1) + u8::try_from(n).unwrap());
            store.reincarnate(lost.incarnation, new, start).await.unwrap().then_some((new, start))
        })
        .await;
        let won: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        let (new, start) = won[0];
        assert_eq!(stage.head().await, other.head().await);
        let part = other.batch(start, usize::MAX).await;
        assert_chained(&part, start);
        assert_eq!((part.head.incarnation, part.prev_tag), (new, ChainTag::genesis(new)));
    }
}

async fn sweeping_through_both_forgets_each_row_once(stage: Stage) {
    const ROWS: u64 = 50;
    let other = stage.beside().await;
    let life = Duration::from_secs(10);
    let end = stage.now().plus(life);
    for n in 0..ROWS {
        stage.open(NewSession { absolute: life, ..new_session(n, "alice") }).await;
        stage.store.put_record(RecordKind::SPENT, &n.to_string(), 0, vec![1], Some(end)).await.unwrap();
    }
    let due = |n| NewEntry { remember_until: end, ..token(n) };
    other.append((0..ROWS).map(due).collect()).await;
    let kept = other.cut(of_subject("alice")).await;
    let before = end.plus(Duration::from_secs(1));
    let swept = together_on(&[&stage, &other], 4, |store, _| async move {
        let mut mine = vec![Swept { sessions: 1, ..Swept::default() }];
        while mine.last().is_some_and(|swept| swept.rows() > 0) {
            mine.push(store.sweep(before, 7).await.unwrap());
            assert!(mine.last().is_some_and(|swept| swept.rows() <= 7));
        }
        mine.split_off(1)
    })
    .await;
    // What one has locked, another may pass over.
    let rest = stage.sweep_all(before, 7).await;
    let sum = |part: fn(&Swept) -> usize| swept.iter().flatten().chain([&rest]).map(part).sum::<usize>() as u64;
    let counts = [sum(|s| s.sessions), sum(|s| s.scopes), sum(|s| s.entries), sum(|s| s.records)];
    assert_eq!(counts, [ROWS; 4], "each once");
    let active: BTreeSet<_> = stage.active().await.into_iter().map(|cut_off| cut_off.seq).collect();
    assert_eq!(active, BTreeSet::from([kept]), "what is not due stays");
    assert_chained(&other.batch(Seq::new(ROWS), 10).await, Seq::new(ROWS));
}

async fn waiting_for_the_log_to_grow_harms_nobody(stage: Stage) {
    let other = stage.beside().await;
    // A wait that is dropped again and again, and one that lasts: a call may end it, or never come.
    let waiting = tokio::spawn({
        let store = Arc::clone(&other.store);
        async move { store.woken().await }
    });
    let end = Seq::new(TASKS);
    let reader = tokio::spawn({
        let store = Arc::clone(&other.store);
        async move {
            while store.health().await.unwrap().seq < end {
                tokio::select! {
                    biased;
                    () = store.woken() => {}
                    () = tokio::task::yield_now() => {}
                }
            }
        }
    });
    together_on(&[&stage], TASKS, |store, n| async move { drop(done(store.append(vec![token(n)]).await.unwrap())) })
        .await;
    reader.await.unwrap();
    waiting.abort();
    assert!(waiting.await.err().is_none_or(|error| error.is_cancelled()), "a wait does not fail");
    assert_eq!(other.cut(of_subject("alice")).await, end.next());
}

async fn a_feed_goes_on_where_it_stood_when_its_opening_is_made_again(stage: Stage) {
    let mut at = (Seq::ZERO, ChainTag::genesis(stage.head().await.incarnation));
    let mut seen = Vec::new();
    for round in 0..8 {
        let other = stage.beside().await;
        let part = other.batch(at.0, 3).await;
        assert_eq!(part.prev_tag, at.1, "round {round}");
        assert_chained(&part, at.0);
        at = (part.entries.last().map_or(at.0, |entry| entry.seq), part.tag);
        seen.extend(part.entries);
        drop(other);
        stage.append((0..2).map(|k| token(2 * round + k)).collect()).await;
    }
    let rest = stage.batch(at.0, usize::MAX).await;
    assert_eq!(rest.prev_tag, at.1);
    seen.extend(rest.entries);
    assert_eq!(stage.log().await, seen, "nothing twice, nothing left out");
}
