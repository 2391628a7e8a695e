//! Test an application that uses Rescind.
//!
//! Give its router a handle on the memory store: real tokens, real revocations, no file and no port. Nothing of a check
//! needs to be faked.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::{Router, routing::get};
//! use rescind::id::{ClientId, Subject};
//! use rescind::keys::RootSecret;
//! use rescind::store::MemoryStore;
//! use rescind::{BoxError, OpenSession, Rescind};
//! use rescind_axum::Live;
//! use tower::ServiceExt;
//!
//! /// The application, as it is run.
//! fn app(rescind: Rescind) -> Router {
//!     Router::new()
//!         .route("/me", get(async |token: Live| token.subject().to_string()))
//!         .merge(rescind_axum::routes(&rescind))
//!         .with_state(rescind)
//! }
//!
//! async fn ask(app: &Router, method: &str, path: &str, token: &str) -> Result<u16, BoxError> {
//!     let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
//!     Ok(app.clone().oneshot(request.body(Body::empty())?).await?.status().as_u16())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let rescind = Rescind::builder("https://id.example", "https://api.example")
//!     .store(MemoryStore::new()?)
//!     .root_secret(RootSecret::from_bytes([7; 32]))
//!     .build()
//!     .await?;
//! let app = app(rescind.clone());
//! let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("web")?)).await?;
//!
//! assert_eq!(ask(&app, "GET", "/me", &pair.access_token).await?, 200);
//! assert_eq!(ask(&app, "GET", "/me", &pair.refresh_token).await?, 401);
//! assert_eq!(ask(&app, "POST", "/logout", &pair.access_token).await?, 200);
//! assert_eq!(ask(&app, "GET", "/me", &pair.access_token).await?, 401);
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `testing` of `rescind` (in `[dev-dependencies]`), two things that production has are in your hand.
//! **Time:** give the builder a `rescind::testing::ManualClock`, advance it past a token's end, and call
//! [`Rescind::sync`](rescind::Rescind::sync), so that the view has heard of the new time. **Faults:** wrap the store into
//! a `rescind::store::FailingStore`, and see that your application passes 503 on and throws no token
//! away:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use rescind::id::{ClientId, Subject};
//! use rescind::keys::RootSecret;
//! use rescind::random::SystemRandom;
//! use rescind::store::{FailingStore, MemoryStore, Store};
//! use rescind::testing::ManualClock;
//! use rescind::time::Clock;
//! use rescind::{BoxError, Error, OpenSession, Refresh, Rejection, Rescind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let clock = Arc::new(ManualClock::default());
//! let time: Arc<dyn Clock> = clock.clone();
//! let store = Arc::new(FailingStore::new(Arc::new(MemoryStore::with(Arc::clone(&time), &SystemRandom)?)));
//! let rescind = Rescind::builder("https://id.example", "https://api.example")
//!     .store(Arc::clone(&store) as Arc<dyn Store>)
//!     .clock(time)
//!     .root_secret(RootSecret::from_bytes([7; 32]))
//!     .build()
//!     .await?;
//! let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("web")?)).await?;
//!
//! store.down();
//! let failed = rescind.refresh(&pair.refresh_token, Refresh::default()).await;
//! assert!(matches!(failed, Err(Error::Store(_))), "503, and the token is not spent");
//! store.up();
//! rescind.refresh(&pair.refresh_token, Refresh::default()).await?;
//!
//! clock.advance(Duration::from_mins(16));
//! rescind.sync().await?;
//! let expired = rescind.check(&pair.access_token).await;
//! assert!(matches!(expired, Err(Error::Rejected(Rejection::Expired))));
//! # Ok(())
//! # }
//! ```
