//! Ask for a scope, or for a sign-in that is not long ago.
//!
//! A session is opened with the words that its tokens may say, and a route asks for them: before the handler by a
//! [`Guard`](crate::Guard), or in it by [`Live::require_scope`](crate::Live::require_scope).
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::{Router, routing::{get, post}};
//! use rescind::id::{ClientId, Subject};
//! use rescind::{OpenSession, Rescind};
//! use rescind_axum::{Guard, Live, Refusal, Tokens};
//!
//! async fn sign_in(rescind: &Rescind) -> Result<Tokens, Refusal> {
//!     let mut session = OpenSession::new(Subject::new("alice")?, ClientId::new("web")?);
//!     session.scope = Some("files:read files:write".to_owned());
//!     Ok(Tokens(rescind.open_session(session).await?))
//! }
//!
//! async fn delete_account(token: Live) -> Result<String, Refusal> {
//!     token.require_scope("files:write")?;
//!     token.require_fresh(Duration::from_mins(5))?;
//!     Ok(format!("goodbye {}", token.subject()))
//! }
//!
//! fn app(rescind: Rescind) -> Router {
//!     let fresh = Guard::new(&rescind).require_scope("files:write").require_fresh(Duration::from_mins(5));
//!     Router::new()
//!         .route("/files", get(async || "files").route_layer(Guard::new(&rescind).require_scope("files:read")))
//!         .route("/password", post(async || "changed").route_layer(fresh))
//!         .route("/account", post(delete_account))
//!         .with_state(rescind)
//! }
//! ```
//!
//! Freshness counts from the claim `auth_time`: when the user last proved who they are. A refresh does not move it, so a
//! token that was refreshed for a month is fresh only after another sign-in. Open a session with an earlier
//! [`auth_time`](rescind::OpenSession::auth_time) where the user proved themselves somewhere else.
//!
//! At refresh a client may ask for less than the session has (`scope` in the body of `POST /refresh`), never for more.
