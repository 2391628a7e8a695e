//! What the SQLite store does per second, each beside a naked loop that commits the same rows in groups through
//! rusqlite, in the same run; and how long a snapshot of a million cut-offs takes. Prints a table; under a minute.

mod loads;
mod naked;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rescind::log::Scope;
use rescind::store::{Appended, Store};
use rescind::testing::{cut_off, jti};
use rescind::time::Timestamp;
use rescind_stores::sqlite::SqliteStore;

use self::loads::Load;

/// The store and the loop take turns, so that what else the machine does hits both.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(300);
const SESSIONS: u64 = 20_000;
const MILLION: u64 = 1_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    // Beside the build and not in the system's scratch directory, which often lies in memory.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a scratch directory");
    println!("| SQLite, acknowledged after the flush | writers | store /s | naked loop /s | store of naked |");
    println!("|---|---:|---:|---:|---:|");
    for load in [Load::Open, Load::Advance, Load::Refresh, Load::Revoke] {
        let mut of_one = None;
        for writers in [1, 64] {
            let (store, naked) = beside(&runtime, directory.path(), load, writers);
            println!("| {} | {writers} | {store:.0} | {naked:.0} | {:.0} % |", load.name(), 100.0 * store / naked);
            match of_one {
                None => of_one = Some(store),
                Some(one) => println!("| {}, 64 writers against one | | {:.1} × | | |", load.name(), store / one),
            }
        }
    }
    runtime.block_on(million(&directory.path().join("million.db")));
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

/// What a start with a million active cut-offs costs in the store: opening a closed file, and the snapshot.
async fn million(file: &PathBuf) {
    let store = SqliteStore::open(file).await.expect("a store");
    for first in (0..MILLION).step_by(1_000) {
        let entries = (first..first + 1_000).map(|n| cut_off(Scope::token(jti(n)))).collect();
        assert!(matches!(store.append(entries).await, Ok(Appended::Done(_))));
    }
    drop(store);
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
    let begun = Instant::now();
    let store = SqliteStore::open(file).await.expect("a store");
    let opened = begun.elapsed();
    let snapshot = store.snapshot(Timestamp::EPOCH).await.expect("a snapshot");
    assert_eq!(snapshot.cut_offs.len() as u64, MILLION);
    let all = begun.elapsed();
    println!();
    println!(
        "1,000,000 active cut-offs: opened in {opened:.0?}, snapshot in {:.0?}; {bytes} bytes on disk",
        all - opened
    );
}
