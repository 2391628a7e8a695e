//! Put claims of your own into tokens, and read them as a type.
//!
//! ```
//! use axum::{Router, routing::get};
//! use rescind::id::{ClientId, Subject};
//! use rescind::{OpenSession, Rescind};
//! use rescind_axum::{Live, Refusal, Tokens};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Mine {
//!     tenant: String,
//!     #[serde(default)]
//!     admin: bool,
//! }
//!
//! async fn sign_in(rescind: &Rescind) -> Result<Tokens, Refusal> {
//!     let mut session = OpenSession::new(Subject::new("alice")?, ClientId::new("web")?);
//!     session.claims = serde_json::json!({ "tenant": "acme", "admin": true }).as_object().cloned();
//!     Ok(Tokens(rescind.open_session(session).await?))
//! }
//!
//! async fn tenant(token: Live<Mine>) -> String {
//!     let Mine { tenant, admin } = token.claims();
//!     format!("{tenant}{}", if *admin { ", as its admin" } else { "" })
//! }
//!
//! fn app(rescind: Rescind) -> Router {
//!     Router::new().route("/tenant", get(tenant)).with_state(rescind)
//! }
//! ```
//!
//! They stand beside the registered claims, in every access token of the session. A name that is reserved, such as `sub`
//! or `seq`, is refused when the session is opened. They are fixed while the session lives: whoever changes a role
//! revokes the subject ([`Rescind::revoke`](rescind::Rescind::revoke)), and the next sign-in has the new one.
//!
//! A good token whose claims do not fit the type is 403 ([`Refusal::OtherClaims`](crate::Refusal::OtherClaims)), never
//! 401: its holder would throw a good token away. Claims are parsed at each request that reads them; a plain
//! [`Live`](crate::Live) parses nothing.
