//! Rescind for axum and tower: revocable JWTs for a service of your own. A handler that takes [`Live`] runs only for a
//! request whose access token is good and not revoked.
//!
//! # A whole service
//!
//! Sign in, refresh, log out here, log out everywhere, and a protected route:
//!
//! ```
//! use axum::{Json, Router, extract::State, routing::get, routing::post};
//! use rescind::{OpenSession, Rescind, id::ClientId, id::Subject, keys::RootSecret};
//! use rescind_axum::{Live, Refusal, Tokens};
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     let folder = tempfile::TempDir::new()?;
//! #     std::env::set_current_dir(&folder)?;
//!     let store = rescind_stores::sqlite::SqliteStore::open("rescind.db").await?;
//!     let builder = Rescind::builder("https://id.example", "https://api.example").store(store);
//!     let rescind = builder.root_secret(RootSecret::load_or_create("root.key")?).build().await?;
//!     let app = Router::new().route("/login", post(login)).route("/protected", get(protected));
//!     let app = app.merge(rescind_axum::routes(&rescind)).with_state(rescind);
//! #     if true { return walk(app).await; } // all but the listener
//!     Ok(axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?)
//! }
//! async fn login(State(rescind): State<Rescind>, Json(user): Json<serde_json::Value>) -> Result<Tokens, Refusal> {
//!     let known = user == serde_json::json!({ "username": "demo", "password": "demo" }); // your own check of who it is
//!     let subject = Subject::new(known.then_some("demo").ok_or(Refusal::WrongCredentials)?)?;
//!     Ok(Tokens(rescind.open_session(OpenSession::new(subject, ClientId::new("web")?)).await?))
//! }
//! async fn protected(token: Live) -> String {
//!     format!("hello {}", token.subject())
//! }
//! # /// Signs in, calls, refreshes, logs out everywhere, and is refused.
//! # async fn walk(app: Router) -> Result<(), Box<dyn std::error::Error>> {
//! #     use axum::{body::{Body, to_bytes}, http::Request};
//! #     use serde_json::{Value, json};
//! #     use tower::ServiceExt;
//! #     let ask = async |method: &str, path: &str, token: &str, body: Value| {
//! #         let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
//! #         let request = if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
//! #         let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
//! #         let answer = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
//! #         let status = answer.status().as_u16();
//! #         let body = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
//! #         (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
//! #     };
//! #     let sign_in = |password: &str| json!({ "username": "demo", "password": password });
//! #     let member = |answer: &(u16, Value), name: &str| answer.1[name].as_str().unwrap_or_default().to_owned();
//! #     assert_eq!(ask("POST", "/login", "", sign_in("wrong")).await.0, 401);
//! #     let (here, there) = (ask("POST", "/login", "", sign_in("demo")).await, ask("POST", "/login", "", sign_in("demo")).await);
//! #     let (access, other) = (member(&here, "access_token"), member(&there, "access_token"));
//! #     assert_eq!(ask("GET", "/protected", &access, Value::Null).await.0, 200);
//! #     assert_eq!(ask("GET", "/protected", "", Value::Null).await.0, 401);
//! #     let refreshed = ask("POST", "/refresh", "", json!({ "refresh_token": member(&here, "refresh_token") })).await;
//! #     assert_eq!(ask("GET", "/protected", &member(&refreshed, "access_token"), Value::Null).await.0, 200);
//! #     assert_eq!(ask("POST", "/logout", &access, Value::Null).await.0, 200);
//! #     assert_eq!(ask("GET", "/protected", &access, Value::Null).await.0, 401);
//! #     assert_eq!(ask("GET", "/protected", &other, Value::Null).await.0, 200);
//! #     let spent = json!({ "refresh_token": member(&refreshed, "refresh_token") });
//! #     assert_eq!(ask("POST", "/refresh", "", spent).await.0, 400);
//! #     assert_eq!(ask("POST", "/logout", &other, json!({ "scope": "all" })).await.0, 200);
//! #     assert_eq!(ask("GET", "/protected", &other, Value::Null).await.0, 401);
//! #     Ok(())
//! # }
//! ```
//!
//! It is the example program `minimal`. With a state of your own, say how [`Rescind`](rescind::Rescind) is found in it:
//! `impl FromRef<AppState> for Rescind`.
//!
//! # A request's way
//!
//! ```text
//! request
//!   |  access_token        the one token of header or cookie; the query string is never read (RFC 6750 §2.3)
//!   |  Guard               by cookie: at the word of this site? then the check, then scope and freshness, by route
//!   |  Rescind::check      shape, signature, claims, and no cut-off in the revocation log; no store is asked
//!   |  Live<C>             the handler's proof, with the claims that it reads
//! handler
//!   |  Refusal             or why not: 401 for a bad token, 403 for too little, 503 for a fault of ours
//!   |  Reshape             in other words, where clients expect another system's
//! answer
//! ```
//!
//! A [`Guard`] is for whole routers and for services without axum; a handler that takes [`Live`] needs none. The
//! [`manual`] has a page for each task.
//!
//! # Features
//!
//! `routes` (on by default): the [ready-made routes](routes()); without it no axum is compiled, only axum-core. `oidc`:
//! sign-in with OpenID Connect providers. `follow`: [a service without a store](manual::following). No feature compiles a database: stores are a crate of their own.

mod bearer;
#[cfg(feature = "routes")]
pub mod body;
pub mod cookies;
#[cfg(feature = "follow")]
pub mod follow;
mod guard;
mod live;
pub mod manual;
#[cfg(feature = "oidc")]
pub mod oidc;
mod refusal;
mod reshape;
#[cfg(feature = "routes")]
mod routes;
mod staleness;
mod tokens;
mod unique;
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
