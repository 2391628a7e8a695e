//! Several processes on one store, as several handles: what they write at once is one log, with times and ends as one
//! writer's, and who waits is called when it has grown.

use std::sync::Arc;
use std::time::Duration;

use rescind::log::{Entry, NewEntry, Scope};
use rescind::position::Seq;
use rescind::store::{Appended, Store};
use rescind::testing::{ManualClock, cut_off, jti, skip};
use rescind::time::{Clock, Timestamp};
use rescind_test_kit::{Redis, or_skip};

use crate::support::{log_after, open, open_at};

#[tokio::test(flavor = "multi_thread")]
async fn writers_on_three_nodes_make_one_log() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let mut tasks = Vec::new();
    for node in 0..3 {
        let store = open(&server.url()).await;
        for writer in 0..16 {
            let store = Arc::clone(&store);
            tasks.push(tokio::spawn(async move {
                for n in 0..20 {
                    let scope = Scope::token(jti(node * 1_000 + writer * 20 + n));
                    assert!(matches!(store.append(vec![cut_off(scope)]).await.unwrap(), Appended::Done(_)));
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = open(&server.url()).await;
    let batch = log_after(&store, Seq::ZERO).await;
    assert_eq!(batch.entries.len(), 3 * 16 * 20);
    let mut tag = batch.prev_tag;
    let mut at = batch.entries[0].at;
    for entry in &batch.entries {
        tag = tag.next(entry);
        assert!(entry.at >= at, "times do not go back");
        at = entry.at;
    }
    assert_eq!(tag, batch.head.tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_not_older_than_the_stores_time_when_it_was_written() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store = open(&server.url()).await;
    for _ in 0..20 {
        let before = store.health().await.unwrap().now;
        let Appended::Done(entries) = store.append(vec![cut_off(Scope::All)]).await.unwrap() else { panic!("refused") };
        let after = store.health().await.unwrap().now;
        assert!(entries[0].at >= before, "a view would forget it too early");
        assert!(entries[0].at <= after.plus(Duration::from_secs(3)), "and not far ahead");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_is_called_when_the_log_has_grown() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let (here, there) = (open(&server.url()).await, open(&server.url()).await);
    // The first call is that it listens now.
    tokio::time::timeout(Duration::from_secs(10), there.woken()).await.unwrap();
    for n in 0..5 {
        here.append(vec![cut_off(Scope::token(jti(n)))]).await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), there.woken()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_that_no_double_holds_are_kept_exactly_though_the_clock_stepped_back() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let clock = Arc::new(ManualClock::default());
    let store = open_at(&server.url(), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let Appended::Done(first) = store.append(vec![cut_off(Scope::All)]).await.unwrap() else { panic!("refused") };
    let latest = first[0].at;
    clock.step_wall(latest.minus(Duration::from_millis(86_400_001)));
    let most = i64::MAX.unsigned_abs();
    let ends = [0, 7, 999_999_999, 12_345_999_999_999, (1 << 53) + 1, most - 86_400_002, most - 1, most];
    let new = |(end, n)| NewEntry { remember_until: Timestamp::from_millis(end), ..cut_off(Scope::token(jti(n))) };
    let new: Vec<_> = ends.into_iter().zip(0..).map(new).collect();
    let expected: Vec<_> = new
        .iter()
        .cloned()
        .zip(2..)
        .map(|(new, seq)| {
            let entry = Entry::new(Seq::new(seq), clock.wall(), latest, new);
            let remember_until = entry.remember_until.min(Timestamp::from_millis(most));
            Entry { remember_until, ..entry }
        })
        .collect();
    assert_eq!(store.append(new).await.unwrap(), Appended::Done(expected.clone()));
    assert_eq!(log_after(&store, Seq::new(1)).await.entries, expected);
}
