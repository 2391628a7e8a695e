//! The FastAPI tutorial rebuilt (sign-in with Google or any OpenID provider, access token, denylist, refresh): its routes,
//! bodies and status codes, without its faults. `docs/from-the-fastapi-tutorial.md` puts the two side by side. Owns the routes;
//! refusals stand in `words`, who may come in stands in `users`.
//!
//! ```text
//! export GOOGLE_CLIENT_ID=… GOOGLE_CLIENT_SECRET=…      # for a client with the redirect URI http://127.0.0.1:7000/token
//! cargo run --release -p rescind-axum --example tutorial
//! ```
//!
//! Then open <http://127.0.0.1:7000/>. `OIDC_ISSUER` names another provider, `TUTORIAL_USERS=alice@example.com,…` who may
//! come in where not everybody may, `FRONTEND_URL` the page at `/token` as a browser outside of this machine reaches it.

#[path = "../common/mod.rs"]
mod common;
mod users;
mod words;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use rescind::id::ClientId;
use rescind::log::{ScopeKind, Text};
use rescind::refresh_token::{ClientClass, looks_like_refresh_token};
use rescind::{Event, LogoutScope, OpenSession, Refresh, Rejection, Rescind, Settings};
use rescind_axum::oidc::{ClientSecret, Provider, Providers, RedirectUri, SignInError, SignInFault};
use rescind_axum::{Live, Refusal, Reshape, TokensIn, access_token};
use serde::Deserialize;
use serde_json::{Value, json};

use self::common::{Outcome, Stage};
use self::users::Users;

/// Whose tokens these are, and for whom. A name that stays, whatever port the program listens on.
const ISSUER: &str = "http://127.0.0.1:7000";
/// The tutorial's refresh token lives 43 200 minutes.
const REFRESH_LIFETIME: Duration = Duration::from_hours(43_200 / 60);

#[derive(Clone)]
struct App {
    rescind: Rescind,
    providers: Providers,
    users: Users,
    client: ClientId,
    /// Who ends sessions, in the log.
    actor: Text,
}

