//! The contract of a store as a suite: [`run`] takes any store through every case. A store says how it is made and
//! whether it keeps what it acknowledged; it cannot leave a case out. Behind the feature `testing`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a suite of tests fails loudly"
)]

mod append;
mod faults;
mod feed;
mod incarnation;
mod interruption;
mod lifts;
mod listing;
mod races;
mod records;
mod sessions;
mod shared;
mod snapshot;
mod stage;
mod sweep;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::stage::Stage;
use super::Store;
use crate::testing::ManualClock;
use crate::time::Clock;

/// Where one store under test keeps what it holds: a scratch directory, a schema of its own. Empty at first; removed when dropped.
#[async_trait]
pub trait Home: Send + Sync + 'static {
    /// Opens the store over what is there, reading the time from `clock`. May panic: that fails the case.
    ///
    /// Called again after the suite has dropped every handle that the calls before gave; a store that lets go of its
    /// lock a moment later waits for it here. Where the store says that it is [shared](Store::is_shared), it is also
    /// called while another opening lives: each then stands for a process of its own. Every other store is the one
    /// process that has it open, so both sides of a case get its one handle, and its own tests show that a second
    /// opening is refused.
    async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store>;

    /// What the store promises after it was opened again.
    fn durability(&self) -> Durability;
}

/// What a store promises after it was opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything acknowledged is there, under the same incarnation.
    Keeps,
    /// Nothing is there, and the incarnation is another: whoever followed the store finds out.
    Forgets,
}

/// Takes stores, each from an empty home of its own, through every case of the contract.
///
/// Wants a tokio runtime with several threads (`#[tokio::test(flavor = "multi_thread")]`), so that races are races.
///
/// # Panics
/// Names every case that failed, once all have run; why, stands above it in the test's output.
pub async fn run<H: Home>(new_home: impl Fn() -> H) {
    let mut failed = Vec::new();
    let mut ran = 0;
    for cases in EVERY {
        for case in *cases {
            ran += 1;
            // A task of its own, so that one failure does not hide the others.
            let task = tokio::spawn(attempt(*case, Arc::new(new_home())));
            if let Err(error) = task.await {
                failed.push(format!("{}: {}", case.name, reason(error)));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {ran} cases of the store contract failed:\n{}", failed.len(), failed.join("\n"));
}

const EVERY: &[&[Case]] = &[
    sessions::CASES,
    listing::CASES,
    append::CASES,
    lifts::CASES,
    feed::CASES,
    snapshot::CASES,
    sweep::CASES,
    incarnation::CASES,
    records::CASES,
    races::CASES,
    shared::CASES,
    interruption::CASES,
    faults::CASES,
];

/// No case lasts this long on a store that answers.
const DEADLINE: Duration = Duration::from_mins(1);

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    run: fn(Stage) -> Run,
}

/// Registers a file's cases; one that is missing here is dead code and does not compile cleanly.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$(
            super::Case { name: stringify!($name), run: |stage| Box::pin($name(stage)) }
        ),*];
    };
}
use cases;

async fn attempt(case: Case, home: Arc<dyn Home>) {
    let clock = Arc::new(ManualClock::default());
    let store = home.open(Arc::clone(&clock) as Arc<dyn Clock>).await;
    let done = tokio::time::timeout(DEADLINE, (case.run)(Stage { store, clock, home })).await;
    assert!(done.is_ok(), "did not end within {DEADLINE:?}");
}

fn reason(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "was cancelled".to_owned() };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| "panicked".to_owned(), |text| (*text).to_owned()),
    }
}
