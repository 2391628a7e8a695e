//! Cases: forgetting. Never early, in bounded steps, and without a hole in the log.

use std::time::Duration;

use super::cases;
use super::stage::{Stage, assert_chained, of_subject};
use crate::log::{ChainTag, NewEntry, Scope};
use crate::position::Seq;
use crate::session::NewSession;
use crate::store::{Put, RecordKind, Swept};
use crate::testing::{ManualClock, cut_off, jti, lift, new_session, sid};
use crate::time::Timestamp;

cases!(
    sweeps_nothing_of_an_empty_store,
    forgets_a_session_after_its_absolute_end_and_not_at_it,
    forgets_a_scope_after_its_last_moment_and_not_at_it,
    a_scopes_newest_entry_decides_how_long_it_is_kept,
    the_log_is_forgotten_from_the_front_only,
    head_and_tag_outlive_everything,
    sweeps_in_bounded_steps,
    a_swept_scope_can_be_cut_off_again,
    forgets_a_record_after_its_end_and_not_at_it,
);

/// `seconds` after the clock's start.
fn at(seconds: u64) -> Timestamp {
    ManualClock::START.plus(Duration::from_secs(seconds))
}

fn until(entry: NewEntry, seconds: u64) -> NewEntry {
    NewEntry { remember_until: at(seconds), ..entry }
}

/// A cut-off on the `n`-th token.
fn token(n: u64, seconds: u64) -> NewEntry {
    until(cut_off(Scope::token(jti(n))), seconds)
}

async fn sweep(stage: &Stage, before: Timestamp, limit: usize) -> Swept {
    stage.store.sweep(before, limit).await.unwrap()
}

/// Writes a record that was not there.
async fn record(stage: &Stage, kind: RecordKind, id: &str, ends: Option<Timestamp>) {
    let put = stage.store.put_record(kind, id, 0, vec![1], ends).await.unwrap();
    assert_eq!(put, Put::Written(1), "{id}");
}

async fn active(stage: &Stage) -> Vec<Seq> {
    stage.active().await.into_iter().map(|cut_off| cut_off.seq).collect()
}

async fn sweeps_nothing_of_an_empty_store(stage: Stage) {
    let head = stage.head().await;
    assert_eq!(sweep(&stage, at(1 << 30), usize::MAX).await, Swept::default());
    assert_eq!(stage.head().await, head);
}

async fn forgets_a_session_after_its_absolute_end_and_not_at_it(stage: Stage) {
    let life = |n, seconds| NewSession { absolute: Duration::from_secs(seconds), ..new_session(n, "alice") };
    for (n, seconds) in [(1, 100), (2, 50), (3, 200)] {
        stage.open(life(n, seconds)).await;
    }
    stage.open(NewSession { idle: Duration::from_secs(1), ..life(4, 200) }).await;
    stage.pass(1_000);
    assert_eq!(sweep(&stage, at(100), 100).await, Swept { sessions: 1, ..Swept::default() });
    assert_eq!(stage.store.load(sid(2)).await.unwrap(), None);
    for kept in [1, 3, 4] {
        stage.load(sid(kept)).await;
    }
    let just_after = Timestamp::from_millis(at(100).as_millis() + 1);
    assert_eq!(sweep(&stage, just_after, 100).await, Swept { sessions: 1, ..Swept::default() });
    assert_eq!(stage.store.load(sid(1)).await.unwrap(), None);
    stage.load(sid(4)).await;
}

async fn forgets_a_scope_after_its_last_moment_and_not_at_it(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let seq = stage.append(vec![until(cut_off(of_subject("alice")), 100)]).await[0].seq;
    stage.pass(1_000);
    assert_eq!(sweep(&stage, at(100), 100).await, Swept::default(), "only `before` decides, not the clock");
    assert_eq!(stage.covered(sid(1)).await, Some(seq));
    let just_after = Timestamp::from_millis(at(100).as_millis() + 1);
    assert_eq!(sweep(&stage, just_after, 100).await, Swept { scopes: 1, entries: 1, ..Swept::default() });
    assert_eq!(stage.covered(sid(1)).await, None);
    assert_eq!(active(&stage).await, []);
}

// holds: R19
async fn a_scopes_newest_entry_decides_how_long_it_is_kept(stage: Stage) {
    let scope = || of_subject("alice");
    stage.append(vec![until(cut_off(scope()), 10), until(cut_off(scope()), 100)]).await;
    assert_eq!(sweep(&stage, at(50), 100).await, Swept { entries: 1, ..Swept::default() });
    assert_eq!(active(&stage).await, [Seq::new(2)], "renewed for longer");
    stage.append(vec![until(cut_off(scope()), 20)]).await;
    assert_eq!(sweep(&stage, at(50), 100).await, Swept::default(), "kept as long as the one that it superseded");
    assert_eq!(active(&stage).await, [Seq::new(3)]);
    stage.append(vec![until(cut_off(of_subject("bob")), 20)]).await;
    stage.append(vec![until(lift(of_subject("bob"), Seq::new(4)), 90)]).await;
    assert_eq!(sweep(&stage, at(50), 100).await, Swept::default(), "a lift is kept as any entry");
    let newest = stage.refused(vec![lift(of_subject("bob"), Seq::new(4))]).await;
    assert_eq!(newest.map(|newest| newest.seq), Some(Seq::new(5)));
}

