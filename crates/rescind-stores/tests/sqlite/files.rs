//! Files that cannot be served: each is refused with what, where and the remedy, and is left as it was. And what
//! the file is to a person: readable, bounded, and shrinking.

use std::fs;
use std::path::Path;

use rescind::id::SessionId;
use rescind::log::{ChainTag, Entry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Head, Put, Record, RecordKind, Store, StoreError, StoreErrorKind, Swept};
use rescind::testing::{ManualClock, cut_off, jti, new_session, sid};
use rescind::time::Timestamp;

use crate::support::{Scratch, skip};

/// A database with sessions and cut-offs, closed.
async fn furnished() -> Scratch {
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    for n in 0..200 {
        store.open(new_session(n, "alice")).await.unwrap();
        store.append(vec![cut_off(Scope::token(jti(n)))]).await.unwrap();
    }
    scratch
}

/// The file is refused with this kind and words, and afterwards is what it was.
async fn refused(scratch: &Scratch, kind: StoreErrorKind, words: &[&str]) {
    let before = fs::read(scratch.file()).ok();
    let error = scratch.open().await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    names(&error, words);
    assert_eq!(fs::read(scratch.file()).ok(), before, "the file is untouched");
}

fn names(error: &StoreError, words: &[&str]) {
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
}

#[tokio::test]
async fn a_second_store_on_one_file_is_refused() {
    let scratch = furnished().await;
    let store = scratch.open().await.unwrap();
    refused(&scratch, StoreErrorKind::Unavailable, &["rescind.db.lock", "another process", "admin API"]).await;
    let link = scratch.directory().join("link.db");
    std::os::unix::fs::symlink(scratch.file(), &link).unwrap();
    let by_link = rescind_stores::sqlite::SqliteStore::open(&link).await.unwrap_err();
    assert_eq!(by_link.kind(), StoreErrorKind::Unavailable, "{by_link}");
    drop(store);
    scratch.open().await.unwrap();
}

#[tokio::test]
async fn a_file_with_a_damaged_page_is_refused() {
    let scratch = furnished().await;
    let mut bytes = fs::read(scratch.file()).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    fs::write(scratch.file(), &bytes).unwrap();
    refused(&scratch, StoreErrorKind::Corrupt, &["rescind.db", "backup"]).await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let scratch = furnished().await;
    scratch.tool().pragma_update(None, "user_version", 99).unwrap();
    refused(&scratch, StoreErrorKind::Newer, &["rescind.db", "layout 99", "newer"]).await;
}

/// A database as the first released layout made it, with one record, one session's cut-off and its head.
fn of_the_first_layout(scratch: &Scratch) -> Head {
    let incarnation = Incarnation::from_bytes([7; 16]);
    let tool = scratch.tool();
    tool.execute_batch(include_str!("../../src/sqlite/migrations/1.sql")).unwrap();
    let genesis = ChainTag::genesis(incarnation);
    let meta = "INSERT INTO meta (one, incarnation, base_seq, base_tag, probes) VALUES (1, ?1, 0, ?2, 0)";
    tool.execute(meta, (incarnation.as_bytes(), genesis.as_bytes())).unwrap();
    let entry = Entry::new(Seq::new(1), ManualClock::START, Timestamp::EPOCH, cut_off(Scope::token(jti(1))));
    let tag = genesis.next(&entry);
    let log = "INSERT INTO log (seq, at, newest, kind, id, remember_until, reason, actor, tag) \
               VALUES (1, ?1, 1, 'token', ?2, ?3, ?4, ?5, ?6)";
    let millis = |time: Timestamp| i64::try_from(time.as_millis()).unwrap();
    let (at, until) = (millis(entry.at), millis(entry.remember_until));
    let row = (at, jti(1).to_string(), until, entry.reason.as_str(), entry.actor.as_str(), tag.as_bytes());
    tool.execute(log, row).unwrap();
    tool.execute("INSERT INTO records (kind, id, version, body) VALUES ('users', 'alice', 3, X'00ff')", []).unwrap();
    tool.pragma_update(None, "application_id", 0x5273_6364).unwrap();
    tool.pragma_update(None, "user_version", 1).unwrap();
    Head { incarnation, seq: Seq::new(1), tag, now: ManualClock::START }
}

