//! Refresh and reuse: what a refresh token is worth, and what becomes of one that was stolen.
//!
//! A refresh token names its session and its generation, under a MAC. The store keeps one number a session, the newest
//! generation; no token and no hash of one. So a token of any old generation is recognised for ever.
//!
//! ```
//! # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
//! use std::{sync::Arc, time::Duration};
//! use rescind::{Error, Refresh, Rejection, Verdict, random::SystemRandom, testing::ManualClock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! // In tests, time is what the test says (feature `testing`).
//! let clock = Arc::new(ManualClock::default());
//! # let rescind = Rescind::builder("https://login.example", "https://api.example")
//! #     .store(MemoryStore::with(Arc::clone(&clock) as _, &SystemRandom)?).clock(Arc::clone(&clock) as _)
//! #     .root_secret(RootSecret::from_bytes([7; 32])).build().await?;
//! # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
//! let first = pair.refresh_token;
//! let second = rescind.refresh(&first, Refresh::default()).await?;
//! assert_eq!(second.verdict, Verdict::Rotated);
//!
//! // The reply was lost, or two tabs were equally quick: the one before is answered for ten seconds, with the same successor.
//! let again = rescind.refresh(&first, Refresh::default()).await?;
//! assert_eq!(again.verdict, Verdict::Retried);
//! assert_eq!(again.pair.refresh_token, second.pair.refresh_token);
//!
//! // Later, somebody else has a copy. Which of the two is the thief cannot be known, so the session ends for both.
//! clock.advance(Duration::from_secs(11));
//! rescind.sync().await?;
//! let stolen = rescind.refresh(&first, Refresh::default()).await;
//! assert!(matches!(stolen, Err(Error::Rejected(Rejection::Reused))));
//! let owner = rescind.refresh(&second.pair.refresh_token, Refresh::default()).await;
//! assert!(matches!(owner, Err(Error::Rejected(Rejection::Revoked(_)))));
//! assert!(rescind.check(&second.pair.access_token).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # The table
//! The whole decision is one pure function, [`decide`](crate::refresh_token::decide), with the presented generation
//! `g`, the row's `G` and the store's time:
//!
//! | case | verdict | effect |
//! |---|---|---|
//! | session unknown, ended by time, or covered by a cut-off | refused | none |
//! | `g = G` | rotated | the row moves to `G + 1`; a new pair |
//! | `g = G - 1`, within grace | retried | none; a new access token and the identical refresh token |
//! | `g < G` otherwise | reused | a cut-off on the session, durable before the answer |
//! | `g > G` | ahead | the store lost a rotation that it had acknowledged: go on from `g`, and raise an alarm |
//!
//! The window of grace does not slide, and it closes when the successor is used. How long it is, depends on
//! [`Settings::grace`](crate::Settings::grace) and the session's [`ClientClass`](crate::refresh_token::ClientClass):
//! none for `Strict`, and `Fixed` does not rotate at all, for confidential clients whose tokens are bound to a key.
//!
//! # What is asked, and what is not
//! A refresh asks the store and never the view, so a session that was ended anywhere is ended here. The callback
//! [`welcome`](crate::Builder::welcome) is asked each time; see [callbacks](super::callbacks). A store that fails is
//! [`Error::Store`](crate::Error::Store): the token is not consumed, or the same token gets its successor within grace.
//!
//! [`Settings::checks`](crate::Settings::checks) may leave *access* tokens unchecked
//! ([`Checks::RefreshOnly`](crate::Checks::RefreshOnly)). Refresh tokens are always checked: a view forgets a cut-off
//! on a session once every access token under it has expired, *because* refresh asks the store. Unchecked refresh would
//! bring ended sessions back.
