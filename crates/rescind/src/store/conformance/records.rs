//! Cases: records, the small documents under compare-and-set.

use super::cases;
use super::stage::{Stage, hostile_names};
use crate::store::{Put, Record, RecordKind};

cases!(
    a_record_is_written_where_its_version_is_the_expected_one,
    a_record_is_created_only_where_there_is_none,
    keeps_any_bytes,
    keeps_ids_and_kinds_apart,
    lists_a_kind_in_the_order_of_its_ids,
);

async fn put(stage: &Stage, id: &str, expected: u64, body: &[u8]) -> Put {
    stage.store.put_record(RecordKind::USERS, id, expected, body.to_vec()).await.unwrap()
}

async fn get(stage: &Stage, id: &str) -> Option<Record> {
    stage.store.record(RecordKind::USERS, id).await.unwrap()
}

fn record(version: u64, body: &[u8]) -> Record {
    Record { version, body: body.to_vec() }
}

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
    stage.store.put_record(RecordKind::NODES, "alice", 0, b"a node".to_vec()).await.unwrap();
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
