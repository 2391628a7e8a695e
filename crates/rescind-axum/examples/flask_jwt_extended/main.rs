//! flask-jwt-extended's token revoking on Rescind: the routes, bodies and status codes of its programs `blacklist`,
//! `redis_blacklist` and `database_blacklist`, its fresh tokens, and the errors of version 4.7.1. Owns the routes; what
//! is said when a token is refused stands in `words`, the list of a user's tokens in `tokens`.
//!
//! Run it, and sign in as `test` with the password `test`:
//!
//! ```text
//! cargo run --release -p rescind-axum --example flask_jwt_extended
//! curl -X POST localhost:5000/login -H 'Content-Type: application/json' -d '{"username":"test","password":"test"}'
//! curl localhost:5000/protected -H "Authorization: Bearer $ACCESS"
//! curl -X DELETE localhost:5000/logout -H "Authorization: Bearer $ACCESS"   # the refresh token is dead, too
//! ```

#[path = "../common/mod.rs"]
mod common;
mod tokens;
mod words;

use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};
use rescind::access_token::Verified;
use rescind::id::{ClientId, Subject};
use rescind::keys::Algorithm;
use rescind::log::Text;
use rescind::refresh_token::ClientClass;
use rescind::{Checks, Error, LogoutScope, OpenSession, Refresh, Rejection, Rescind, Settings, TokenPair};
use rescind_axum::Live;
use serde::Deserialize;
use serde_json::{Value, json};

use self::common::Outcome;
use self::words::{Answer, Fault, bearer, msg};

/// A program's own name for itself, in its tokens: it stays when the address changes.
const ISSUER: &str = "http://localhost:5000";
/// `JWT_BLACKLIST_TOKEN_CHECKS`. Without `"access"` an access token lives until it expires, whatever is revoked.
const TOKEN_CHECKS: [&str; 2] = ["access", "refresh"];
/// Every token has this OAuth scope.
const API: &str = "api";
/// A token straight from a sign-in has this one besides: `fresh=True`. No refreshed token gets it.
const FRESH: &str = "fresh";
/// Whose users may use the program, as their tokens claim it.
const CUSTOMERS: [&str; 1] = ["acme"];

#[tokio::main]
async fn main() -> Outcome {
    let stage = common::stage("flask_jwt_extended", 5000).await?;
    let settings = Settings {
        access_lifetime: Duration::from_mins(15), // JWT_ACCESS_TOKEN_EXPIRES
        access_jitter: 0,
        idle: Duration::from_hours(30 * 24), // JWT_REFRESH_TOKEN_EXPIRES
        absolute: Duration::from_hours(30 * 24),
        checks: Checks::parse(TOKEN_CHECKS)?,
        ..Settings::default()
    };
    let rescind = Rescind::builder(ISSUER, ISSUER)
        .store(stage.store)
        .root_secret(stage.root) // JWT_SECRET_KEY, made at first start
        .high_water(stage.data.join("high-water"))
        .algorithm(Algorithm::Hs256) // JWT_ALGORITHM; without this line EdDSA
        .settings(settings)
        // @jwt.user_lookup_loader: asked at every sign-in and refresh.
        .welcome(|subject: Subject| async move { Ok(password_of(subject.as_str()).is_some()) })
        // @jwt.token_verification_loader: the word on a token's claims, asked at every check. There is no
        // @jwt.token_in_blocklist_loader to write: that one is the library.
        .also_check(|token: Verified| async move {
            Ok(token.claims::<Company>().is_ok_and(|claims| CUSTOMERS.contains(&claims.company.as_str())))
        })
        .build()
        .await?;
    common::serve(stage.listener, app(&rescind), rescind).await
}

/// What this program puts into every access token: `additional_claims`.
#[derive(Deserialize)]
struct Company {
    company: String,
}

/// What a logout says.
#[derive(Clone, Copy)]
struct Done(&'static str);

fn app(rescind: &Rescind) -> Router {
    let in_other_words = |text| Extension(Done(text));
    // `redis_blacklist` and `database_blacklist` answer 201.
    let created = Router::new()
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .layer(map_response(created));
    Router::new()
        .route("/login", post(login))
        .route("/fresh-login", post(fresh_login))
        .route("/refresh", post(refresh))
        .route("/logout", delete(logout))
        .route("/logout2", delete(logout2))
        .route("/protected", get(async |_: Live| Json(json!({ "hello": "world" }))))
        .route("/protected-fresh", get(protected_fresh))
        .route("/auth/access_revoke", delete(logout).layer(in_other_words("Access token revoked")))
        .route("/auth/refresh_revoke", delete(logout2).layer(in_other_words("Refresh token revoked")))
        .route("/auth/token", get(tokens::list))
        .route("/auth/token/{id}", put(tokens::set))
        .merge(created)
        .layer(in_other_words("Successfully logged out"))
        .layer(from_fn_with_state(rescind.clone(), words::as_flask))
        .with_state(rescind.clone())
}

/// The users of its programs. A real service looks at a hash, in constant time, and counts the attempts.
fn password_of(username: &str) -> Option<&'static str> {
    (username == "test").then_some("test")
}

