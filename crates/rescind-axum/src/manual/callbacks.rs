//! Add a check of your own, and hear of what happens.
//!
//! The callbacks are the engine's ([its page](rescind::manual::callbacks) has them all); they are given to the builder
//! once, and every handler, guard and ready-made route obeys them.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use axum::{Router, routing::get};
//! use rescind::access_token::Verified;
//! use rescind::id::{ClientId, Subject};
//! use rescind::keys::RootSecret;
//! use rescind::store::MemoryStore;
//! use rescind::{BoxError, Event, OpenSession, Rescind};
//! use rescind_axum::Live;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let rescind = Rescind::builder("https://id.example", "https://api.example")
//!     .store(MemoryStore::new()?)
//!     .root_secret(RootSecret::from_bytes([7; 32]))
//!     .also_check(|token: Verified| async move {
//!         match token.client().as_str() {
//!             "retired-app" => Ok(false),                     // refused: 401, as any bad token
//!             "unknown" => Err(BoxError::from("no such row")), // a fault: 503, and nothing is said of the token
//!             _ => Ok(true),
//!         }
//!     })
//!     .on_event(|event: &Event| if let Event::Refused { rejection, .. } = event { println!("{rejection}") })
//!     .build()
//!     .await?;
//! let app = Router::new().route("/", get(async |_: Live| "in")).with_state(rescind.clone());
//!
//! for (client, expected) in [("web", 200), ("retired-app", 401), ("unknown", 503)] {
//!     let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new(client)?)).await?;
//!     let request = Request::get("/").header("authorization", format!("Bearer {}", pair.access_token));
//!     let answer = app.clone().oneshot(request.body(Body::empty())?).await?;
//!     assert_eq!(answer.status(), StatusCode::from_u16(expected)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | callback | asked | a no | an error, a panic, or too long |
//! |---|---|---|---|
//! | `also_check` | at every check, after the log | 401 | 503 |
//! | `welcome` | when a session is opened, and at every refresh | sign-in: [`Refusal::WrongCredentials`](crate::Refusal::WrongCredentials), 401; refresh: 400 `invalid_grant` | 503; the refresh token is not spent |
//! | `on_event` | told, after the fact | | logged; changes no answer |
