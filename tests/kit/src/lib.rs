//! Real servers for tests and benches, and faults made on purpose. A server is started in a scratch directory on a free
//! loopback port and ended by its process id, also when the test process dies. Knows none of our crates.
//!
//! ```no_run
//! use rescind_test_kit::{Postgres, or_skip};
//! # fn skip(_: &str) {}
//! // In a test: `rescind::testing::skip` in the place of `skip`.
//! let Some(postgres) = or_skip(Postgres::start(), skip) else { return };
//! assert_eq!(postgres.psql("select 1").unwrap(), "1");
//! postgres.kill().unwrap(); // SIGKILL to all its processes
//! postgres.start_again().unwrap(); // on the same data, at the same address
//! ```
//!
//! Everything here blocks and nothing needs an async runtime: in an async test, let the load run in tasks of a
//! multi-thread runtime, or call the kit from `spawn_blocking`. All methods take `&self`, so a server can be shared.
//!
//! Where a program is not installed or a right is missing, the error is [`Error::Missing`], for which [`or_skip`] skips;
//! every other error fails the test with the end of the server's log.

mod disk;
mod error;
mod files;
mod port;
mod postgres;
mod process;
mod programs;
mod proxy;
mod redis;
mod scratch;
mod spawner;
mod wait;

pub use disk::SmallDisk;
pub use error::{Error, Result, or_skip};
pub use postgres::{DATABASE, PASSWORD, PgBouncer, PoolMode, Postgres, PostgresOptions, USER};
pub use process::Process;
pub use proxy::Proxy;
pub use redis::{Cluster, Redis, RedisOptions, SentinelSet};
pub use scratch::Copied;
pub use wait::{DEADLINE, until, until_within};
