//! The SQLite store from outside: the whole contract, files that it must refuse, kill -9, and media that fail.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod contract;
mod crash;
mod files;
mod medium;
#[path = "../../../rescind/tests/handle/support/refresh_race.rs"]
mod refresh_race;
mod refresh_races;
mod support;
