//! What the Redis store does per second, beside a naked loop of single durable writes; how many bytes a session and a
//! revocation take; how long a snapshot of a million cut-offs takes. Starts a server of its own. Prints a line a figure.
//! Arguments name the figures to run: `cargo bench -p rescind-stores --features redis --bench redis -- revocations`.
#![expect(clippy::expect_used, reason = "a bench that cannot run says so and stops")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rescind::id::SessionId;
use rescind::log::Scope;
use rescind::position::Generation;
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Appended, Store};
use rescind::testing::{cut_off, jti, new_session};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::redis::{Durability, RedisStore};
use rescind_test_kit::Redis;

const TURN: Duration = Duration::from_secs(2);
const ROWS: u64 = 100_000;
const MILLION: u64 = 1_000_000;

/// A load that is measured.
#[derive(Debug, Clone, Copy)]
enum Load {
    Revoke,
    Refresh,
}

#[tokio::main]
async fn main() {
    let only: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
    for (name, load) in [("revocations", Load::Revoke), ("refreshes", Load::Refresh)] {
        if wanted(name) {
            rates(name, load).await;
        }
    }
    if wanted("bytes") {
        bytes().await;
    }
    if wanted("snapshot") {
        snapshot().await;
    }
}

async fn rates(name: &str, load: Load) {
    let server = Redis::start().expect("a server");
    let naked = naked(&server.url(), load).await;
    println!("figure Redis: {name}, naked loop of one = {naked:.0} /s");
    for (nodes, writers) in [(1, 1), (1, 64), (3, 21)] {
        let mut stores = Vec::new();
        for _ in 0..nodes {
            stores.push(open(&server.url()).await);
        }
        let rate = rate(&stores, load, writers).await;
        let by = if nodes == 1 { String::new() } else { format!(" at each of {nodes} nodes") };
        println!("figure Redis: {name} at the store, {writers} writers{by} = {rate:.0} /s");
    }
}

async fn open(url: &str) -> Arc<RedisStore> {
    Arc::new(RedisStore::open(url, Durability::Strict).await.expect("a store"))
}

/// One connection, one write after the other, each durable before the next.
async fn naked(url: &str, load: Load) -> f64 {
    let client = redis::Client::open(url).expect("a client");
    let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let (begun, mut writes) = (Instant::now(), 0_u32);
    while begun.elapsed() < TURN {
        let write = match load {
            Load::Revoke => redis::cmd("XADD").arg("naked").arg("*").arg("scope").arg([7_u8; 60].as_slice()).clone(),
            Load::Refresh => redis::cmd("HSET").arg("naked row").arg("generation").arg(writes).clone(),
        };
        write.query_async::<()>(&mut connection).await.expect("written");
        writes += 1;
    }
    f64::from(writes) / begun.elapsed().as_secs_f64()
}

async fn rate(stores: &[Arc<RedisStore>], load: Load, writers: usize) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for store in stores {
        for _ in 0..writers {
            tasks.push(tokio::spawn(work(Arc::clone(store), load, Arc::clone(&done), begun)));
        }
    }
    for task in tasks {
        task.await.expect("a writer");
    }
    let done = u32::try_from(done.load(Ordering::Relaxed)).expect("fewer than 2^32");
    f64::from(done) / begun.elapsed().as_secs_f64()
}

async fn work(store: Arc<RedisStore>, load: Load, done: Arc<AtomicU64>, begun: Instant) {
    let sid = fresh();
    store.open(NewSession { id: sid, ..new_session(1, "alice") }).await.expect("opened");
    for generation in 0.. {
        if begun.elapsed() >= TURN {
            return;
        }
        match load {
            Load::Revoke => {
                let appended = store.append(vec![cut_off(Scope::session(fresh()))]).await;
                assert!(matches!(appended, Ok(Appended::Done(_))), "{appended:?}");
            }
            Load::Refresh => {
                assert!(store.load(sid).await.expect("loaded").is_some());
                let (from, to) = (Generation::new(generation), Generation::new(generation + 1));
                assert!(matches!(store.advance(sid, from, to).await, Ok(Advance::Advanced(_))));
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

fn fresh() -> SessionId {
    SessionId::generate(SystemClock.wall(), &SystemRandom).expect("random")
}

async fn bytes() {
    let server = Redis::start().expect("a server");
    let store = open(&server.url()).await;
    let used = || server.info("used_memory").expect("info").parse::<u64>().expect("a number");
    let before = used();
    for first in (0..ROWS).step_by(1_000) {
        let entries = (first..first + 1_000).map(|n| cut_off(Scope::token(jti(n)))).collect();
        assert!(matches!(store.append(entries).await, Ok(Appended::Done(_))));
    }
    let after = used();
    println!("figure Redis: a revocation = {} B", (after - before) / ROWS);
    let mut tasks = Vec::new();
    for writer in 0..64 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            for n in 0..ROWS / 64 {
                let session = NewSession { id: fresh(), ..new_session(1, &format!("user-{}", writer * ROWS + n)) };
                store.open(session).await.expect("opened");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a writer");
    }
    println!("figure Redis: a session, each of another subject = {} B", (used() - after) / (ROWS / 64 * 64));
}

async fn snapshot() {
    let server = Redis::options().setting("appendfsync", "no").start().expect("a server");
    let store = RedisStore::open(&server.url(), Durability::Relaxed).await.expect("a store");
    for first in (0..MILLION).step_by(1_000) {
        let entries = (first..first + 1_000).map(|n| cut_off(Scope::token(jti(n)))).collect();
        assert!(matches!(store.append(entries).await, Ok(Appended::Done(_))));
    }
    let begun = Instant::now();
    let snapshot = store.snapshot(Timestamp::EPOCH).await.expect("a snapshot");
    assert_eq!(snapshot.cut_offs.len() as u64, MILLION);
    println!("figure Redis: snapshot of 1,000,000 active cut-offs = {} ns", begun.elapsed().as_nanos());
}