type Body = Result<Json<Value>, JsonRejection>;

/// Checks who it is, and opens a session.
async fn sign_in(rescind: &Rescind, body: Body) -> Result<TokenPair, Fault> {
    let Json(body) = body.map_err(|unread| Fault::Said(unread.status(), unread.body_text()))?;
    let text = |name| body.get(name).and_then(Value::as_str);
    let known = text("username").filter(|name| password_of(name).is_some_and(|right| text("password") == Some(right)));
    let subject = known.and_then(|name| Subject::new(name).ok());
    let wrong = || Fault::Said(StatusCode::UNAUTHORIZED, "Bad username or password".into());
    let subject = subject.ok_or_else(wrong)?;
    let session = OpenSession {
        // The client keeps one refresh token and uses it again and again, so it cannot rotate. That gives up what rotation
        // is for: a stolen refresh token is not noticed by its second use, and works until its session is ended.
        class: ClientClass::Fixed,
        scope: Some(format!("{API} {FRESH}")),
        claims: json!({ "company": "acme" }).as_object().cloned(),
        ..OpenSession::new(subject, ClientId::new("flask").map_err(|error| Error::Internal(error.into()))?)
    };
    let pair = rescind.open_session(session).await?;
    tokens::note(rescind, &pair).await?;
    Ok(pair)
}

async fn login(State(rescind): State<Rescind>, body: Body) -> Answer {
    let pair = sign_in(&rescind, body).await?;
    Ok(Json(json!({ "access_token": pair.access_token, "refresh_token": pair.refresh_token })))
}

/// For a user who is signed in already and has to say the password once more. Its session is one of its own; nobody gets
/// the refresh token.
async fn fresh_login(State(rescind): State<Rescind>, body: Body) -> Answer {
    let pair = sign_in(&rescind, body).await?;
    Ok(Json(json!({ "access_token": pair.access_token })))
}

async fn refresh(State(rescind): State<Rescind>, headers: HeaderMap) -> Answer {
    let pair = refreshed(&rescind, bearer(&headers)?).await?;
    tokens::note(&rescind, &pair).await?;
    Ok(Json(json!({ "access_token": pair.access_token })))
}

/// Exchanges a refresh token. It is not spent: it belongs to a client whose tokens are fixed.
async fn refreshed(rescind: &Rescind, token: &str) -> Result<TokenPair, Fault> {
    let not_fresh = Refresh { scope: Some(API.into()), ..Refresh::default() };
    match rescind.refresh(token, not_fresh).await {
        Ok(refreshed) => Ok(refreshed.pair),
        Err(Error::Rejected(Rejection::SubjectUnwelcome)) => {
            let row = rescind.inspect(token).await.claims.unwrap_or_default();
            let subject = row.pointer("/session/subject").and_then(Value::as_str).unwrap_or_default();
            Err(Fault::Said(StatusCode::UNAUTHORIZED, format!("Error loading the user {subject}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes an access token, and ends its session: the refresh token is dead, too.
async fn logout(State(rescind): State<Rescind>, token: Live, Extension(Done(text)): Extension<Done>) -> Answer {
    rescind.end(token.sid(), LogoutScope::Session, user(token.subject())?).await?;
    Ok(msg(text))
}

/// Takes a refresh token, and ends its session: the access token is dead, too.
async fn logout2(State(rescind): State<Rescind>, Extension(Done(text)): Extension<Done>, headers: HeaderMap) -> Answer {
    // It must be one that would be answered, and says why if not.
    let pair = refreshed(&rescind, bearer(&headers)?).await?;
    rescind.end(pair.session_id, LogoutScope::Session, Text::new("its refresh token").map_err(fault)?).await?;
    Ok(msg(text))
}

async fn protected_fresh(token: Live) -> Answer {
    // Not of a scope's absence: what helps is to sign in again.
    token.require_scope(FRESH).map_err(|_| Rejection::NotFresh)?;
    Ok(Json(json!({ "hello": "world" })))
}

/// Who is named in the log for a cut-off or a lift.
fn user(subject: &Subject) -> Result<Text, Error> {
    Text::new(subject.as_str()).map_err(fault)
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}

async fn created(mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}
