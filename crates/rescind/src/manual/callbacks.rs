//! Callbacks: the application's own check, its look-up of users, and what it hears.
//!
//! ```
//! use rescind::{Event, OpenSession, Refresh, Rejection, Rescind, access_token::Verified};
//! use rescind::{Error, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
//! # use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), rescind::BoxError> {
//! # let employed = Arc::new(AtomicBool::new(true));
//! # let directory = Arc::clone(&employed);
//! let (news, mut heard) = tokio::sync::mpsc::channel(1024);
//! let rescind = Rescind::builder("https://login.example", "https://api.example")
//!     .store(MemoryStore::new()?)
//!     .root_secret(RootSecret::from_bytes([7; 32]))
//!     // Is this user still welcome? Asked at every opening and refresh.
//!     .welcome(move |subject: Subject| {
//! #         let directory = Arc::clone(&directory);
//!         async move { Ok(subject.as_str() != "mallory" && directory.load(Ordering::Relaxed)) }
//!     })
//!     // The application's own word on a token that is verified and not revoked. Asked at every check.
//!     .also_check(|token: Verified| async move { Ok(token.client().as_str() != "old-app") })
//!     // Hears what was done, after the fact. It must not block.
//!     .on_event(move |event: &Event| drop(news.try_send(event.clone())))
//!     .build()
//!     .await?;
//!
//! let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
//! assert!(matches!(heard.recv().await, Some(Event::Issued(_))));
//!
//! employed.store(false, Ordering::Relaxed); // Alice left
//! let refused = rescind.refresh(&pair.refresh_token, Refresh::default()).await;
//! assert!(matches!(refused, Err(Error::Rejected(Rejection::SubjectUnwelcome))));
//! let Some(Event::Refused { rejection, bearer, .. }) = heard.recv().await else { panic!("a refusal") };
//! assert_eq!(rejection.reason(), "subject_unwelcome");
//! assert_eq!(bearer.sid, Some(pair.session_id));
//! # Ok(())
//! # }
//! ```
//!
//! Each is a trait with one method, [`Welcome`](crate::Welcome), [`AlsoCheck`](crate::AlsoCheck) and
//! [`OnEvent`](crate::OnEvent), which closures of the shapes above have by themselves.
//!
//! # A callback that fails lets nobody in
//! | what it does | check, refresh, opening |
//! |---|---|
//! | says no | refused: [`Rejection::AlsoCheck`](crate::Rejection::AlsoCheck), [`Rejection::SubjectUnwelcome`](crate::Rejection::SubjectUnwelcome), [`Invalid::Unwelcome`](crate::Invalid::Unwelcome) |
//! | returns an error | [`Error::Callback`](crate::Error::Callback): 503 |
//! | takes longer than [`Settings::callback_timeout`](crate::Settings::callback_timeout) | the same |
//! | panics | the same |
//!
//! In none of these cases is a refresh token consumed. A panic of `on_event` is logged, and changes no answer.
//!
//! # Unwelcome and revoked
//! `welcome` stops new tokens; those that are out live until they expire. To put a user out at once, say no first and
//! then cut the [subject](crate::log::Scope::Subject) off; a sign-in under way is caught between the two, since
//! `welcome` is asked once before a session's row is written and once after.
//!
//! # What is told
//! [`Event`](crate::Event) tells what *this* handle did: issued, refreshed, retried, reuse found, revoked, lifted,
//! refused and why. A revocation is told when it is durable. Names are told as far as a signature vouches for them, and
//! no token's text ever. What other nodes revoke is in the [log](crate::Rescind::log).
