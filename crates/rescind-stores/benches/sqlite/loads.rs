//! The loads, through the store: what one call of each is, and how many a number of writers gets through.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rescind::id::{Jti, SessionId};
use rescind::log::Scope;
use rescind::position::Generation;
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Appended, Store};
use rescind::testing::{cut_off, new_session, sid};
use rescind::time::{Clock, SystemClock};
use rescind_stores::sqlite::SqliteStore;

use super::{SESSIONS, TURN};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Open,
    /// The compare-and-set alone.
    Advance,
    /// What a refresh asks of the store: load, then advance.
    Refresh,
    Revoke,
}

impl Load {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Advance => "advance",
            Self::Refresh => "refresh",
            Self::Revoke => "revoke",
        }
    }
}

/// A store with sessions in it, and the generation that each stands at.
pub(crate) struct Furnished {
    store: SqliteStore,
    generations: Vec<AtomicU64>,
}

/// Makes a database with sessions in it.
pub(crate) async fn furnished(file: &Path) -> Arc<Furnished> {
    let store = SqliteStore::open(file).await.expect("a store");
    let generations = (0..SESSIONS).map(|_| AtomicU64::new(0)).collect();
    let furnished = Arc::new(Furnished { store, generations });
    let next = Arc::new(AtomicU64::new(0));
    let openers: Vec<_> = (0..500)
        .map(|_| {
            let (furnished, next) = (Arc::clone(&furnished), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= SESSIONS {
                        return;
                    }
                    furnished.store.open(new_session(n, &user(n))).await.expect("opened");
                }
            })
        })
        .collect();
    for opener in openers {
        opener.await.expect("an opener ends");
    }
    furnished
}

/// Calls a second of `writers` tasks for one turn.
pub(crate) async fn rate(furnished: &Arc<Furnished>, load: Load, writers: usize) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let furnished = Arc::clone(furnished);
            tokio::spawn(async move {
                let mut calls = 0_u32;
                let mut n = writer;
                while begun.elapsed() < TURN {
                    furnished.call(load, scattered(n as u64)).await;
                    // Each writer has sessions of its own.
                    n += writers;
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await.expect("a writer ends");
    }
    f64::from(calls) / begun.elapsed().as_secs_f64()
}

impl Furnished {
    async fn call(&self, load: Load, number: u64) {
        match load {
            Load::Open => {
                let id = SessionId::generate(SystemClock.wall(), &SystemRandom).expect("random");
                self.store.open(NewSession { id, ..new_session(number, &user(number)) }).await.expect("opened");
            }
            Load::Advance | Load::Refresh => {
                if load == Load::Refresh {
                    assert!(self.store.load(sid(number)).await.expect("loaded").is_some());
                }
                let Some(at) = usize::try_from(number).ok().and_then(|n| self.generations.get(n)) else { return };
                let from = Generation::new(at.load(Ordering::Relaxed));
                let moved = self.store.advance(sid(number), from, from.next()).await;
                assert!(matches!(moved, Ok(Advance::Advanced(_))));
                at.fetch_add(1, Ordering::Relaxed);
            }
            Load::Revoke => {
                let jti = Jti::generate(SystemClock.wall(), &SystemRandom).expect("random");
                let appended = self.store.append(vec![cut_off(Scope::token(jti))]).await;
                assert!(matches!(appended, Ok(Appended::Done(_))));
            }
        }
    }
}

/// The n-th session to use: each once in a lap, and neighbours lie on different pages, as those of real users do.
pub(crate) const fn scattered(n: u64) -> u64 {
    n % SESSIONS * 7_919 % SESSIONS
}

pub(crate) fn user(n: u64) -> String {
    format!("user{}", n % 5_000)
}
