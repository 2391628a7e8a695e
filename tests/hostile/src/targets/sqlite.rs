//! An SQLite database in which a value was changed by another hand. Whatever is read from it is a value or an error that
//! says where; opening it again says the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rescind::log::Scope;
use rescind::position::Seq;
use rescind::store::{Appended, Page, RecordKind, Store, StoreError, StoreErrorKind};
use rescind::testing::{ManualClock, SeededRandom, cut_off, lift, new_session, sid, subject};
use rescind::time::Timestamp;
use rescind_stores::sqlite::SqliteStore;
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A table's column, a line; then the value: `i` and digits, `t` and text, `b` and bytes, `n`.
pub(super) fn sqlite(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(place), Some(value)) = (lines.next().and_then(crate::dice::text), lines.next()) else { return };
    let Some((table, column)) = place.split_once('.') else { return };
    let name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if !name(table) || !name(column) {
        return;
    }
    let value = match value.split_first() {
        Some((b'i', digits)) => crate::dice::text(digits).and_then(|text| text.parse().ok()).map(Value::Integer),
        Some((b't', text)) => crate::dice::text(text).map(|text| Value::Text(text.to_owned())),
        Some((b'b', bytes)) => Some(Value::Blob(bytes.to_vec())),
        Some((b'n', _)) => Some(Value::Null),
        _ => None,
    };
    let Some(value) = value else { return };
    let folder = super::scratch();
    let path = folder.path().join("rescind.db");
    std::fs::copy(template(), &path).unwrap();
    let damage = |connection: &Connection| {
        // What the schema itself refuses, such as a text in a column of numbers, no hand but that of a hex editor writes.
        connection.execute(&format!("UPDATE {table} SET {column} = ?1"), [&value]).is_ok()
    };
    let connection = Connection::open(&path).unwrap();
    let damaged = damage(&connection);
    drop(connection);
    if damaged {
        runtime().block_on(read_all(&path));
    }
}

async fn read_all(path: &Path) {
    let clock = Arc::new(ManualClock::default());
    let store = match SqliteStore::open_with(path, clock, &SeededRandom::new(1)).await {
        Ok(store) => store,
        Err(error) => return told(&error),
    };
    let mut errors = Vec::new();
    let mut note = |error: Option<StoreError>| errors.extend(error);
    note(store.health().await.err());
    note(store.snapshot(Timestamp::EPOCH).await.err());
    for after in [0, 1, 4, u64::MAX] {
        note(store.after(Seq::new(after), usize::MAX).await.err());
    }
    for n in 1..=2 {
        note(store.load(sid(n)).await.err());
    }
    note(store.sessions_of(&subject("alice"), Page { after: None, limit: 10 }).await.err());
    note(store.record(RecordKind::USERS, "alice").await.err());
    note(store.records(RecordKind::USERS, None, 10).await.err());
    note(store.append(vec![cut_off(Scope::Subject(subject("bob")))]).await.err());
    note(store.open(new_session(9, "carol")).await.err());
    note(store.sweep(Timestamp::from_millis(i64::MAX.unsigned_abs()), 100).await.err());
    errors.iter().for_each(told);
}

/// An error that says what and where.
fn told(error: &StoreError) {
    let text = error.to_string();
    assert!(
        matches!(
            error.kind(),
            StoreErrorKind::Corrupt | StoreErrorKind::Newer | StoreErrorKind::Full | StoreErrorKind::Unavailable
        ),
        "{text}"
    );
    assert!(text.len() > "store corrupt during load: ".len(), "{text}");
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap())
}

/// A database with two sessions, a lifted and an active cut-off, and a record.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = TEMPLATE.get_or_init(|| {
        let folder = super::scratch();
        let path = folder.path().join("template.db");
        runtime().block_on(fill(&path));
        // The owner thread checkpoints when it ends; this connection waits for it.
        let connection = Connection::open(&path).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        (folder, path)
    });
    path
}

async fn fill(path: &Path) {
    let clock = Arc::new(ManualClock::default());
    let store = SqliteStore::open_with(path, clock, &SeededRandom::new(1)).await.unwrap();
    let scope = || Scope::Subject(subject("alice"));
    for n in 1..=2 {
        store.open(new_session(n, "alice")).await.unwrap();
    }
    let appended = store.append(vec![cut_off(scope()), lift(scope(), Seq::new(1)), cut_off(Scope::All)]).await.unwrap();
    assert!(matches!(appended, Appended::Done(_)));
    store.put_record(RecordKind::USERS, "alice", 0, b"{}".to_vec(), None).await.unwrap();
}
