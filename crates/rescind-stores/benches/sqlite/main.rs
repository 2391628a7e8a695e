//! What the SQLite store does per second, each beside a naked loop that commits the same rows in groups through
//! rusqlite, in the same run; and how long a snapshot of a million cut-offs takes. Prints a line a figure; under a
//! minute. Arguments name the loads to run: `cargo bench -p rescind-stores --bench sqlite -- revoke`.
#![expect(clippy::expect_used, reason = "a bench that cannot run says so and stops")]
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]

mod loads;
mod naked;

use std::path::Path;
use std::time::{Duration, Instant};

use rescind::log::Scope;
use rescind::store::{Appended, Store};
use rescind::testing::{cut_off, jti};
use rescind::time::Timestamp;
use rescind_stores::sqlite::SqliteStore;

use self::loads::Load;

/// The store and the loop take turns, so that what else the machine does hits both.
const TURNS: usize = 9;
const TURN: Duration = Duration::from_millis(200);
const SESSIONS: u64 = 20_000;
const MILLION: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // Beside the build and not in the system's scratch directory, which often lies in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a scratch directory");
    let only: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
    for load in [Load::Open, Load::Advance, Load::Refresh, Load::Revoke].into_iter().filter(|load| wanted(load.name()))
    {
        for writers in [1, 64] {
            let (store, naked) = beside(&runtime, directory.path(), load, writers);
            println!("figure {}, {writers} writers = {store:.0} /s", load.name());
            println!("figure {}, {writers} writers, naked loop = {naked:.0} /s", load.name());
        }
    }
    if wanted("snapshot") {
        runtime.block_on(million());
    }
}

/// Calls a second of the store and of the naked loop: the medians of their turns.
fn beside(runtime: &tokio::runtime::Runtime, directory: &Path, load: Load, writers: usize) -> (f64, f64) {
    let file = |who| directory.join(format!("{who}-{}-{writers}.db", load.name()));
    let store = runtime.block_on(loads::furnished(&file("store")));
    drop(runtime.block_on(loads::furnished(&file("naked"))));
    let mut naked = naked::Loop::open(&file("naked"));
    let (mut of_store, mut of_naked) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        of_store.push(runtime.block_on(loads::rate(&store, load, writers)));
        of_naked.push(naked.rate(load, writers));
    }
    (median(of_store), median(of_naked))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// What a start with a million active cut-offs costs in the store: opening a closed file, and the snapshot. The file
/// stays, so that `cargo xtask bench` can start a server on it.
async fn million() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-million");
    drop(std::fs::remove_dir_all(&directory));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("a private directory");
    let file = &directory.join("rescind.db");
    let store = SqliteStore::open(file).await.expect("a store");
    for first in (0..MILLION).step_by(1_000) {
        let entries = (first..first + 1_000).map(|n| cut_off(Scope::token(jti(n)))).collect();
        assert!(matches!(store.append(entries).await, Ok(Appended::Done(_))));
    }
    drop(store);
    let begun = Instant::now();
    let store = SqliteStore::open(file).await.expect("a store");
    let opened = begun.elapsed();
    let snapshot = store.snapshot(Timestamp::EPOCH).await.expect("a snapshot");
    assert_eq!(snapshot.cut_offs.len() as u64, MILLION);
    let loaded = begun.elapsed().saturating_sub(opened);
    println!("figure opening a database of 1,000,000 active cut-offs = {} ns", opened.as_nanos());
    println!("figure snapshot of 1,000,000 active cut-offs = {} ns", loaded.as_nanos());
}
