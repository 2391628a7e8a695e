//! Durable stores for Rescind. Owns how sessions, the log and records lie on a medium; knows no policy, no token and
//! no HTTP: what a refresh or a check decides stands in the engine.
//!
//! Each store is behind a feature of its name and passes the engine's conformance suite
//! (`rescind::store::conformance`, feature `testing`) in full.
//!
//! ```
//! use rescind::{LogoutScope, OpenSession, Rescind, log::Text};
//! use rescind::{id::{ClientId, Subject}, keys::RootSecret};
//! use rescind_stores::sqlite::SqliteStore;
//!
//! # async fn open(folder: &std::path::Path) -> Result<Rescind, rescind::BoxError> {
//! # let (database, key) = (folder.join("rescind.db"), folder.join("root.key"));
//! let rescind = Rescind::builder("https://login.example", "https://api.example")
//!     .store(SqliteStore::open(database).await?) // "rescind.db": made at first start
//!     .root_secret(RootSecret::load_or_create(key)?) // "root.key": mode 0600, not in the database
//!     .build()
//!     .await?;
//! # Ok(rescind)
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let folder = tempfile::tempdir()?;
//! # let rescind = open(folder.path()).await?;
//! let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
//! rescind.logout(&pair.access_token, LogoutScope::Session, Text::new("alice")?).await?;
//! rescind.shutdown().await;
//! drop(rescind); // or a kill -9: what was acknowledged is on the disk
//!
//! # let rescind = loop {
//! #     match open(folder.path()).await {
//! #         Err(error) if error.to_string().contains("another process") => tokio::task::yield_now().await,
//! #         opened => break opened?,
//! #     }
//! # };
//! // In the next process:
//! assert!(rescind.check(&pair.access_token).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! How a store is chosen, and what it takes to write one, stands in [the engine's manual](rescind::manual::stores).
//!
//! # Map
//! * [`sqlite`] (default) one file, one process. [`sqlite::SqliteStore`] puts every call into the queue of one owner
//!   thread (`owner.rs`), which runs what waits in one transaction on the one connection (`batch.rs`, `transaction.rs`)
//!   and answers after the commit. What the calls do to the rows stands in `sessions.rs`, `log.rs`, `sweep.rs` and
//!   `records.rs`; the tables in `migrations/`; how a file is opened and refused in `open.rs`, `schema.rs` and `lock.rs`;
//!   how a row that cannot be read and a disk that fails are told in `cells.rs` and `fault.rs`.
//! * `postgres`: one schema, any number of nodes. `PostgresStore` gives every call as one statement to a connection of the
//!   pool (`link.rs`); writes that wait together share one (`lane.rs`), through functions of the schema (`migrations/`).
//!   The statements stand in `sessions.rs`, `log.rs`, `records.rs` and `sweep.rs`; wake-ups in `wake.rs`; what applications
//!   ask for in their own transactions in `inbox.rs`; how a server is reached and refused in `settings.rs`, `tls.rs`,
//!   `conditions.rs` and `schema.rs`.
//! * `redis`: one server, a Sentinel group or a Cluster, any number of nodes. `RedisStore` gives every call as a script
//!   (`script.rs`, `scripts/`) to the one connection that all share (`link.rs`); appends that wait together are computed here
//!   and written as one batch (`append.rs`), and an answer waits until Redis has flushed (`flush.rs`). The scripts' calls
//!   stand in `sessions.rs`, `log.rs` and `records.rs`; which keys share a slot in `keys.rs`; wake-ups in `wake.rs`; how
//!   servers are found and refused in `address.rs` and `durability.rs`.
//!
//! Where `postgres` or `redis` is there, each of them has a `diagnose`, whose findings an operator reads.
//!
//! # A revocation's way to the disk
//! `SqliteStore::append` → `Owner::call` (queue) → `Batches::write` (one `BEGIN … COMMIT` for all that wait) →
//! `log::append` (position, time, tag, row) → flush → answer.

#[cfg(any(feature = "postgres", feature = "redis"))]
mod finding;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(any(feature = "postgres", feature = "redis"))]
pub use self::finding::{Finding, Verdict};
