//! Rounds of a test: one, or several with `RESCIND_LONG`. What is left to chance in a round (its load, and when a fault
//! comes) follows from its seed, which is printed; `RESCIND_SEED` runs that round again, and it alone.

use std::cell::Cell;
use std::time::Duration;

use rescind::random::{Random, SystemRandom};
use rescind_torture::{next, scattered};

use super::ServerKind;

/// With `RESCIND_LONG`, each test is run so often.
const ROUNDS: u64 = 5;
/// Otherwise each run is as the last one.
const USUAL: u64 = 1;

/// One round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) kind: ServerKind,
    pub(crate) seed: u64,
    luck: Cell<u64>,
}

/// Runs a test in rounds.
pub(crate) fn rounds(kind: ServerKind, test: fn(&Round)) {
    let given = std::env::var("RESCIND_SEED").ok().map(|seed| seed.parse().unwrap());
    let is_long = std::env::var_os("RESCIND_LONG").is_some();
    let (first, count): (u64, u64) = match given {
        Some(seed) => (seed, 1),
        None if is_long => (drawn(), ROUNDS),
        None => (USUAL, 1),
    };
    for number in 0..count {
        let seed = first.wrapping_add(number);
        eprintln!("round {} of {count}; the same again: RESCIND_SEED={seed}", number + 1);
        test(&Round { kind, seed, luck: Cell::new(scattered(seed)) });
    }
}

impl Round {
    /// Any span below this one.
    pub(crate) fn within(&self, most: Duration) -> Duration {
        let (luck, drawn) = next(self.luck.get());
        self.luck.set(luck);
        most.mul_f64(f64::from(u32::try_from(drawn & 0xffff).unwrap()) / f64::from(0x1_0000))
    }
}

fn drawn() -> u64 {
    let mut bytes = [0; 4];
    SystemRandom.fill(&mut bytes).unwrap();
    u32::from_be_bytes(bytes).into()
}

/// A test for each store, from a function that takes the round.
macro_rules! on_each_store {
    ($($name:ident)*) => { $(
        mod $name {
            #[test]
            fn postgres() {
                crate::rig::rounds(crate::rig::ServerKind::Postgres, super::$name);
            }

            #[test]
            fn redis() {
                crate::rig::rounds(crate::rig::ServerKind::Redis, super::$name);
            }
        }
    )* };
}
pub(crate) use on_each_store;

/// A test of Postgres alone.
macro_rules! on_postgres {
    ($($name:ident)*) => { $(
        mod $name {
            #[test]
            fn postgres() {
                crate::rig::rounds(crate::rig::ServerKind::Postgres, super::$name);
            }
        }
    )* };
}
pub(crate) use on_postgres;

/// A test of Redis alone.
macro_rules! on_redis {
    ($($name:ident)*) => { $(
        mod $name {
            #[test]
            fn redis() {
                crate::rig::rounds(crate::rig::ServerKind::Redis, super::$name);
            }
        }
    )* };
}
pub(crate) use on_redis;
