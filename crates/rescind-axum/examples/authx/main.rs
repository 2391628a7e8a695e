//! AuthX's documents rebuilt: pairs of tokens, the blocklist and its callback, sessions, scopes and fresh tokens. Routes,
//! bodies and status codes are those of AuthX 1.7.1, its faults are not: `docs/from-authx.md` has both side by side.
//!
//! ```sh
//! cargo run --release -p rescind-axum --example authx
//! curl --json '{"username":"test","password":"test"}' http://127.0.0.1:8000/login
//! ```

#[path = "../common/mod.rs"]
mod common;
mod wire;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use rescind::access_token::Verified;
use rescind::id::{ClientId, Subject};
use rescind::log::{ScopeKind, Text};
use rescind::refresh_token::looks_like_refresh_token;
use rescind::{BoxError, Error, Introspection, LogoutScope, OpenSession, Refresh, Rejection, Rescind, Settings};
use rescind_axum::{Live, Refusal, Reshape, TokensIn, access_token, bearer_token};
use serde::Deserialize;
use serde_json::{Value, json};

use self::common::Outcome;
use self::wire::Failure;

/// The service's own name, in every token. It does not change with the listener: tokens outlive a restart.
const ISSUER: &str = "https://authx.example";
const AUDIENCE: &str = "https://authx.example/api";

struct User {
    name: &'static str,
    password: &'static str,
    scopes: &'static [&'static str],
}

/// The document's users. Yours have password hashes, in a database.
const USERS: [User; 2] = [
    User { name: "test", password: "test", scopes: &["posts:read"] },
    User { name: "admin", password: "admin", scopes: &["users:*"] },
];

