//! Revoke and lift: logging out, the six scopes, taking a revocation back.
//!
//! # Log out
//! At the word of a token of the session: an access token, an expired one too, or a refresh token. Both kinds die at
//! once.
//!
//! ```
//! # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
//! use rescind::{LogoutScope, Refresh, log::Text};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let rescind = Rescind::builder("https://login.example", "https://api.example")
//! #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
//! # let alice = || -> Result<_, rescind::BoxError> { Ok(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)) };
//! let phone = rescind.open_session(alice()?).await?;
//! let laptop = rescind.open_session(alice()?).await?;
//!
//! rescind.logout(&phone.access_token, LogoutScope::Session, Text::new("alice")?).await?;
//! assert!(rescind.check(&phone.access_token).await.is_err());
//! assert!(rescind.refresh(&phone.refresh_token, Refresh::default()).await.is_err());
//! assert!(rescind.check(&laptop.access_token).await.is_ok());
//!
//! // Everywhere: one entry, however many sessions there are. A sign-in right after it lives.
//! rescind.logout(&laptop.access_token, LogoutScope::All, Text::new("alice")?).await?;
//! assert!(rescind.check(&laptop.access_token).await.is_err());
//! let tablet = rescind.open_session(alice()?).await?;
//! assert!(rescind.check(&tablet.access_token).await.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Revoke by scope
//! A cut-off stands on a scope and kills everything under it that was issued before.
//!
//! | scope | covers | for |
//! |---|---|---|
//! | [`Scope::token`](crate::log::Scope::token) | one access token | a token found in a log file |
//! | [`Scope::session`](crate::log::Scope::session) | a session and all its tokens | a lost phone |
//! | [`Scope::Subject`](crate::log::Scope::Subject) | all sessions of a user | a changed password, a user who left |
//! | [`Scope::Client`](crate::log::Scope::Client) | all sessions of an application | an application that leaks |
//! | [`Scope::Key`](crate::log::Scope::Key) | all that a key signed | a stolen signing key |
//! | [`Scope::All`](crate::log::Scope::All) | everything | the day that nobody wants |
//!
//! ```
//! # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
//! use rescind::{Error, Rejection, Revoke, log::{Scope, ScopeKind, Text}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let rescind = Rescind::builder("https://login.example", "https://api.example")
//! #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
//! # let alice = Subject::new("alice")?;
//! # let pair = rescind.open_session(OpenSession::new(alice.clone(), ClientId::new("app")?)).await?;
//! let scope = Scope::Subject(alice);
//! let entry = rescind
//!     .revoke(Revoke { scope, reason: Text::new("left the company")?, actor: Text::new("hr")? })
//!     .await?;
//! let refused = rescind.check(&pair.access_token).await;
//! assert!(matches!(refused, Err(Error::Rejected(Rejection::Revoked(ScopeKind::Subject)))));
//!
//! // Where several nodes share the store: not before each of them refuses, too.
//! rescind.everywhere(entry.seq).await;
//!
//! // A mistake: the cut-off at that position is lifted. Who, when and why of both stay in the log.
//! rescind.lift(entry.seq, Text::new("wrong Alice")?, Text::new("hr")?).await?;
//! assert!(rescind.check(&pair.access_token).await.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # What "done" means
//! When [`revoke`](crate::Rescind::revoke) returns, the cut-off is on stable storage, and this node accepts nothing
//! that it covers. Every other node stops within the staleness bound (2 s by default), or refuses to answer; see [a
//! stale view](super::stale_view). An error says that nothing is known to be revoked: repeat the call. Twice is as good
//! as once.
//!
//! # Why no clock is compared
//! A token carries the log's position of the moment in which its session was opened, read in the transaction that wrote
//! the row. It is revoked iff an active cut-off on one of its scopes has a higher one. So there is no second in which a
//! new token dies with the old ones, and no skew by which an old one lives.
//!
//! Only the newest entry of a scope can be lifted; [`Error::Conflict`](crate::Error::Conflict) names it otherwise. A
//! revoked *key* does not come back by a lift: it has left the ring.
//!
//! # How long it is remembered
//! The view keeps a cut-off until every access token under it has expired, with leeway and skew, on the store's clock.
//! The store keeps it as long as a session under it may live. Both forget by themselves
//! ([`Store::sweep`](crate::store::Store::sweep)).
