//! Keep a browser's tokens in cookies, out of reach of scripts and of other sites.
//!
//! ```
//! use axum::extract::{Form, State};
//! use axum::response::Response;
//! use axum::{Router, routing::{get, post}};
//! use rescind::id::{ClientId, Subject};
//! use rescind::{OpenSession, Rescind};
//! use rescind_axum::{Cookies, Guard, InvalidOrigin, Live, Refusal, Routes, Tokens, TokensIn};
//!
//! #[derive(serde::Deserialize)]
//! struct SignIn {
//!     name: String,
//!     password: String,
//! }
//!
//! async fn login(State(rescind): State<Rescind>, Form(it): Form<SignIn>) -> Result<Response, Refusal> {
//!     if it.password != "demo" {
//!         return Err(Refusal::WrongCredentials);
//!     }
//!     let session = OpenSession::new(Subject::new(&it.name)?, ClientId::new("web")?);
//!     Ok(Tokens(rescind.open_session(session).await?).in_cookies(Cookies::new())?)
//! }
//!
//! fn app(rescind: Rescind) -> Result<Router, InvalidOrigin> {
//!     let guard = Guard::new(&rescind).tokens_in(TokensIn::HeaderOrCookie).trust_origin("https://app.example.com")?;
//!     let inside = Router::new()
//!         .route("/me", get(async |token: Live| token.subject().to_string()))
//!         .route("/files", post(async || "stored"))
//!         .route_layer(guard);
//!     let auth = Routes::new(&rescind).cookies(Cookies::new()).trust_origin("https://app.example.com")?;
//!     Ok(Router::new()
//!         .route("/login", post(login))
//!         .merge(inside)
//!         .nest("/auth", auth.into_router())
//!         .with_state(rescind))
//! }
//! ```
//!
//! **The cookies** are `__Host-rescind_access` and `__Host-rescind_refresh`: `Secure`, `HttpOnly`, `Path=/`, no `Domain`,
//! `SameSite=Strict` unless [`Cookies::with_same_site`](crate::Cookies::with_same_site) says `Lax`. A browser takes a
//! `__Host-` cookie from the host itself only, so no sibling host can plant one. Two of one name are refused: which is
//! meant cannot be told. A token that no browser would keep (4096 bytes with its name) is an error and not a silence.
//!
//! **Other sites** cannot change anything with them. Where the token came by cookie, a method other than GET, HEAD and
//! OPTIONS is 403 if `Sec-Fetch-Site`, or `Origin` where a browser sends none of that, tells of another site; so is a GET
//! that opens a WebSocket. Any other handler for GET must therefore change nothing. A header needs no such defence: no
//! page can make a browser send it.
//!
//! A sign-in has no cookie yet, so its own route is not defended by a guard. Refuse forms of other sites there with
//! tower-http's `CsrfLayer`, or an attacker signs your user in as somebody else.
//!
//! **One place.** A request with a token in header and cookie, or cookie and body, is 400. A cookie counts only where
//! [`TokensIn`](crate::TokensIn) says so, and a handler without a guard reads the header alone.
