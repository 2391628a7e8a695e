//! What the tests of the Postgres store share: a server, schemas of one's own, and what they read through the store.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rescind::log::{Entry, NewEntry};
use rescind::position::Seq;
use rescind::random::SystemRandom;
use rescind::store::{Appended, Batch, Feed, Store, StoreError};
use rescind::testing::skip;
use rescind::time::Clock;
use rescind_stores::postgres::PostgresStore;
use rescind_test_kit::{Postgres, or_skip};

/// A server; `None` where there can be none, which is told.
pub(crate) fn server() -> Option<Postgres> {
    or_skip(Postgres::start(), skip)
}

/// The URL with a schema that nobody else has.
pub(crate) fn fresh(url: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    in_schema(url, &format!("s{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

/// The URL with this schema.
pub(crate) fn in_schema(url: &str, schema: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}schema={schema}")
}

/// Opens the store by the database's clock.
pub(crate) async fn open(url: &str) -> Result<Arc<PostgresStore>, StoreError> {
    PostgresStore::open(url).await.map(Arc::new)
}

/// Opens the store by this clock.
pub(crate) async fn open_at(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<PostgresStore>, StoreError> {
    PostgresStore::open_with(url, Some(clock), &SystemRandom).await.map(Arc::new)
}

/// The log after a position, which must be there.
pub(crate) async fn log_after(store: &PostgresStore, after: Seq) -> Batch {
    match store.after(after, usize::MAX).await.unwrap() {
        Feed::Batch(batch) => batch,
        Feed::Gone(head) => panic!("the log after {after} is gone; head {head:?}"),
    }
}

/// Appends one entry that must fit.
pub(crate) async fn append(store: &PostgresStore, entry: NewEntry) -> Result<Entry, StoreError> {
    match store.append(vec![entry]).await? {
        Appended::Done(mut entries) => Ok(entries.remove(0)),
        Appended::Conflict { newest } => panic!("refused what fits; newest is {newest:?}"),
    }
}

/// How long the future took, with what it gave.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let begun = now();
    (future.await, begun.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a limit on another process is in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Asks again and again until `look` says yes; the deadline fails the test.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    let waited = tokio::time::timeout(rescind_test_kit::DEADLINE, async {
        while !look().await {
            looks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}
