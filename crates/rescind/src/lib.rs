//! Rescind's engine: revocable JWTs. No HTTP, no SQL; time and randomness come in as arguments.
//!
//! ```
//! use rescind::{LogoutScope, OpenSession, Refresh, Rescind, log::Text};
//! use rescind::{id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! let rescind = Rescind::builder("https://login.example", "https://api.example")
//!     .store(MemoryStore::new()?)
//!     .root_secret(RootSecret::from_bytes([7; 32]))
//!     .build()
//!     .await?;
//! let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
//! assert!(rescind.check(&pair.access_token).await.is_ok());
//!
//! rescind.logout(&pair.access_token, LogoutScope::Session, Text::new("alice")?).await?;
//! assert!(rescind.check(&pair.access_token).await.is_err()); // from now on, on this node; elsewhere within 2 s
//! assert!(rescind.refresh(&pair.refresh_token, Refresh::default()).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! The [`manual`] has a page per task. For axum and tower there is the crate `rescind-axum`, for durable stores
//! `rescind-stores`, and as a server of its own the binary `rescind`.
//!
//! # The way of an access token through these files
//! 1. **Issued:** [`Rescind::open_session`] writes a session at the log's head ([`store::Store::open`]) and mints a
//!    token that carries that position ([`access_token::issue`]).
//! 2. **Checked:** [`Rescind::check`] takes the text to [`access_token::Unverified`] (its shape), to
//!    [`access_token::Verified`] (signature, then claims), asks the [`view`] for a cut-off above its position, and
//!    gives a [`Live`]. No store is asked.
//! 3. **Refreshed:** [`Rescind::refresh`] checks the refresh token's MAC ([`refresh_token`]), loads the session, decides
//!    by one pure function ([`refresh_token::decide`]), and moves the session's generation on.
//!
//! # The way of a revocation
//! [`Rescind::revoke`] appends a cut-off to the log ([`store::Store::append`]): durable when that returns. The follower
//! reads the log into the view, and then the caller hears "done". From there on this node accepts nothing that the
//! cut-off covers.
//!
//! # The rule, whole
//! A token is revoked iff some active cut-off on one of its scopes has a higher position than the token. No wall clock
//! is compared.
//!
//! # Features
//! * `testing` (off by default): the conformance suite of stores, a store that fails when told to, a clock that is moved.

pub mod access_token;
mod handle;
mod high_water;
pub mod id;
pub mod keys;
pub mod log;
pub mod manual;
pub mod position;
pub mod provider_token;
pub mod random;
pub mod refresh_token;
pub mod rejection;
pub mod session;
mod signal;
pub mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod view;

pub use handle::{
    AlsoCheck, Bearer, BoxError, BuildError, Builder, Checks, Counts, Error, Event, Everywhere, FetchKeys, Inspection,
    Introspection, Invalid, InvalidSetting, KeyStatus, Kind, KnownLog, Live, LiveForeign, LoggedOut, LogoutScope,
    MOST_LEEWAY, Minted, NoClaims, NodeState, NodeStatus, NotFound, OnEvent, OnStale, OpenSession, Policy, Reached,
    ReadClaims, Readiness, Refresh, Refreshed, Rescind, Revoke, Settings, Stats, TokenPair, Verdict, Welcome,
};
pub use high_water::{HighWater, HighWaterError};
pub use rejection::Rejection;
