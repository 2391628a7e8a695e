//! Cases: records, the small documents under compare-and-set.

use super::cases;
use super::stage::{Stage, hostile_names};
use crate::store::{Put, Record, RecordKind, Swept};
use crate::time::Timestamp;

cases!(
    a_record_is_written_where_its_version_is_the_expected_one,
    a_record_is_created_only_where_there_is_none,
    keeps_any_bytes,
    keeps_ids_and_kinds_apart,
    lists_a_kind_in_the_order_of_its_ids,
    a_put_replaces_the_end_too,
    a_record_past_its_end_is_there_until_it_is_swept,
    a_swept_record_is_as_one_that_was_never_written,
);

async fn put(stage: &Stage, id: &str, expected: u64, body: &[u8]) -> Put {
    stage.store.put_record(RecordKind::USERS, id, expected, body.to_vec(), None).await.unwrap()
}

async fn get(stage: &Stage, id: &str) -> Option<Record> {
    stage.store.record(RecordKind::USERS, id).await.unwrap()
}

fn record(version: u64, body: &[u8]) -> Record {
    Record { version, body: body.to_vec(), ends: None }
}

// holds: R32
async fn a_record_is_written_where_its_version_is_the_expected_one(stage: Stage) {
    assert_eq!(put(&stage, "alice", 0, b"one").await, Put::Written(1));
    assert_eq!(put(&stage, "alice", 1, b"two").await, Put::Written(2));
    assert_eq!(get(&stage, "alice").await, Some(record(2, b"two")));
    for stale in [0, 1, 3, i64::MAX.unsigned_abs()] {
        assert_eq!(put(&stage, "alice", stale, b"no").await, Put::Stale, "from version {stale}");
    }
    assert_eq!(get(&stage, "alice").await, Some(record(2, b"two")), "a stale one writes nothing");
    assert_eq!(put(&stage, "alice", 2, b"two").await, Put::Written(3), "an equal body is a write, too");
}

async fn a_record_is_created_only_where_there_is_none(stage: Stage) {
    assert_eq!(get(&stage, "alice").await, None);
    assert_eq!(put(&stage, "alice", 1, b"no").await, Put::Stale);
    assert_eq!(get(&stage, "alice").await, None);
    assert_eq!(put(&stage, "alice", 0, b"yes").await, Put::Written(1));
    assert_eq!(put(&stage, "alice", 0, b"no").await, Put::Stale);
}

async fn keeps_any_bytes(stage: Stage) {
    let every: Vec<u8> = (0..=255).collect();
    let large = every.repeat(1024);
    for (version, body) in (0..).zip([&[][..], &[0], &every, &large, b"' -- \xff\xfe", &[]]) {
        assert_eq!(put(&stage, "", version, body).await, Put::Written(version + 1));
        assert_eq!(get(&stage, "").await, Some(record(version + 1, body)));
    }
}

async fn keeps_ids_and_kinds_apart(stage: Stage) {
    let names = hostile_names();
    for name in &names {
        assert_eq!(put(&stage, name, 0, name.as_bytes()).await, Put::Written(1), "{name:?}");
    }
    for name in &names {
        assert_eq!(get(&stage, name).await, Some(record(1, name.as_bytes())), "{name:?}");
        for other in [RecordKind::KEYS, RecordKind::SETTINGS, RecordKind::NODES, RecordKind("user")] {
            assert_eq!(stage.store.record(other, name).await.unwrap(), None, "{other:?} {name:?}");
        }
    }
    assert_eq!(stage.store.records(RecordKind::NODES, None, 10).await.unwrap(), []);
}

async fn list(stage: &Stage, after: Option<&str>, limit: usize) -> Vec<(String, Record)> {
    stage.store.records(RecordKind::USERS, after, limit).await.unwrap()
}

