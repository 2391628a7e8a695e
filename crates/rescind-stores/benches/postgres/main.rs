//! What the Postgres store does per second with one writer and with 64, beside a naked loop of single durable writes of
//! the same rows on one connection, in the same run; the bytes of a session and of a revocation; and how long a snapshot
//! of a million cut-offs takes. Starts a server of its own.
//!
//! Arguments name the figures: `cargo bench -p rescind-stores --features postgres --bench postgres -- revocations`.
#![expect(clippy::expect_used, reason = "a bench that cannot run says so and stops")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod naked;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rescind::id::{Jti, SessionId};
use rescind::log::Scope;
use rescind::position::Generation;
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Appended, Store};
use rescind::testing::{cut_off, new_session, sid};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::postgres::PostgresStore;
use rescind_test_kit::Postgres;

/// The store and the loop take turns, so that what else the machine does hits both.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(400);
const SESSIONS: u64 = 20_000;
const MILLION: u64 = 1_000_000;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// One cut-off on one token.
    Revoke,
    /// One rotation of one session.
    Refresh,
}

impl Load {
    const fn name(self) -> &'static str {
        match self {
            Self::Revoke => "revocations",
            Self::Refresh => "refreshes",
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let server = Postgres::start().expect("a server");
    let only: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
    let store = Arc::new(runtime.block_on(PostgresStore::open(&server.url())).expect("a store"));
    runtime.block_on(furnish(&store));
    if wanted("bytes") {
        // Before they are refreshed: what a refresh leaves behind is vacuumed away, and belongs to no session.
        let of_a_row = |table: &str| {
            let sql = format!("select pg_total_relation_size('{table}') / (select count(*)::float from {table})");
            server.psql(&sql).expect("a size")
        };
        println!("figure Postgres: a session, table and indices = {} B", of_a_row("rescind.sessions"));
        runtime.block_on(write_off(&store));
        println!("figure Postgres: a revocation, table and indices = {} B", of_a_row("rescind.log"));
    }
    let naked = runtime.block_on(naked::Loop::open(&server.superuser_url_of("rescind")));
    for load in [Load::Revoke, Load::Refresh].into_iter().filter(|load| wanted(load.name())) {
        let mut of_naked = Vec::new();
        for writers in [1, 64] {
            let mut of_store = Vec::new();
            for _ in 0..TURNS {
                of_store.push(runtime.block_on(rate(&store, load, writers)));
                of_naked.push(runtime.block_on(naked.rate(load)));
            }
            let store = median(of_store);
            println!("figure Postgres: {} at the store, {writers} writers = {store:.0} /s", load.name());
        }
        println!("figure Postgres: {}, naked loop of one = {:.0} /s", load.name(), median(of_naked));
    }
    if wanted("snapshot") {
        runtime.block_on(million(&server));
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// Opens the sessions that are refreshed.
async fn furnish(store: &Arc<PostgresStore>) {
    for first in (0..SESSIONS).step_by(500) {
        let open = |n| NewSession { id: sid(n), ..new_session(n, &format!("user {n}")) };
        together(store, 500, |store, n| async move { store.open(open(first + n)).await.map(drop).expect("opened") })
            .await;
    }
}

/// Revokes as many tokens as there are sessions.
async fn write_off(store: &PostgresStore) {
    for _ in (0..SESSIONS).step_by(500) {
        let jti = || Jti::generate(SystemClock.wall(), &SystemRandom).expect("randomness");
        let appended = store.append((0..500).map(|_| cut_off(Scope::token(jti()))).collect()).await;
        assert!(matches!(appended, Ok(Appended::Done(_))));
    }
}

/// Runs a task so many times at once.
async fn together<R>(store: &Arc<PostgresStore>, tasks: u64, task: impl Fn(Arc<PostgresStore>, u64) -> R)
where
    R: Future<Output = ()> + Send + 'static,
{
    let running: Vec<_> = (0..tasks).map(|n| tokio::spawn(task(Arc::clone(store), n))).collect();
    for task in running {
        task.await.expect("a task ends");
    }
}

/// Writes a second of so many writers, for one turn.
async fn rate(store: &Arc<PostgresStore>, load: Load, writers: u64) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    together(store, writers, |store, writer| {
        let done = Arc::clone(&done);
        async move {
            // Each has sessions of its own, far from one another.
            for step in 0.. {
                if begun.elapsed() >= TURN {
                    return;
                }
                match load {
                    Load::Revoke => revoke(&store).await,
                    Load::Refresh => refresh(&store, sid((writer + step * writers) * 7_919 % SESSIONS)).await,
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    })
    .await;
    per_second(done.load(Ordering::Relaxed), begun)
}

async fn revoke(store: &PostgresStore) {
    let jti = Jti::generate(SystemClock.wall(), &SystemRandom).expect("randomness");
    let appended = store.append(vec![cut_off(Scope::token(jti))]).await.expect("appended");
    assert!(matches!(appended, Appended::Done(_)));
}

/// As the engine does it: load, decide, compare-and-set.
async fn refresh(store: &PostgresStore, sid: SessionId) {
    let loaded = store.load(sid).await.expect("loaded").expect("the session is there");
    let at: Generation = loaded.session.generation;
    let moved = store.advance(sid, at, at.next()).await.expect("moved");
    assert!(matches!(moved, Advance::Advanced(_) | Advance::Stale));
}

pub(crate) fn per_second(count: u64, begun: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}

/// What a start with a million active cut-offs costs in the store.
async fn million(server: &Postgres) {
    let url = format!("{}?schema=million", server.url());
    drop(PostgresStore::open(&url).await.expect("a store"));
    // Past the store: what is measured is the reading.
    for first in (1..MILLION).step_by(50_000) {
        let fill = format!(
            "insert into million.log (seq, at, remember_until, tag, kind, newest, id, reason, actor) \
             select n, 1, 9000000000000, gen_random_uuid(), 0, true, gen_random_uuid()::text, 'stolen', 'admin' \
             from generate_series({first}, {first} + 49999) n; update million.head set seq = {MILLION}"
        );
        server.psql(&fill).expect("filled");
    }
    let store = PostgresStore::open(&url).await.expect("a store");
    let begun = Instant::now();
    let snapshot = store.snapshot(Timestamp::EPOCH).await.expect("a snapshot");
    assert_eq!(snapshot.cut_offs.len() as u64, MILLION);
    println!("figure Postgres: snapshot of 1,000,000 active cut-offs = {} ns", begun.elapsed().as_nanos());
}
