//! Let nobody in without a good token.
//!
//! # One handler
//!
//! A handler that takes [`Live`](crate::Live) does not run for anybody else. The check costs no look-up in a store.
//!
//! ```
//! use axum::{Router, routing::get};
//! use rescind::Rescind;
//! use rescind_axum::Live;
//!
//! async fn whoever_is_signed_in(token: Live) -> String {
//!     format!("hello {}, in session {}", token.subject(), token.sid())
//! }
//!
//! async fn everybody(token: Option<Live>) -> String {
//!     token.map_or_else(|| "hello stranger".to_owned(), |token| format!("hello {}", token.subject()))
//! }
//!
//! fn app(rescind: Rescind) -> Router {
//!     Router::new().route("/", get(everybody)).route("/me", get(whoever_is_signed_in)).with_state(rescind)
//! }
//! ```
//!
//! `Option<Live>` is `None` where no token came. A token that is refused is refused there, too: whoever sends one means
//! to be somebody.
//!
//! # A state of your own
//!
//! ```
//! use axum::extract::{FromRef, State};
//! use axum::{Router, routing::get};
//! use rescind::Rescind;
//! use rescind_axum::Live;
//!
//! #[derive(Clone)]
//! struct App {
//!     rescind: Rescind,
//!     greeting: &'static str,
//! }
//!
//! impl FromRef<App> for Rescind {
//!     fn from_ref(app: &App) -> Self {
//!         app.rescind.clone()
//!     }
//! }
//!
//! async fn greet(State(app): State<App>, token: Live) -> String {
//!     format!("{} {}", app.greeting, token.subject())
//! }
//!
//! fn app(app: App) -> Router {
//!     Router::new().route("/", get(greet)).with_state(app)
//! }
//! ```
//!
//! # Many routes, or no axum
//!
//! [`Guard`](crate::Guard) is a tower layer: it stands before whole routers and before services that know no axum, and
//! its handlers still take [`Live`](crate::Live), without a second check. With `route_layer`, a path that is no route
//! stays 404 for everybody.
//!
//! ```
//! use axum::{Router, routing::get};
//! use rescind::Rescind;
//! use rescind_axum::{Guard, Live};
//!
//! fn app(rescind: Rescind) -> Router {
//!     let inside = Router::new()
//!         .route("/files", get(async || "files"))
//!         .route("/me", get(async |token: Live| token.subject().to_string()))
//!         .route_layer(Guard::new(&rescind));
//!     Router::new().route("/", get(async || "open to all")).nest("/inside", inside).with_state(rescind)
//! }
//! ```
//!
//! # What the others are answered
//!
//! | | status | body's `error` |
//! |---|---|---|
//! | no token | 401 | none (RFC 6750 §3.1) |
//! | an expired, revoked, forged or malformed token | 401 | `invalid_token`, whichever it is; the log is told which |
//! | a header that cannot be read, two tokens | 400 | `invalid_request` |
//! | too little scope | 403 | `insufficient_scope` |
//! | a sign-in too long ago | 401 | `insufficient_user_authentication` (RFC 9470) |
//! | a cookie at the word of another site | 403 | `access_denied` |
//! | a fault of ours | 503 and `Retry-After` | `temporarily_unavailable`; nothing is said about the token |
