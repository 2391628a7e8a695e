//! The first token: build a handle, open a session, check its access token.
//!
//! # A handle
//! Everything is asked of one [`Rescind`](crate::Rescind): clones of it share keys, view and store. It needs to be told
//! who issues the tokens and for whom they are, since neither has a default that trusts; a store; and the root secret,
//! from which every other secret is derived.
//!
//! ```
//! use rescind::{Rescind, keys::RootSecret, store::MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("root.key");
//! let rescind = Rescind::builder("https://login.example", "https://api.example")
//!     .store(MemoryStore::new()?) // for trying out: with the process, everything is gone
//!     .root_secret(RootSecret::load_or_create(path)?) // "root.key": mode 0600, made at first start
//!     .build()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`build`](crate::Builder::build) makes the signing keys where the store has none, loads the view completely, and
//! starts the tasks that follow the log and tidy up. They end with the last clone of the handle.
//!
//! # A session and its tokens
//! Who the user is, the application has found out before: by a password, a provider, a passkey. Then it opens a
//! session.
//!
//! ```
//! # use rescind::{NoClaims, Rescind, keys::RootSecret, store::MemoryStore};
//! use rescind::{OpenSession, id::{ClientId, Subject}};
//!
//! # #[derive(serde::Deserialize)]
//! # struct Plan { plan: String }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let rescind = Rescind::builder("https://login.example", "https://api.example")
//! #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
//! let mut claims = serde_json::Map::new();
//! claims.insert("plan".into(), "team".into());
//! let pair = rescind
//!     .open_session(OpenSession {
//!         device: Some("Alice's phone".into()),
//!         scope: Some("read write".into()),
//!         claims: Some(claims),
//!         ..OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)
//!     })
//!     .await?;
//!
//! let live = rescind.check(&pair.access_token).await?;
//! assert_eq!(live.subject().as_str(), "alice");
//! live.require_scope("write")?;
//! live.require_fresh(std::time::Duration::from_secs(300))?; // signed in within five minutes
//! let plan = live.with_claims::<Plan>()?.claims().plan.clone(); // any type that serde reads
//! assert_eq!(plan, "team");
//! # Ok(())
//! # }
//! ```
//!
//! The access token is a JWT (RFC 9068); other services verify it with [`jwks`](crate::Rescind::jwks) alone, and do
//! then not hear of revocations. The refresh token is none, so that it can never pass for one; see
//! [refreshing](super::refreshing).
//!
//! # What a check costs, and what its answers mean
//! No store is asked. A token that comes again skips its signature and nothing else: its times, its key and the log are
//! asked at every check.
//!
//! | answer | means | HTTP |
//! |---|---|---|
//! | [`Live`](crate::Live) | verified, and not revoked | the handler runs |
//! | [`Error::Rejected`](crate::Error::Rejected) | the token is bad; [`Rejection::public`](crate::Rejection::public) says what its bearer may learn | 401 or 403 |
//! | [`Error::Stale`](crate::Error::Stale) and every other | nothing is said about the token | 503 |
//!
//! A fault of ours is never a 401, because clients throw their tokens away on 401.