#[tokio::test]
async fn a_file_of_the_first_layout_is_brought_up_to_date_and_keeps_everything() {
    let scratch = Scratch::new();
    let head = of_the_first_layout(&scratch);
    for start in ["migrated", "opened again"] {
        let store = scratch.open().await.unwrap();
        assert_eq!(store.health().await.unwrap(), head, "{start}");
        assert_eq!(store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.len(), 1, "{start}");
        let record = store.record(RecordKind::USERS, "alice").await.unwrap();
        assert_eq!(record, Some(Record { version: 3, body: vec![0, 255], ends: None }), "{start}");
    }
    let layout: i64 = scratch.tool().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(layout, 2);
    let store = scratch.open().await.unwrap();
    let ends = Some(Timestamp::from_millis(5));
    assert_eq!(store.put_record(RecordKind::USERS, "alice", 3, vec![1], ends).await.unwrap(), Put::Written(4));
    let swept = store.sweep(Timestamp::from_millis(6), 10).await.unwrap();
    assert_eq!(swept, Swept { records: 1, ..Swept::default() });
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let scratch = furnished().await;
    let whole = fs::read(scratch.file()).unwrap();
    for length in [whole.len() - 4096, whole.len() / 2, 4096, 512, 50] {
        fs::write(scratch.file(), &whole[..length]).unwrap();
        refused(&scratch, StoreErrorKind::Corrupt, &["rescind.db", "truncated", "backup"]).await;
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let scratch = Scratch::new();
    fs::write(scratch.file(), "a diary\n".repeat(100)).unwrap();
    refused(&scratch, StoreErrorKind::Corrupt, &["rescind.db", "not a SQLite database"]).await;
}

#[tokio::test]
async fn a_database_of_another_application_is_refused() {
    let scratch = Scratch::new();
    scratch.tool().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    refused(&scratch, StoreErrorKind::Unavailable, &["rescind.db", "another application"]).await;
}

#[tokio::test]
async fn a_path_that_cannot_be_opened_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.file()).unwrap();
    refused(&scratch, StoreErrorKind::Unavailable, &["rescind.db"]).await;
    let nowhere = scratch.directory().join("missing/rescind.db");
    let error = rescind_stores::sqlite::SqliteStore::open(&nowhere).await.unwrap_err();
    names(&error, &["missing", "directory"]);
}

#[tokio::test]
async fn an_unreadable_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = furnished().await;
    fs::set_permissions(scratch.file(), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(scratch.file()).is_ok() {
        return skip("an_unreadable_file_is_refused", "root may read everything");
    }
    let error = scratch.open().await.unwrap_err();
    names(&error, &["rescind.db", "read and write"]);
}

#[tokio::test]
async fn an_unreadable_row_names_its_table_column_and_key() {
    let scratch = furnished().await;
    let store = scratch.open().await.unwrap();
    let broken: SessionId = sid(7);
    let tool = scratch.tool();
    tool.execute("UPDATE sessions SET class = 'nonsense' WHERE sid = ?1", [broken.to_string()]).unwrap();
    tool.execute("UPDATE log SET id = 'nonsense' WHERE seq = 5", []).unwrap();
    tool.execute("DELETE FROM log WHERE seq = 9", []).unwrap();
    let error = store.load(broken).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    names(&error, &["table sessions", "column class", &broken.to_string(), ".recover"]);
    assert!(store.load(sid(8)).await.unwrap().is_some(), "the others can be read");
    let error = store.snapshot(Timestamp::EPOCH).await.unwrap_err();
    names(&error, &["table log", "column id", "row 5"]);
    let error = store.after(Seq::new(7), 10).await.unwrap_err();
    names(&error, &["table log", "row 9", "missing"]);
}

#[tokio::test]
async fn a_page_of_garbage_is_corrupt_and_not_an_empty_answer() {
    let scratch = furnished().await;
    let mut bytes = fs::read(scratch.file()).unwrap();
    let pages = bytes.len() / 4096;
    bytes[4096 * 2..4096 * pages].fill(0xA5);
    fs::write(scratch.file(), bytes).unwrap();
    let error = match scratch.open().await {
        Ok(store) => store.snapshot(Timestamp::EPOCH).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    names(&error, &["rescind.db", "backup"]);
}

#[tokio::test]
async fn a_person_can_read_the_file_while_it_is_served() {
    let scratch = furnished().await;
    let store = scratch.open().await.unwrap();
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    let tool = scratch.tool();
    let row: (String, String, String) = tool
        .query_row("SELECT at, act, state FROM log_readable ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!((row.0.as_str(), row.1.as_str(), row.2.as_str()), ("2027-01-15T08:00:00.000Z", "cut-off", "active"));
    let query = "SELECT subject FROM sessions_readable WHERE sid = ?1";
    let subject: String = tool.query_row(query, [sid(3).to_string()], |row| row.get(0)).unwrap();
    assert_eq!(subject, "alice");
}

#[tokio::test]
async fn the_file_shrinks_after_a_sweep() {
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    for part in 0..40 {
        let entries = (0..1_000).map(|n| cut_off(Scope::token(jti(part * 1_000 + n)))).collect();
        store.append(entries).await.unwrap();
    }
    let (store, large) = reopened(store, &scratch).await;
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    while store.sweep(far, 5_000).await.unwrap().rows() == 5_000 {}
    let (store, small) = reopened(store, &scratch).await;
    assert!(small * 3 < large * 2, "{large} bytes, after the sweep {small}");
    let head = store.health().await.unwrap();
    assert_eq!(head.seq, Seq::new(40_000), "the head stays");
}

/// Closes and opens again; the size of the closed file.
async fn reopened(
    store: rescind_stores::sqlite::SqliteStore,
    scratch: &Scratch,
) -> (rescind_stores::sqlite::SqliteStore, u64) {
    drop(store);
    let size = length(&scratch.file());
    assert_eq!(length(&scratch.directory().join("rescind.db-wal")), 0, "a clean end leaves no log behind");
    (scratch.open().await.unwrap(), size)
}

#[tokio::test]
async fn the_write_ahead_log_stays_bounded() {
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    for version in 0..100 {
        store.put_record(RecordKind::USERS, "large", version, vec![7; 1_000_000], None).await.unwrap();
    }
    let log = length(&scratch.directory().join("rescind.db-wal"));
    assert!(log < 24_000_000, "100 MB written, {log} bytes of log");
}

fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}
