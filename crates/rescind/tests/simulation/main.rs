//! The engine as a simulation: real handles of several nodes over a store, a network and clocks that fail as the seed says,
//! and a small model beside them that knows what was acknowledged. Everything follows from the seed.
//!
//! `RESCIND_SEED=n` lives one life again; `RESCIND_LONG=1` lives a hundred times as many where the build is optimised, as
//! `./test --long` does.
#![cfg(test)]

mod browser;
mod clocks;
mod dice;
mod judge;
mod life;
mod link;
mod model;
mod nemesis;
mod network;
mod scenes;
mod settled;
mod trace;
mod truth;
mod world;

use std::collections::BTreeSet;

use browser::TRIED;
use life::{Lived, live};
use trace::Tally;

/// Seeds of each test, and how many times as many with `RESCIND_LONG` in an optimised build.
const SEEDS: u64 = 500;
const LONG: u64 = 100;

/// What must really have happened in each test, or it tested nothing.
const MUST_HAPPEN: [&str; 35] = [
    "logins",
    "sessions of browsers",
    "rotations",
    "retries within grace",
    "reuses found",
    "logouts",
    "revocations acknowledged",
    "lifts acknowledged",
    "refresh tokens called good",
    "valid",
    "refused as revoked",
    "strict checks",
    "waits for everywhere",
    "partitions",
    "stops",
    "kills",
    "restarts without the high-water file",
    "outages",
    "failovers to a copy that lagged",
    "failovers without a loss",
    "losses of a piece of the log",
    "tokens ahead of their row",
    "connections to an old primary",
    "backups put back",
    "stores flushed",
    "healings",
    "steps of a node's clock",
    "steps of the store's clock",
    "suspensions",
    "stops between reading and signing",
    "thieves",
    "rotations that came late",
    "sweeps by a clock days ahead",
    "lives forgotten",
    "key rotations",
];

/// Lives the lives of so many seeds, beginning at `first`; after a violation, too, because hours of them find more than one.
fn lives(first: u64, seeds: u64) -> Tally {
    let mut tally = Tally::new();
    let mut violations = 0;
    for (done, seed) in (first..first + seeds).enumerate() {
        let Lived { tally: lived, verdict, .. } = live(seed);
        if let Err(violation) = verdict {
            println!("{violation}");
            violations += 1;
        }
        for (what, count) in lived {
            *tally.entry(what).or_default() += count;
        }
        if (done + 1) % 5000 == 0 {
            println!("{} of {seeds} lives", done + 1);
        }
    }
    println!("{seeds} lives from seed {first}:");
    for (what, count) in &tally {
        println!("{count:>10} {what}");
    }
    assert_eq!(violations, 0, "violations of {seeds} lives from seed {first}, each above with its seed");
    tally
}

/// One of the four parts of all seeds, so that they run side by side.
fn part(n: u64) {
    let is_long = std::env::var_os("RESCIND_LONG").is_some() && !cfg!(debug_assertions);
    let seeds = if is_long { SEEDS * LONG } else { SEEDS };
    let tally = lives(n * seeds, seeds);
    let missing: BTreeSet<_> = MUST_HAPPEN.into_iter().filter(|what| !tally.contains_key(what)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    // As many in all as docs/guarantees.md says: one that is ended falsely is a violation.
    let tried = tally.get(TRIED).copied().unwrap_or_default();
    assert!(tried >= seeds, "only {tried} {TRIED} in {seeds} lives");
}

#[test]
fn nobody_revoked_comes_back_and_nobody_else_is_refused_1() {
    part(0);
}

#[test]
fn nobody_revoked_comes_back_and_nobody_else_is_refused_2() {
    part(1);
}

#[test]
fn nobody_revoked_comes_back_and_nobody_else_is_refused_3() {
    part(2);
}

#[test]
fn nobody_revoked_comes_back_and_nobody_else_is_refused_4() {
    part(3);
}

#[test]
fn one_life_follows_from_its_seed() {
    let seed = std::env::var("RESCIND_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..20, |seed: u64| seed..seed + 1) {
        let (first, second) = (live(seed), live(seed));
        if let Err(violation) = first.verdict {
            panic!("{violation}");
        }
        let parted = first.notes.iter().zip(&second.notes).position(|(one, other)| one != other);
        if let Some(at) = parted {
            let around = at.saturating_sub(8)..at + 8;
            let of = |notes: &[u64]| notes.get(around.clone()).map(|notes| format!("{notes:x?}"));
            println!("note {at}: {:?}\n or {:?}", of(&first.notes), of(&second.notes));
        }
        assert_eq!(first.digest, second.digest, "seed {seed} was lived in two ways");
    }
}
