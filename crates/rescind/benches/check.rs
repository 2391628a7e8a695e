//! The whole check through the handle, with a million cut-offs in the view: a token that comes again and one that is
//! new, per algorithm; and how long a start with a million active cut-offs takes. Prints a line for what criterion
//! cannot measure.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the machine, not what a Clock says")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use rescind::id::{ClientId, Jti, Subject};
use rescind::keys::{Algorithm, RootSecret};
use rescind::log::{Act, NewEntry, Scope, Text};
use rescind::random::{Random, RandomFailed, SystemRandom};
use rescind::store::{MemoryStore, Store};
use rescind::time::{Clock, SystemClock};
use rescind::{OpenSession, Rescind, Settings};

const CUT_OFFS: usize = 1_000_000;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Randomness that costs nothing, for a million ids that only have to differ.
struct Counting(std::sync::atomic::AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        let mut number = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed);
        for chunk in bytes.chunks_mut(8) {
            number = (number ^ (number >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

async fn store_with_cut_offs(clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Failed> {
    let store = MemoryStore::with(Arc::clone(clock), &SystemRandom)?;
    let random = Counting(1.into());
    let (now, reason) = (clock.wall(), Text::new("bench")?);
    for _ in 0..CUT_OFFS / 1000 {
        let mut entries = Vec::with_capacity(1000);
        for _ in 0..1000 {
            entries.push(NewEntry {
                scope: Scope::token(Jti::generate(now, &random)?),
                act: Act::CutOff,
                reason: reason.clone(),
                actor: reason.clone(),
                remember_until: now.plus(Duration::from_hours(1)),
            });
        }
        store.append(entries).await?;
    }
    Ok(Arc::new(store))
}

async fn handle(store: &Arc<dyn Store>, algorithm: Algorithm, cache_bytes: usize) -> Result<Rescind, Failed> {
    let settings = Settings { cache_bytes, ..Settings::default() };
    let builder = Rescind::builder("https://login.example", "https://api.example").store(Arc::clone(store));
    let builder = builder.root_secret(RootSecret::from_bytes([7; 32])).algorithm(algorithm).settings(settings);
    Ok(builder.build().await?)
}

fn main() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = runtime.block_on(store_with_cut_offs(&clock))?;
    let mut group = criterion.benchmark_group("check");
    for algorithm in Algorithm::EVERY {
        for (name, cache_bytes) in [("repeated", 32 << 20), ("fresh", 0)] {
            let began = Instant::now();
            let rescind = runtime.block_on(handle(&store, algorithm, cache_bytes))?;
            if algorithm == Algorithm::EdDSA && cache_bytes == 0 {
                println!(
                    "figure start with {CUT_OFFS} cut-offs in the memory store = {} ms",
                    began.elapsed().as_millis()
                );
            }
            let open = OpenSession::new(Subject::new("alice")?, ClientId::new("web")?);
            let pair = runtime.block_on(rescind.open_session(open))?;
            // On this thread, as a server's worker would: the follower goes on in the runtime's own.
            let check = || at_once(rescind.check(black_box(&pair.access_token)));
            assert!(check().is_ok(), "the token is live");
            group.bench_function(format!("{name} {}", algorithm.name()), |bencher| bencher.iter(check));
            runtime.block_on(rescind.shutdown());
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// Runs a future that is ready at once: a check on a fresh view waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the view is fresh, so nothing is waited for"),
    }
}