#[tokio::main]
async fn main() -> Outcome {
    let stage = common::stage("authx", 8000).await?;
    eprintln!(r#"sign in: curl --json '{{"username":"test","password":"test"}}' {}/login"#, stage.url);
    let names = Arc::new(stage.data.join("suspended.txt"));
    let rescind = Rescind::builder(ISSUER, AUDIENCE)
        // The one line that changes with the store, chosen by `--store` here: `.store(MemoryStore::new()?)` in a test,
        // `.store(SqliteStore::open("rescind.db").await?)` for one node. A store that many nodes share takes its place.
        .store(stage.store)
        .root_secret(stage.root)
        .high_water(stage.data.join("high-water"))
        .settings(Settings { idle: Duration::from_hours(20 * 24), ..Settings::default() })
        // The document's `set_callback_token_blocklist`. The log is asked without it: it is for what only you know. It is
        // given the verified claims and not the token's text, which can be spelled in many ways.
        .also_check({
            let names = Arc::clone(&names);
            move |token: Verified| is_in_good_standing(Arc::clone(&names), token.subject().clone())
        })
        // Asked at sign-in and at refresh: whom the check refuses gets no new tokens either.
        .welcome(move |subject: Subject| is_in_good_standing(Arc::clone(&names), subject))
        .build()
        .await?;
    common::serve(stage.listener, app(rescind.clone()), rescind).await
}

fn app(rescind: Rescind) -> Router {
    Router::new()
        .route("/protected", get(protected))
        .route("/fresh-required", get(fresh_required))
        .route("/users", get(users))
        .route("/sessions", get(sessions))
        .route("/sessions/{session_id}/revoke", post(revoke_session))
        .route("/sessions/revoke-all", post(revoke_all))
        .route_layer(from_fn_with_state(rescind.clone(), access_token_required))
        .route("/login", post(login))
        .route("/refresh", post(refresh))
        .route("/logout", post(logout))
        .layer(Reshape::new(wire::reshape))
        .with_state(rescind)
}

/// The application's own word on a user, in place of your table of accounts: one suspended name a line. An error is
/// answered with 503 and lets nobody in.
async fn is_in_good_standing(suspended: Arc<PathBuf>, subject: Subject) -> Result<bool, BoxError> {
    match tokio::fs::read_to_string(&*suspended).await {
        Ok(names) => Ok(names.lines().all(|name| name != subject.as_str())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

/// Takes JSON, and the query as the document's first example does. Prefer JSON: URLs end up in logs.
async fn login(
    State(rescind): State<Rescind>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    query: Result<Query<Login>, QueryRejection>,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Failure> {
    let Login { username, password } = match (body, query) {
        (Ok(Json(login)), _) | (_, Ok(Query(login))) => login,
        (Err(rejection), Err(_)) => return Err(Failure::unprocessable(&rejection.body_text())),
    };
    let known = USERS.iter().find(|user| user.name == username && user.password == password);
    let user = known.ok_or(Refusal::WrongCredentials)?;
    let mut session = OpenSession::new(Subject::new(user.name).map_err(fault)?, ClientId::new("web").map_err(fault)?);
    session.device = Some(wire::device(peer.ip(), &headers));
    // Who has just proved who they are is `fresh`. A refresh leaves that word out.
    session.scope = Some("user fresh".to_owned());
    session.claims = json!({ "type": "access", "scopes": user.scopes }).as_object().cloned();
    Ok(wire::pair(&rescind.open_session(session).await?))
}

/// The refresh token changes at every use. The one before is answered for a few seconds more, for lost replies and second
/// tabs; after that its use is theft, and the session ends.
async fn refresh(State(rescind): State<Rescind>, headers: HeaderMap) -> Result<Response, Failure> {
    let (token, _) = access_token(&headers, TokensIn::Header)??;
    if !looks_like_refresh_token(token) {
        rescind.check(token).await?;
        return Err(Failure::required("Refresh"));
    }
    let narrower = Refresh { scope: Some("user".to_owned()), ..Refresh::default() };
    Ok(wire::pair(&rescind.refresh(token, narrower).await?.pair))
}

/// Ends the session: both tokens are dead, and all others of the session with them, when this answers. Takes either
/// token, and an expired one too: whoever has only the refresh token left must be able to log out.
async fn logout(State(rescind): State<Rescind>, headers: HeaderMap) -> Result<Json<Value>, Failure> {
    let (token, _) = access_token(&headers, TokensIn::Header)??;
    let ended = rescind.logout(token, LogoutScope::Session, by_user()?).await?.ended;
    // It had ended already.
    if ended.is_empty() { Err(Rejection::Revoked(ScopeKind::Session).into()) } else { Ok(message("Logged out")) }
}

async fn protected(_: Live) -> Json<Value> {
    message("Access granted")
}

async fn fresh_required(token: Live) -> Result<Json<Value>, Refusal> {
    // Not of a scope's absence: what helps is to sign in again.
    token.require_scope("fresh").map_err(|_| Rejection::NotFresh)?;
    Ok(message("Access granted"))
}

/// The application's own claims: AuthX's `scopes`.
#[derive(Deserialize)]
struct Claims {
    scopes: Vec<String>,
}

async fn users(token: Live<Claims>) -> Result<Json<Value>, Failure> {
    scope_required("users:read", &token.claims().scopes)?;
    Ok(message("Access granted"))
}

/// AuthX's rule: `users:*` grants `users` and all under it.
fn scope_required(required: &str, provided: &[String]) -> Result<(), Failure> {
    let grants = |provided: &String| match provided.strip_suffix(":*") {
        Some(space) => required.strip_prefix(space).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')),
        None => provided == required,
    };
    if provided.iter().any(grants) { Ok(()) } else { Err(Failure::insufficient_scope(required, provided)) }
}

async fn sessions(token: Live, State(rescind): State<Rescind>) -> Result<Json<Value>, Failure> {
    let live = rescind.live_sessions_of(token.subject(), 100).await?;
    Ok(Json(json!({ "sessions": live.iter().map(|it| wire::session(&it.session)).collect::<Vec<_>>() })))
}

/// Ends one of the caller's own sessions, and all tokens of it. Somebody else's is as one that does not exist.
async fn revoke_session(
    token: Live,
    State(rescind): State<Rescind>,
    Path(session_id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let sid = session_id.parse().map_err(|_| Refusal::NotFound)?;
    let found = rescind.session(sid).await?;
    found.filter(|it| it.session.subject == *token.subject()).ok_or(Refusal::NotFound)?;
    rescind.end(sid, LogoutScope::Session, by_user()?).await?;
    Ok(message("Session revoked"))
}

/// Ends all of the caller's sessions, by one entry in the log however many they are.
async fn revoke_all(token: Live, State(rescind): State<Rescind>) -> Result<Json<Value>, Failure> {
    rescind.end(token.sid(), LogoutScope::All, by_user()?).await?;
    Ok(message("All sessions revoked"))
}

/// Tells a client that sends its refresh token by mistake so, as AuthX does. [`Live`] would refuse it without: a refresh
/// token of Rescind is no JWT.
async fn access_token_required(
    State(rescind): State<Rescind>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let Ok(Some(token)) = bearer_token(request.headers()) else { return Ok(next.run(request).await) };
    if !looks_like_refresh_token(token) {
        return Ok(next.run(request).await);
    }
    Err(match rescind.introspect(token).await? {
        Introspection::Inactive => {
            let refused = rescind.inspect(token).await.refused;
            // Not by the log, so by the application's word on refresh tokens.
            refused.map_or_else(|| Failure::required("Access"), Failure::from)
        }
        _ => Failure::required("Access"),
    })
}

/// Who is named in the log.
fn by_user() -> Result<Text, Error> {
    Text::new("user").map_err(fault)
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}

fn message(text: &str) -> Json<Value> {
    Json(json!({ "message": text }))
}
