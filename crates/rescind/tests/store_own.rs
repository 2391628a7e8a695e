//! The store that the documentation shows as one's own passes the store contract in full, keeps what it acknowledged
//! through a torn end, and refuses what it cannot keep.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../examples/own_store/journal.rs"]
#[expect(unreachable_pub, reason = "it is shown as a crate of its own would have it")]
mod journal;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use journal::JournalStore;
use rescind::keys::RootSecret;
use rescind::log::{Scope, Text};
use rescind::position::Seq;
use rescind::random::SystemRandom;
use rescind::store::conformance::{self, Durability, Home};
use rescind::store::{FailingStore, Store, StoreErrorKind};
use rescind::testing::{ManualClock, client, cut_off, subject};
use rescind::time::{Clock, Timestamp};
use rescind::{Error, LogoutScope, OpenSession, Refresh, Rescind};
use tempfile::TempDir;

struct Plain(TempDir);

impl Plain {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("rescind.jsonl")
    }

    fn open(&self) -> Result<JournalStore, rescind::store::StoreError> {
        JournalStore::open_with(self.file(), Arc::new(ManualClock::default()), &SystemRandom)
    }

    /// Opens it, once a call that nobody waits for any more has let go of it.
    async fn open_at(&self, clock: Arc<dyn Clock>) -> Arc<JournalStore> {
        let opened = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                match JournalStore::open_with(self.file(), Arc::clone(&clock), &SystemRandom) {
                    Err(error) if error.kind() == StoreErrorKind::Unavailable => tokio::task::yield_now().await,
                    opened => return opened,
                }
            }
        });
        Arc::new(opened.await.unwrap().unwrap())
    }
}

#[async_trait]
impl Home for Plain {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        self.open_at(clock).await
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

struct Wrapped(Plain);

#[async_trait]
impl Home for Wrapped {
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(FailingStore::new(self.0.open_at(clock).await))
    }

    fn durability(&self) -> Durability {
        Durability::Keeps
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_ones_own_keeps_the_contract() {
    conformance::run(Plain::new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_ones_own_behind_a_failing_one_keeps_the_contract() {
    conformance::run(|| Wrapped(Plain::new())).await;
}

#[tokio::test]
async fn a_torn_last_line_is_dropped_wherever_it_was_cut() {
    let home = Plain::new();
    let store = home.open().unwrap();
    store.append(vec![cut_off(Scope::Subject(subject("alice")))]).await.unwrap();
    let before = (store.health().await.unwrap(), fs::read(home.file()).unwrap());
    store.append(vec![cut_off(Scope::All)]).await.unwrap();
    drop(store);
    let whole = fs::read(home.file()).unwrap();
    for length in before.1.len()..whole.len() {
        fs::write(home.file(), whole.get(..length).unwrap()).unwrap();
        let store = home.open().unwrap();
        assert_eq!(store.health().await.unwrap(), before.0, "cut at {length}");
        drop(store);
        assert_eq!(fs::read(home.file()).unwrap(), before.1, "cut at {length}");
    }
}

#[tokio::test]
async fn a_line_that_is_none_of_ours_is_named() {
    let home = Plain::new();
    drop(home.open().unwrap());
    let mut text = fs::read_to_string(home.file()).unwrap();
    text.push_str("a diary\nwithout an end");
    fs::write(home.file(), &text).unwrap();
    let Err(error) = home.open() else { panic!("opened") };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("rescind.jsonl: line 2: "), "{error}");
    assert_eq!(fs::read_to_string(home.file()).unwrap(), text, "it is left as it was");
}

#[tokio::test]
async fn a_file_without_one_whole_line_is_begun_anew_only_where_it_was_ours() {
    let home = Plain::new();
    drop(home.open().unwrap());
    let begin = fs::read(home.file()).unwrap();
    for length in 0..begin.len() {
        fs::write(home.file(), begin.get(..length).unwrap()).unwrap();
        assert_eq!(home.open().unwrap().health().await.unwrap().seq, Seq::ZERO, "cut at {length}");
    }
    for text in ["a photograph", "{\"Bread\":1}", "\0"] {
        fs::write(home.file(), text).unwrap();
        let Err(error) = home.open() else { panic!("{text:?} was thrown away") };
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        assert_eq!(fs::read_to_string(home.file()).unwrap(), text, "it is left as it was");
    }
}

#[tokio::test]
async fn a_second_store_on_one_file_is_refused() {
    let home = Plain::new();
    let store = home.open().unwrap();
    let Err(error) = home.open() else { panic!("opened twice") };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    drop(store);
    home.open().unwrap();
}

/// Names the journal to the child of [`after_a_write_that_fails_nothing_is_acknowledged`].
const CHILD: &str = "RESCIND_TEST_JOURNAL";

/// Started as a test of its own it has nothing to do; as the child, it writes until the medium refuses.
#[tokio::test]
async fn a_child_writes_until_its_file_may_not_grow() {
    let Some(file) = std::env::var_os(CHILD) else { return };
    let store = JournalStore::open(file).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.append(vec![cut_off(Scope::Subject(subject("alice")))]).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 100_000, "the file may grow");
    };
    assert_eq!(error.kind(), StoreErrorKind::Broken, "{error}");
    let error = store.append(vec![]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Broken, "{error}");
    assert_eq!(store.health().await.unwrap_err().kind(), StoreErrorKind::Broken);
    assert!(store.snapshot(Timestamp::EPOCH).await.is_ok(), "what is known can be read");
    println!("acknowledged {acknowledged}.");
}

#[tokio::test]
async fn after_a_write_that_fails_nothing_is_acknowledged() {
    let home = Plain::new();
    // A limit of a few kilobytes on every file of the child, whose writes then fail instead of killing it.
    let limited =
        "trap '' XFSZ; ulimit -f 16; exec \"$0\" --exact a_child_writes_until_its_file_may_not_grow --nocapture";
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, home.file())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let (_, rest) = said.split_once("acknowledged ").unwrap();
    let acknowledged: u64 = rest.split_once('.').unwrap().0.parse().unwrap();
    assert!(acknowledged > 0, "{said}");
    let torn = fs::read(home.file()).unwrap();
    assert_ne!(torn.last(), Some(&b'\n'), "the last line is torn");
    assert_eq!(home.open().unwrap().health().await.unwrap().seq, Seq::new(acknowledged));
}

#[tokio::test]
async fn a_handle_runs_on_it_and_a_logout_outlives_a_restart() {
    let home = Plain::new();
    let rescind = async || {
        let store = JournalStore::open(home.file()).unwrap();
        let builder = Rescind::builder("https://login.example", "https://api.example").store(store);
        builder.root_secret(RootSecret::from_bytes([7; 32])).build().await.unwrap()
    };
    let before = rescind().await;
    let [alice, bob] = ["alice", "bob"].map(|name| OpenSession::new(subject(name), client("app")));
    let (alice, bob) = (before.open_session(alice).await.unwrap(), before.open_session(bob).await.unwrap());
    before.logout(&alice.refresh_token, LogoutScope::Session, Text::new("alice").unwrap()).await.unwrap();
    drop(before);
    // The tasks of the handle let go of the file a moment later.
    home.open_at(Arc::new(ManualClock::default())).await;
    let after = rescind().await;
    assert!(matches!(after.check(&alice.access_token).await, Err(Error::Rejected(_))));
    assert!(matches!(after.refresh(&alice.refresh_token, Refresh::default()).await, Err(Error::Rejected(_))));
    assert!(after.check(&bob.access_token).await.is_ok());
}
