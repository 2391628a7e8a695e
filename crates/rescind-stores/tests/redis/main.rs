//! The Redis store from outside, on real servers: the whole contract on one server and on a cluster, instances that it must
//! refuse, kill -9, what is lost or evicted, and failovers.
#![cfg(test)]

mod contract;
mod demoted;
mod doctor;
mod lost;
mod nodes;
mod outage;
#[path = "../../../rescind/tests/handle/support/refresh_race.rs"]
mod refresh_race;
mod refresh_races;
mod refused;
mod settling;
mod support;
mod tls;
