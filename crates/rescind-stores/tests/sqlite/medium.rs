//! Disks that are full, refuse a write, or fail to flush. The faults are made by `medium.c`, which is preloaded into a
//! child that runs this binary again: SQLite and the kernel between it and the test are the real ones.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::store::{Appended, Record, RecordKind, Store, StoreErrorKind};
use rescind::testing::{cut_off, jti, new_session, sid};
use rescind_stores::sqlite::SqliteStore;

use crate::support::{Scratch, log_after, skip};

const FAULTS: &str = "RESCIND_TEST_FAULTS";

/// Runs the test again in a child with a disk that can fail; `None` in the parent, which has then seen it pass or skipped it.
fn faults(test: &str) -> Option<Faults> {
    if let Some(directory) = std::env::var_os(FAULTS) {
        return Some(Faults(PathBuf::from(directory)));
    }
    let scratch = tempfile::tempdir().unwrap();
    let library = scratch.path().join("medium.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlite/medium.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    if !cfg!(target_os = "linux") || !built.is_ok_and(|status| status.success()) {
        skip(test, "needs Linux and a C compiler named cc");
        return None;
    }
    let directory = scratch.path().join("faults");
    std::fs::create_dir(&directory).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("medium::{test}"), "--exact", "--nocapture"])
        .env("LD_PRELOAD", library)
        .env(FAULTS, directory)
        .status()
        .unwrap();
    assert!(child.success(), "{test} failed on the failing disk: {child}");
    None
}

struct Faults(PathBuf);

impl Faults {
    fn begin(&self, fault: &str) {
        File::create(self.0.join(fault)).unwrap();
    }

    fn end(&self, fault: &str) {
        std::fs::remove_file(self.0.join(fault)).unwrap();
    }
}

async fn revoke(store: &SqliteStore, n: u64) -> Result<Seq, StoreErrorKind> {
    match store.append(vec![cut_off(Scope::token(jti(n)))]).await {
        Ok(Appended::Done(entries)) => Ok(entries[0].seq),
        Ok(Appended::Conflict { .. }) => panic!("a cut-off never conflicts"),
        Err(error) => Err(error.kind()),
    }
}

/// After `fault`, nothing is acknowledged on this handle, even when the disk works again; a new handle has what was acknowledged.
async fn breaks_the_handle(faults: &Faults, fault: &str) {
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    assert_eq!(revoke(&store, 1).await, Ok(Seq::new(1)));
    faults.begin(fault);
    assert_eq!(revoke(&store, 2).await, Err(StoreErrorKind::Broken));
    faults.end(fault);
    assert_silent(&store).await;
    drop(store);
    let store = scratch.open().await.unwrap();
    let log = log_after(&store, Seq::ZERO).await.entries;
    assert_eq!(log[0].scope, Scope::token(jti(1)));
    assert!(store.load(sid(1)).await.unwrap().is_some());
    let next = revoke(&store, 3).await.unwrap();
    assert_eq!(next.get(), 1 + log.len() as u64, "the unanswered one happened whole or not at all");
}

async fn assert_silent(store: &SqliteStore) {
    let broken = Some(StoreErrorKind::Broken);
    assert_eq!(revoke(store, 3).await.err(), broken);
    assert_eq!(store.load(sid(1)).await.map_err(|error| error.kind()).err(), broken);
    assert_eq!(store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.map_err(|e| e.kind()).err(), broken);
    let health = store.health().await.unwrap_err();
    assert_eq!(health.kind(), StoreErrorKind::Broken);
    assert!(health.to_string().contains("restart the process"), "{health}");
}

#[tokio::test]
async fn after_a_failed_flush_the_handle_acknowledges_nothing() {
    let Some(faults) = faults("after_a_failed_flush_the_handle_acknowledges_nothing") else { return };
    breaks_the_handle(&faults, "flush").await;
}

#[tokio::test]
async fn after_a_failed_write_the_handle_acknowledges_nothing() {
    let Some(faults) = faults("after_a_failed_write_the_handle_acknowledges_nothing") else { return };
    breaks_the_handle(&faults, "write").await;
}

// holds: R30
#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let Some(faults) = faults("a_full_disk_refuses_writes_until_there_is_room") else { return };
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    assert_eq!(revoke(&store, 1).await, Ok(Seq::new(1)));
    faults.begin("full");
    assert_eq!(revoke(&store, 2).await, Err(StoreErrorKind::Full));
    let health = store.health().await.unwrap_err();
    assert_eq!(health.kind(), StoreErrorKind::Full);
    assert!(health.to_string().contains("Free space"), "{health}");
    assert!(store.load(sid(1)).await.unwrap().is_some(), "what is there can still be read");
    faults.end("full");
    assert_eq!(store.health().await.unwrap().seq, Seq::new(1), "without anybody's write");
    assert_eq!(revoke(&store, 3).await, Ok(Seq::new(2)), "the refused one left no gap");
}

#[tokio::test]
async fn after_a_checkpoint_that_was_not_flushed_the_handle_acknowledges_nothing() {
    let name = "after_a_checkpoint_that_was_not_flushed_the_handle_acknowledges_nothing";
    let Some(faults) = faults(name) else { return };
    let scratch = Scratch::new();
    let store = scratch.open().await.unwrap();
    faults.begin("flush-database");
    let body = vec![7; 1_000_000];
    // 16 MB in the log bring a checkpoint on; all that was acknowledged before it stays in the log.
    let mut written = 0;
    while store.put_record(RecordKind::USERS, &written.to_string(), 0, body.clone(), None).await.is_ok() {
        written += 1;
        assert!(written < 40, "a checkpoint came");
    }
    assert_silent(&store).await;
    faults.end("flush-database");
    drop(store);
    let store = scratch.open().await.unwrap();
    for n in 0..written {
        let record = store.record(RecordKind::USERS, &n.to_string()).await.unwrap();
        assert_eq!(record, Some(Record { version: 1, body: body.clone(), ends: None }));
    }
}
