//! The Postgres store from outside, on real servers: the whole contract, and faults made on purpose.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail loudly")]

mod contract;
mod crash;
mod doctor;
mod failover;
mod inbox;
mod layout;
mod links;
mod pooler;
#[path = "../../../rescind/tests/handle/support/refresh_race.rs"]
mod refresh_race;
mod refresh_races;
mod refusals;
mod rows;
mod standby;
mod support;
mod tls;
mod waking;