async fn lists_a_kind_in_the_order_of_its_ids(stage: Stage) {
    let mut names = hostile_names();
    for name in &names {
        put(&stage, name, 0, name.as_bytes()).await;
    }
    stage.store.put_record(RecordKind::NODES, "alice", 0, b"a node".to_vec(), None).await.unwrap();
    names.sort();
    let every: Vec<_> = names.iter().map(|name| (name.clone(), record(1, name.as_bytes()))).collect();
    assert_eq!(list(&stage, None, usize::MAX).await, every, "by bytes");
    assert_eq!(list(&stage, None, 0).await, []);
    for limit in [1, 2, 7, names.len(), names.len() + 1] {
        let mut seen: Vec<(String, Record)> = Vec::new();
        loop {
            let part = list(&stage, seen.last().map(|(id, _)| id.as_str()), limit).await;
            assert!(part.len() <= limit);
            if part.is_empty() {
                break;
            }
            seen.extend(part);
            assert!(seen.len() <= every.len(), "each is listed once");
        }
        assert_eq!(seen, every, "in parts of {limit}");
    }
    assert_eq!(
        list(&stage, Some("alicf"), 1).await[0].0,
        names[names.iter().position(|name| name.as_str() > "alicf").unwrap()]
    );
}

/// Writes a record that ends.
async fn put_ending(stage: &Stage, id: &str, expected: u64, ends: Option<u64>) -> Put {
    let ends = ends.map(Timestamp::from_millis);
    stage.store.put_record(RecordKind::SPENT, id, expected, id.as_bytes().to_vec(), ends).await.unwrap()
}

/// When the record ends; `None` where there is no record.
async fn ends(stage: &Stage, id: &str) -> Option<Option<u64>> {
    let record = stage.store.record(RecordKind::SPENT, id).await.unwrap();
    record.map(|record| record.ends.map(Timestamp::as_millis))
}

async fn a_put_replaces_the_end_too(stage: Stage) {
    let last = i64::MAX.unsigned_abs();
    for (version, end) in (0..).zip([Some(5), Some(9), None, Some(0), Some(last), None, Some(7)]) {
        assert_eq!(put_ending(&stage, "a", version, end).await, Put::Written(version + 1));
        assert_eq!(ends(&stage, "a").await, Some(end), "exactly");
        let listed = stage.store.records(RecordKind::SPENT, None, 10).await.unwrap();
        assert_eq!(listed[0].1.ends, end.map(Timestamp::from_millis), "in a listing, too");
    }
    assert_eq!(put_ending(&stage, "a", 3, Some(1)).await, Put::Stale);
    assert_eq!(ends(&stage, "a").await, Some(Some(7)), "a stale one leaves the end");
}

async fn a_record_past_its_end_is_there_until_it_is_swept(stage: Stage) {
    let now = stage.now().as_millis();
    put_ending(&stage, "a", 0, Some(now + 1_000)).await;
    stage.pass(3_600);
    assert_eq!(ends(&stage, "a").await, Some(Some(now + 1_000)), "whoever reads it judges");
    assert_eq!(stage.store.records(RecordKind::SPENT, None, 10).await.unwrap().len(), 1);
    assert_eq!(put_ending(&stage, "a", 0, Some(now + 2_000)).await, Put::Stale, "its name is taken");
    assert_eq!(put_ending(&stage, "a", 1, Some(now + 2_000)).await, Put::Written(2));
}

async fn a_swept_record_is_as_one_that_was_never_written(stage: Stage) {
    put_ending(&stage, "a", 0, Some(1)).await;
    assert_eq!(put_ending(&stage, "a", 1, Some(10)).await, Put::Written(2));
    let swept = stage.store.sweep(Timestamp::from_millis(11), 10).await.unwrap();
    assert_eq!(swept, Swept { records: 1, ..Swept::default() });
    assert_eq!(ends(&stage, "a").await, None);
    assert_eq!(stage.store.records(RecordKind::SPENT, None, 10).await.unwrap(), []);
    assert_eq!(put_ending(&stage, "a", 2, Some(20)).await, Put::Stale);
    assert_eq!(put_ending(&stage, "a", 0, Some(20)).await, Put::Written(1));
    assert_eq!(stage.store.sweep(Timestamp::from_millis(11), 10).await.unwrap(), Swept::default(), "a life of its own");
    assert_eq!(ends(&stage, "a").await, Some(Some(20)));
}
