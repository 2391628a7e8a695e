//! Durable stores for Rescind. Owns how sessions, the log and records lie on a medium; knows no policy, no token and
//! no HTTP: what a refresh or a check decides stands in the engine.
//!
//! Each store is behind a feature of its name and passes the engine's conformance suite
//! (`rescind::store::conformance`, feature `testing`) in full.
//!
//! # Map
//! * [`sqlite`] (default) one file, one process. [`sqlite::SqliteStore`] puts every call into the queue of one owner
//!   thread (`owner.rs`), which runs what waits in one transaction on the one connection (`batch.rs`, `transaction.rs`)
//!   and answers after the commit. What the calls do to the rows stands in `sessions.rs`, `log.rs`, `sweep.rs` and
//!   `records.rs`; the tables in `migrations/`; how a file is opened and refused in `open.rs`, `schema.rs` and `lock.rs`;
//!   how a row that cannot be read and a disk that fails are told in `cells.rs` and `fault.rs`.
//!
//! # A revocation's way to the disk
//! `SqliteStore::append` → `Owner::call` (queue) → `Batches::write` (one `BEGIN … COMMIT` for all that wait) →
//! `log::append` (position, time, tag, row) → flush → answer.

#[cfg(feature = "sqlite")]
pub mod sqlite;
