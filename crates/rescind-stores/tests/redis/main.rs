//! The Redis store from outside, on real servers: the whole contract on one server and on a cluster, instances that it must
//! refuse, kill -9, what is lost or evicted, and failovers.
#![cfg(test)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod contract;
mod lost;
mod nodes;
mod outage;
mod refused;
mod support;
