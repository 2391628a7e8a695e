//! Choosing and writing a store.
//!
//! # Which one
//! | store | for | where |
//! |---|---|---|
//! | [`MemoryStore`](crate::store::MemoryStore) | tests and trying out: with the process everything is gone | here |
//! | `SqliteStore` | one node; every acknowledged write is flushed | crate `rescind-stores`, feature `sqlite` |
//! | one of your own | a database that you run already | [`Store`](crate::store::Store) shows one whole |
//!
//! A revocation is as durable as the store. The default of all examples here is the memory one, since it needs no file;
//! a service takes
//!
//! ```text
//! .store(SqliteStore::open("rescind.db").await?)
//! ```
//!
//! Several handles, and with a store for many nodes several processes, may share a store. They need the same issuer, the
//! same root secret, and clocks that agree; a cut-off made by one is obeyed by all within the staleness bound.
//!
//! # Writing one
//! [`Store`](crate::store::Store) has thirteen methods in four groups. A store decides nothing: whether a refresh token
//! is good, stands in [`decide`](crate::refresh_token::decide), the same for all stores.
//!
//! * **Sessions:** `open`, `load`, `advance`, `sessions_of`. A row that is compared and set by its generation.
//! * **The log:** `append`, `after`, `snapshot`, `reincarnate`. Positions are gapless, and a writer that commits is
//!   seen in order: a database's sequences and auto-increments do not promise that. Keep the head in a row of its own,
//!   which the writing transaction updates.
//! * **Records:** `record`, `put_record`, `records`. Small documents, compared and set by version.
//! * **Upkeep:** `sweep`, `health`.
//!
//! Three things go wrong most often. The time that a call returns must be the *store's*, read with the data, and not
//! the caller's. A write must run to its end when its future is dropped: give it a task or a thread of its own. And
//! after a flush that failed, nothing may be acknowledged any more: what is on the medium is not known.
//!
//! # Testing one
//! The contract is a suite of tests, and a store cannot leave a case out. One call runs it, with the feature `testing`:
//!
//! ```
//! use std::sync::Arc;
//! use rescind::{random::SystemRandom, time::Clock};
//! use rescind::store::{MemoryStore, Store, conformance::{self, Durability, Home}};
//!
//! /// Where one store under test keeps what it holds: a scratch directory, a schema of its own.
//! struct Scratch;
//!
//! #[async_trait::async_trait]
//! impl Home for Scratch {
//!     async fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
//!         Arc::new(MemoryStore::with(clock, &SystemRandom).expect("the system has randomness"))
//!     }
//!
//!     fn durability(&self) -> Durability {
//!         Durability::Forgets // and a real one `Keeps`
//!     }
//! }
//!
//! #[tokio::main] // in your tests: #[tokio::test(flavor = "multi_thread")]
//! async fn main() {
//!     conformance::run(|| Scratch).await;
//! }
//! ```
//!
//! Where your store says that it [is shared](crate::store::Store::is_shared), the suite opens it a second time while the
//! first opening lives, as a second process does: what one acknowledged the other must know.
//!
//! Run it a second time through `FailingStore`, and write tests of your own for what only
//! your medium can do: a full disk, a failed flush, a connection that breaks between commit and reply.
