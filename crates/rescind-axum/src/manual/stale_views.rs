//! Say what a route does while the revocation log cannot be followed.
//!
//! A check answers from this process's own view of the log. While the store is away the view grows old, and past the
//! staleness bound (2 s unless set) it may lack a revocation. What then is the operator's word,
//! [`Settings::on_stale`](rescind::Settings::on_stale), and each route may have its own:
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::{Router, routing::{get, post}};
//! use rescind::{OnStale, Rescind};
//! use rescind_axum::Guard;
//!
//! fn app(rescind: Rescind) -> Router {
//!     let guard = || Guard::new(&rescind);
//!     let reading = guard().on_stale(OnStale::AllowFor(Duration::from_secs(30)));
//!     Router::new()
//!         .route("/news", get(async || "news").route_layer(reading))
//!         .route("/files", get(async || "files").route_layer(guard().on_stale(OnStale::Ask)))
//!         .route("/payments", post(async || "paid").route_layer(guard().strict()))
//!         .route("/metrics", get(async || "1").route_layer(guard().skip_revocation_check()))
//! }
//! ```
//!
//! | | while the view is fresh | while it is stale |
//! |---|---|---|
//! | as built, or `OnStale::Refuse` | answers | 503, which says nothing about the token |
//! | `OnStale::Ask` | answers | asks the store |
//! | `OnStale::AllowFor(d)` | answers | answers for so long, with the header `rescind-staleness-ms`; what is known to be revoked stays refused |
//! | `strict()` | asks the store for the log's head, once for all checks of one moment | 503 where the store does not answer |
//! | `skip_revocation_check()` | **a revoked token passes** | the same |
//!
//! Behind `skip_revocation_check` a handler takes [`Unchecked`](crate::Unchecked) in place of [`Live`](crate::Live); one
//! that takes `Live` has the log asked all the same. The header is a [`Guard`](crate::Guard)'s; a handler without one adds
//! it with [`mark_staleness`](crate::mark_staleness).
