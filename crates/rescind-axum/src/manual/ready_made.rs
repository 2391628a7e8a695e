//! Get refresh, logout and sessions without writing them.
//!
//! ```
//! use axum::Router;
//! use rescind::Rescind;
//!
//! fn app(rescind: Rescind) -> Router {
//!     Router::new().nest("/auth", rescind_axum::routes(&rescind)).with_state(rescind)
//! }
//! ```
//!
//! # `POST /refresh`
//!
//! Takes a refresh token: in the body as `refresh_token`, in `Authorization: Bearer`, or in its cookie; answers a new
//! pair the way the token came. Besides: `client_id`, which must then be the session's; `scope`, to ask for less;
//! `grant_type`, which can only be `refresh_token`.
//!
//! ```text
//! {"access_token": "…", "token_type": "Bearer", "expires_in": 871,
//!  "refresh_token": "rrt_…", "refresh_expires_in": 1209600, "session_id": "…"}
//! ```
//!
//! Refused is 400 `invalid_grant` (RFC 6749 §5.2). A token that is presented twice within the grace time, by two tabs or
//! after a lost answer, gets the same successor; later it is reuse, and ends its session. In cookie mode a refusal clears
//! nothing: another tab may have won the race, and its cookies are good.
//!
//! # `POST /logout`
//!
//! Takes either token of the session, an expired access token too, and `scope`: `session` (if left out), `others` or
//! `all`. Answers `{"ended": 1, "scope": "session", "seq": 7}` when that is durable: from there on this process accepts
//! nothing of it, and the others within the staleness bound. A second time it is `{"ended": 0, …}`. Cookies are cleared
//! where their session does not go on, and where their tokens were dead already; not where the request was bad or the
//! store failed.
//!
//! # `GET /sessions`, `DELETE /sessions/{sid}`
//!
//! The caller's own: `session_id`, `client_id`, `device`, `opened_at`, `last_used_at`, `expires_at`, `current`. To end
//! somebody else's is 404, as for one that does not exist.
//!
//! # More than that
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::Router;
//! use rescind::Rescind;
//! use rescind_axum::{Cookies, InvalidOrigin, Routes};
//!
//! fn app(rescind: &Rescind) -> Result<Router, InvalidOrigin> {
//!     let routes = Routes::new(rescind)
//!         .cookies(Cookies::new())
//!         .trust_origin("https://app.example.com")?
//!         .after_logout("/goodbye")
//!         .patience(Duration::from_secs(5));
//!     Ok(routes.into_router())
//! }
//! ```
//!
//! Bodies are read strictly: at most 64 KiB, in bounded time, no member twice, none of a JSON body that is unknown. The
//! same reading is there for your own routes in [`body`](crate::body).
