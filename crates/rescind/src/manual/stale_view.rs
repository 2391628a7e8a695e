//! A stale view: what is answered while the store is away.
//!
//! A check reads the *view*, the part of the log that can still matter, in this process's memory. A task follows the
//! log and says up to when the view is complete. While that is no longer ago than the staleness bound
//! ([`Settings::staleness_bound`](crate::Settings::staleness_bound), 2 s), the view is fresh, and a store that hiccups
//! is not noticed at all. Behind the bound nobody can know what was revoked since, and the check does as it was told:
//!
//! | [`OnStale`](crate::OnStale) | a token that is known to be revoked | any other |
//! |---|---|---|
//! | `Refuse` (default) | [`Error::Stale`](crate::Error::Stale): 503 | the same |
//! | `Ask` | asks the store, and then refuses | asks the store; `Stale` where it cannot say |
//! | `AllowFor(d)` | refused | passes while the view is no older than `d`; [`Live::staleness`](crate::Live::staleness) says how old |
//!
//! Never is a token called bad because the store is away.
//!
//! ```
//! # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, random::SystemRandom, store::MemoryStore};
//! use std::{sync::Arc, time::Duration};
//! use rescind::{Error, OnStale, Policy, store::FailingStore, testing::ManualClock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! // A clock that is moved, and a store that fails when told to (feature `testing`).
//! let clock = Arc::new(ManualClock::default());
//! let memory = MemoryStore::with(Arc::clone(&clock) as _, &SystemRandom)?;
//! let store = Arc::new(FailingStore::new(Arc::new(memory)));
//! # let rescind = Rescind::builder("https://login.example", "https://api.example")
//! #     .store(Arc::clone(&store)).clock(Arc::clone(&clock) as _)
//! #     .root_secret(RootSecret::from_bytes([7; 32])).build().await?;
//! # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
//! # rescind.sync().await?;
//! store.down();
//! clock.advance(Duration::from_secs(1));
//! assert!(rescind.check(&pair.access_token).await.is_ok(), "within the bound");
//! clock.advance(Duration::from_secs(9));
//! assert!(matches!(rescind.check(&pair.access_token).await, Err(Error::Stale { .. })));
//!
//! // A route on which old news is better than none:
//! let patient = Policy::Bounded(OnStale::AllowFor(Duration::from_secs(60)));
//! let live = rescind.check_as(&pair.access_token, patient).await?;
//! assert!(live.staleness().is_some());
//!
//! store.up();
//! rescind.sync().await?;
//! assert!(rescind.check(&pair.access_token).await?.staleness().is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Stricter than the bound
//! [`Policy::Strict`](crate::Policy::Strict) makes a check complete as of the request: it waits for one read of the
//! log's head, which all checks of the same moment share. For routes on which two seconds are too long: payments,
//! administration.
//!
//! # A store that comes back
//! It may come back as an older copy, flushed, or as another one. Entries come with a chain of tags under the name of
//! one history (an *incarnation*); where they do not fit, nothing is answered, an alarm is raised, and what this node
//! still knows is written anew under a new incarnation. Where nobody knows it any more, everything is cut off: everyone
//! signs in again, and nobody revoked comes back. Give the builder a [`high_water`](crate::Builder::high_water) file,
//! so that this holds across a restart, too.
//!
//! Before its first complete load a handle answers nothing, since [`build`](crate::Builder::build) does not return
//! before.