/// What [`Live`] needs to be found in the state.
impl FromRef<App> for Rescind {
    fn from_ref(app: &App) -> Self {
        app.rescind.clone()
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let Stage { listener, url, data, store, root } = common::stage("tutorial", 7000).await?;
    let listed = setting("TUTORIAL_USERS");
    if listed.is_none() {
        tracing::warn!("TUTORIAL_USERS is not set: whoever has an account at the provider may come in");
    }
    let users = Users::new(listed.as_deref(), store.clone());
    let settings = Settings {
        access_lifetime: Duration::from_mins(15), // API_ACCESS_TOKEN_EXPIRE_MINUTES
        access_jitter: 0,
        idle: REFRESH_LIFETIME,
        absolute: REFRESH_LIFETIME,
        ..Settings::default()
    };
    let rescind = Rescind::builder(ISSUER, ISSUER)
        .store(store)
        .root_secret(root)
        .high_water(data.join("high-water"))
        .settings(settings)
        .welcome(users.clone())
        .also_check(users.clone())
        .on_event(|event: &Event| tracing::info!(?event))
        .build()
        .await?;
    let frontend = setting("FRONTEND_URL").unwrap_or_else(|| format!("{url}/token"));
    let providers = vec![provider(&frontend)?.admit(users.clone())];
    let providers = Providers::new(&rescind, RedirectUri::Exactly(frontend), providers)?.plain_cookie_on_loopback();
    let (client, actor) = (ClientId::new("tutorial")?, Text::new("logout")?);
    let app = App { rescind: rescind.clone(), providers, users, client, actor };
    common::serve(listener, routes(app), rescind).await
}

/// A setting of the environment; an empty one is none.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Google, or whoever `OIDC_ISSUER` names.
fn provider(frontend: &str) -> Outcome<Provider> {
    let (Some(id), Some(secret)) = (setting("GOOGLE_CLIENT_ID"), setting("GOOGLE_CLIENT_SECRET")) else {
        return Err(format!(
            "set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET: Google gives them to a client that is registered with the \
             redirect URI {frontend}; with OIDC_ISSUER set they are those of that provider"
        )
        .into());
    };
    let provider = match setting("OIDC_ISSUER") {
        Some(issuer) => Provider::new("oidc", &issuer, &id)?,
        None => Provider::google(&id)?,
    };
    Ok(provider.secret(ClientSecret::new(secret)))
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/", get(Html(r#"<body><a href="/auth/login">Log In</a></body>"#)))
        .route("/auth/login", get(begin))
        .route("/token", get(Html(include_str!("token.html"))))
        .route("/token.js", get(([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("token.js"))))
        .route("/auth/token", get(finish))
        .route("/auth/refresh", post(refresh))
        .route("/logout", post(log_out).get(log_out_by_get))
        .route("/api/", get(async || Json(json!({ "message": "unprotected api_app endpoint" }))))
        .route("/api/protected", get(async |_: Live| Json(json!({ "message": "protected api_app endpoint" }))))
        .layer(Reshape::new(words::reshape))
        .layer(DefaultBodyLimit::max(64 << 10))
        .layer(map_response(harden))
        .with_state(app)
}

/// Off to the provider; the browser comes back to the page at `/token`.
async fn begin(State(app): State<App>, headers: HeaderMap) -> Response {
    let name = app.providers.names().next().unwrap_or_default();
    match app.providers.begin(name, None).await {
        Ok(begun) => begun.respond(&headers),
        Err(error) => words::not_signed_in(&error),
    }
}

/// The page hands over the query string that the provider sent it, once.
async fn finish(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let signed_in = sign_in(&app, &query.unwrap_or_default(), &headers).await;
    signed_in.unwrap_or_else(|error| words::not_signed_in(&error))
}

async fn sign_in(app: &App, query: &str, headers: &HeaderMap) -> Result<Response, SignInError> {
    let finished = app.providers.finish(None, query, headers).await?;
    let who = finished.identity;
    app.users.remember(&who).await.map_err(SignInFault::from)?;
    let mut session = OpenSession::new(who.account(), app.client.clone());
    // The tutorial's page keeps the refresh token that it got first. What is given up: a stolen one is not found out by
    // being used twice. `ClientClass::Browser` rotates; the page would then keep the new one of every answer.
    session.class = ClientClass::Fixed;
    session.claims = users::claims_of(&who);
    let pair = app.providers.open_session(&who, session).await?;
    let body = json!({ "result": true, "access_token": pair.access_token, "refresh_token": pair.refresh_token });
    Ok(([(SET_COOKIE, finished.clear_cookie)], Json(body)).into_response())
}

/// The body of a refresh: JSON, whatever its content type says.
#[derive(Deserialize)]
struct Presented {
    grant_type: String,
    refresh_token: String,
}

async fn refresh(State(app): State<App>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let presented: Presented = serde_json::from_slice(&body).map_err(|_| Rejection::NotRefreshToken)?;
    if presented.grant_type != "refresh_token" {
        return Err(Rejection::NotRefreshToken.into());
    }
    let asked = Refresh { client: Some(app.client), scope: None };
    let refreshed = app.rescind.refresh(&presented.refresh_token, asked).await?;
    Ok(Json(json!({ "result": true, "access_token": refreshed.pair.access_token })))
}

/// Ends the session, and with it both of its tokens. An access token that has expired will do.
async fn log_out(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let (token, _) = access_token(&headers, TokensIn::Header)??;
    if looks_like_refresh_token(token) {
        return Err(Rejection::NotAccessToken.into());
    }
    let logged_out = app.rescind.logout(token, LogoutScope::Session, app.actor).await?;
    if logged_out.ended.is_empty() {
        return Err(Rejection::Revoked(ScopeKind::Session).into());
    }
    Ok(Json(json!({ "result": true })))
}

/// The tutorial's way to log out. No page of another site can forge it, since it needs the header; but whatever fetches
/// links ahead may take a GET for harmless. RFC 9745: deprecated since this date.
async fn log_out_by_get(app: State<App>, headers: HeaderMap) -> impl IntoResponse {
    const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
    ([(DEPRECATION, "@1795478400")], log_out(app, headers).await)
}

/// Nothing inline runs, no other page frames ours, and neither a code nor a token is kept in a cache or sent in a `Referer`.
async fn harden(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'none'; \
                          base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                          trusted-types 'none'";
    for (name, value) in [
        (HeaderName::from_static("content-security-policy"), POLICY),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
