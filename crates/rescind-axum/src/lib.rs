//! Rescind for axum and tower: a handler that takes [`Live`] runs only for a request whose access token is good and not
//! revoked.
//!
//! A request's way: `bearer` finds the one token → [`rescind::Rescind::check`] → [`Live`], or [`Refusal`], which
//! answers as RFC 6750 §3 asks. The query string is never read for tokens (RFC 6750 §2.3, FAPI 2.0 §5.3.3).
//!
//! ```
//! use axum::{Router, routing::get};
//! use rescind::Rescind;
//! use rescind_axum::Live;
//!
//! #[derive(serde::Deserialize)]
//! struct Mine {
//!     tenant: String,
//! }
//!
//! async fn hello(token: Live) -> String {
//!     format!("hello {}", token.subject())
//! }
//!
//! async fn tenant(token: Live<Mine>) -> String {
//!     token.claims().tenant.clone()
//! }
//!
//! fn app(rescind: Rescind) -> Router {
//!     Router::new().route("/hello", get(hello)).route("/tenant", get(tenant)).with_state(rescind)
//! }
//! ```
//!
//! With a state of your own, say how [`Rescind`](rescind::Rescind) is found in it: `impl FromRef<AppState> for Rescind`.

mod bearer;
#[cfg(feature = "routes")]
pub mod body;
pub mod cookies;
mod guard;
mod live;
#[cfg(feature = "oidc")]
pub mod oidc;
mod refusal;
mod reshape;
#[cfg(feature = "routes")]
mod routes;
mod staleness;
mod tokens;
mod unreadable;

pub use self::bearer::{Malformed, Means, Missing, TokensIn, access_token, bearer_token};
pub use self::cookies::{Cookies, SameSite};
pub use self::guard::{Guard, GuardBody, Guarded, InvalidOrigin, admitted};
pub use self::live::{Live, Unchecked};
pub use self::refusal::{Refusal, plain};
pub use self::reshape::{Reshape, Reshaped, Reshaping};
#[cfg(feature = "routes")]
pub use self::routes::{Routes, routes};
pub use self::staleness::{STALENESS, mark_staleness};
pub use self::tokens::{Tokens, never_stored};
pub use self::unreadable::Unreadable;
