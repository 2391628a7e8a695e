//! Answer refusals in another system's words, for clients that know its bodies.
//!
//! [`Reshape`](crate::Reshape) finds each refusal, of extractors, guards and ready-made routes alike, and lets you make
//! another answer of it. It is given the [`Refusal`](crate::Refusal) and the answer as the standards have it.
//!
//! ```
//! use axum::response::{IntoResponse, Response};
//! use axum::{Json, Router, routing::get};
//! use http::StatusCode;
//! use rescind::{Rejection, Rescind};
//! use rescind_axum::{Live, Refusal, Reshape};
//!
//! fn in_our_words(refusal: &Refusal, answer: Response) -> Response {
//!     let msg = match refusal {
//!         Refusal::Missing(_) => "Missing Authorization Header",
//!         Refusal::Rejected(Rejection::Expired) => "Token has expired",
//!         Refusal::Rejected(Rejection::Revoked(_)) => "Token has been revoked",
//!         // A fault of ours is no word about the token: 503, `Retry-After` and all.
//!         Refusal::Unavailable { .. } => return answer,
//!         _ => return (StatusCode::UNPROCESSABLE_ENTITY, Json(serde_json::json!({ "msg": "Bad token" }))).into_response(),
//!     };
//!     (answer.status(), Json(serde_json::json!({ "msg": msg }))).into_response()
//! }
//!
//! fn app(rescind: Rescind) -> Router {
//!     Router::new()
//!         .route("/protected", get(async |_: Live| "in"))
//!         .merge(rescind_axum::routes(&rescind))
//!         .layer(Reshape::new(in_our_words))
//!         .with_state(rescind)
//! }
//! ```
//!
//! To tell expired from revoked tells whoever holds a stolen token that it was found out: RFC 6750 §3.1 has one code for
//! both, and so have we unless you choose otherwise. Cookies that an answer clears stand in its headers; keep them.
//!
//! A refusal is a `std::error::Error` besides. In a handler of your own, `?` makes one of a
//! [`rescind::Error`], and [`Refusal::reason`](crate::Refusal::reason) is a stable word for logs.
