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
//! | wanted | made by |
//! |---|---|
//! | a store | [`Postgres`], [`Redis`]; [`SentinelSet`], [`Cluster`] |
//! | settings, TLS | [`Postgres::options`], [`Redis::options`] |
//! | a pool, a replica that lags, a promotion | [`Postgres::pgbouncer`], [`Postgres::replica`] and what stands there |
//! | `kill -9`, a hang, an operator's restart | `kill`, `pause` and `resume`, `stop`, `start_again` on each of them |
//! | an old backup | `copy_data` and `restore`, while it is stopped |
//! | a full disk | [`SmallDisk`], given to `options().on(disk)` |
//! | a network that is slow, cut, half open, or leads elsewhere | [`Proxy`], and `proxy.through(&server.url())` |
//! | a node of ours, its clock stepped | [`Node`] |
//! | several nodes behind one address | [`Front`] |
//! | a directory that is removed, also after a kill | [`Scratch`] |
//! | a request, and bytes that are none | [`http`] |
//!
//! Everything here blocks and nothing needs an async runtime: in an async test, let the load run in tasks of a
//! multi-thread runtime, or call the kit from `spawn_blocking`. All methods take `&self`, so a server can be shared.
//!
//! Where a program is not installed or a right is missing, the error is [`Error::Missing`], for which [`or_skip`] skips;
//! every other error fails the test with the end of the server's log.

mod clock;
mod disk;
mod error;
mod files;
mod front;
pub mod http;
mod node;
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
pub use front::{ANSWERED_BY, Front};
pub use node::{Node, NodeOptions};
pub use postgres::{DATABASE, PASSWORD, PgBouncer, PoolMode, Postgres, PostgresOptions, USER};
pub use process::Process;
pub use proxy::Proxy;
pub use redis::{Cluster, Redis, RedisOptions, SentinelSet};
pub use scratch::{Copied, Scratch};
pub use wait::{DEADLINE, until, until_within};
