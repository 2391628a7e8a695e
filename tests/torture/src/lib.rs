//! The torture: real servers under faults that really happen while a load runs, a witness outside of them that knows what
//! was acknowledged, and a judge of everything that was answered. `cargo xtask torture` runs it; the fault tests of
//! `rescind-server` stand on the same stores, history, witness and judge.
//!
//! ```text
//! run          cycle after cycle: deal, load, strike, recover, ask about everything, judge; at the end, audit
//!   plan       which fault comes when, from the seed
//!   load       workers: sign-ins, refreshes, revocations on every scope, logouts, lifts, checks
//!     client   one request, and what its answer means
//!     widely   cut-offs on everything and on keys
//!   single     the nemesis of one node on SQLite; pages, flushes, strace: faults below it
//!   several    the nemesis of three nodes on Postgres or Redis; server: that store
//! history      who was asked what and when, and what was answered
//!   witness    what was acknowledged, on a disk of its own
//!   judge      what the guarantees say of a history; line: what was done on one scope
//! tally        what it comes to
//! ```

mod asked;
mod client;
mod cycle;
mod flushes;
mod history;
mod holdings;
mod judge;
#[cfg(test)]
mod judged;
mod line;
mod load;
mod luck;
mod moment;
mod nodes;
mod pages;
mod plan;
mod questions;
mod run;
mod server;
mod several;
mod single;
mod strace;
mod tally;
mod widely;
mod witness;
mod worker;

use std::time::Duration;

pub use asked::{Answer, Asked, At, Credential, Outage, Scope, What};
pub use client::{Client, Pair};
pub use cycle::Settings;
pub use history::{History, Past};
pub use judge::{Broken, Sentence, judge, judge_since, story};
pub use luck::{Luck, next, scattered};
pub use moment::{Stopwatch, rest};
pub use plan::{Fault, Plan, Store};
pub use run::{Outcome, run};
pub use server::{Reached, Server, ServerKind};
pub use tally::{Cycle, Tally};
pub use widely::Widely;
pub use witness::{Line, Witness};

/// The staleness bound of the nodes: the default, because that is what ships.
pub const BOUND: Duration = Duration::from_secs(2);