async fn the_log_is_forgotten_from_the_front_only(stage: Stage) {
    let log = stage.append([50, 10, 30, 90, 20, 60].into_iter().zip(1..).map(|(end, n)| token(n, end)).collect()).await;
    let whole = stage.batch(Seq::ZERO, 10).await;
    // The second's time is over, but the first stands before it.
    assert_eq!(sweep(&stage, at(11), 100).await, Swept { scopes: 1, ..Swept::default() });
    assert_eq!(stage.batch(Seq::ZERO, 10).await, whole, "the log stays whole");
    assert_eq!(sweep(&stage, at(70), 100).await, Swept { scopes: 4, entries: 3, ..Swept::default() });
    for after in 0..3 {
        assert_eq!(stage.gone(Seq::new(after)).await, stage.head().await, "after {after}");
    }
    let rest = stage.batch(Seq::new(3), 10).await;
    assert_chained(&rest, Seq::new(3));
    assert_eq!(rest.entries, log[3..], "to the first that is kept");
    let tag = log[..3].iter().fold(whole.prev_tag, ChainTag::next);
    assert_eq!((rest.prev_tag, rest.tag), (tag, whole.tag), "the tag before the first is known");
    assert_eq!(active(&stage).await, [Seq::new(4)]);
}

async fn head_and_tag_outlive_everything(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    stage.append((1..=5).map(|n| token(n, 10)).collect()).await;
    let head = stage.head().await;
    let swept = sweep(&stage, at(60 * 60 * 24 * 365), 100).await;
    assert_eq!(swept, Swept { sessions: 1, scopes: 5, entries: 5, records: 0 });
    assert_eq!(stage.head().await, head);
    let batch = stage.batch(head.seq, 10).await;
    assert_eq!(
        (batch.prev_tag, batch.tag, batch.entries.len()),
        (head.tag, head.tag, 0),
        "a reader at the head goes on"
    );
    for after in 0..5 {
        stage.gone(Seq::new(after)).await;
    }
    let next = stage.append(vec![token(9, 1 << 30)]).await;
    assert_eq!(next[0].seq, head.seq.next(), "positions are not used again");
    let batch = stage.batch(head.seq, 10).await;
    assert_eq!((batch.prev_tag, &batch.entries), (head.tag, &next));
    assert_eq!(stage.head().await.tag, head.tag.next(&next[0]));
    assert_eq!(stage.open(new_session(2, "alice")).await.position, next[0].seq);
}

async fn sweeps_in_bounded_steps(stage: Stage) {
    for limit in [1, 3, 7, 1_000] {
        let base = stage.head().await.seq.get();
        for n in 1..=5 {
            let life = Duration::from_secs(10);
            stage.open(NewSession { absolute: life, ..new_session(base + n, "alice") }).await;
            record(&stage, RecordKind::SPENT, &n.to_string(), Some(at(10))).await;
        }
        let kept = stage.append((1..=6).map(|n| token(base + n, if n == 6 { 1 << 30 } else { 10 })).collect()).await;
        assert_eq!(sweep(&stage, at(1_000), 0).await, Swept::default(), "a limit of nothing forgets nothing");
        let total = stage.sweep_all(at(1_000), limit).await;
        assert_eq!(sweep(&stage, at(1_000), 1_000).await, Swept::default(), "below the limit, nothing more was due");
        assert_eq!(total, Swept { sessions: 5, scopes: 5, entries: 5, records: 5 }, "in steps of {limit}");
        // Makes the entry that was kept due, so that the next round starts with a log of its own.
        let (scope, seq) = (kept[5].scope.clone(), kept[5].seq);
        assert_eq!(active(&stage).await.last(), Some(&seq), "{scope}");
        assert_eq!(sweep(&stage, at(1 << 31), 10).await, Swept { scopes: 1, entries: 1, ..Swept::default() });
        stage.pass(1);
    }
}

async fn a_swept_scope_can_be_cut_off_again(stage: Stage) {
    let seq = stage.append(vec![until(cut_off(of_subject("alice")), 10)]).await[0].seq;
    sweep(&stage, at(11), 100).await;
    assert_eq!(stage.refused(vec![lift(of_subject("alice"), seq)]).await, None, "what is forgotten cannot be lifted");
    stage.open(new_session(1, "alice")).await;
    let again = stage.cut(of_subject("alice")).await;
    assert_eq!(again, seq.next());
    assert_eq!(stage.covered(sid(1)).await, Some(again));
}

async fn forgets_a_record_after_its_end_and_not_at_it(stage: Stage) {
    record(&stage, RecordKind::SPENT, "late", Some(at(200))).await;
    record(&stage, RecordKind::SPENT, "due", Some(at(100))).await;
    record(&stage, RecordKind::PROVIDER_SESSIONS, "due", Some(at(100))).await;
    record(&stage, RecordKind::SPENT, "never", None).await;
    record(&stage, RecordKind::USERS, "due", None).await;
    stage.pass(1_000);
    assert_eq!(sweep(&stage, at(100), 100).await, Swept::default(), "only `before` decides, not the clock");
    let just_after = Timestamp::from_millis(at(100).as_millis() + 1);
    assert_eq!(sweep(&stage, just_after, 1).await, Swept { records: 1, ..Swept::default() }, "in bounded steps");
    assert_eq!(sweep(&stage, just_after, 100).await, Swept { records: 1, ..Swept::default() }, "of every kind");
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    assert_eq!(stage.sweep_all(far, 1).await, Swept { records: 1, ..Swept::default() });
    let left = [(RecordKind::SPENT, "never"), (RecordKind::USERS, "due")];
    for (kind, id) in left {
        let record = stage.store.record(kind, id).await.unwrap();
        assert_eq!(record.map(|record| record.ends), Some(None), "{kind:?} {id}: what has no end stays");
    }
    assert_eq!(stage.store.records(RecordKind::SPENT, None, 10).await.unwrap().len(), 1);
    assert_eq!(stage.store.records(RecordKind::PROVIDER_SESSIONS, None, 10).await.unwrap(), []);
}
