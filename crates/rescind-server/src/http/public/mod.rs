//! The public listener's routes. Each file owns one route's rules; which path leads to which stands here. `/logout` and
//! `/sessions` are the library's.

mod health;
mod home;
mod introspect;
mod login;
mod me;
mod metadata;
mod provider;
mod provider_former;
mod revoke;
mod token;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rescind::log::Text;
use rescind_axum::{Cookies, Reshape, Routes};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::error::{Answer, Failure, noted};
use crate::app::App;

/// The public routes.
pub(crate) fn routes(app: App) -> Router {
    // What a browser's cookie can change is refused from other sites; the rest knows no cookie.
    let changes = Router::new()
        .route("/login", get(login::page).post(login::submit))
        .route("/oauth/token", post(token::submit))
        .merge(ready_made(&app))
        .layer(csrf(app.rescind.issuer()));
    let mut router = Router::new()
        .route("/", get(home::page))
        .route("/login/{provider}", get(provider::begin))
        .route("/login/{provider}/callback", get(provider::callback))
        .route("/login/{provider}/logout", post(provider::logout))
        .route("/rescind.css", get(home::style))
        .route("/session.js", get(home::session_script))
        .route("/oauth/revoke", post(revoke::submit))
        .route("/oauth/introspect", post(introspect::submit))
        .route("/me", get(me::claims))
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata::server))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    if app.config.dev() {
        router = router.route("/demo.js", get(home::script));
    }
    if let Some(path) = metadata::path_of(app.rescind.issuer()) {
        router = router.route(&path, get(metadata::server));
    }
    router
        .merge(changes)
        .fallback(super::no_such_route)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(app)
}

/// The routes of a node that follows another: it checks, and says where the rest is done.
pub(crate) fn relay(app: App) -> Router {
    Router::new()
        .route("/oauth/introspect", post(introspect::submit))
        .route("/me", get(me::claims))
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .fallback(elsewhere)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(app)
}

/// Not 503: it would be no other tomorrow.
async fn elsewhere(State(app): State<App>) -> Failure {
    let issuer = app.rescind.issuer();
    Failure::not_found(format!("this node only checks tokens; sign in, refresh and log out at {issuer}"))
}

/// The library's routes. Refreshing is not among them: the token endpoint asks confidential clients for their proof.
fn ready_made(app: &App) -> Router<App> {
    let routes = Routes::new(&app.rescind)
        .cookies(Cookies::new())
        .after_logout("/")
        .patience(app.config.limits.body_timeout)
        .without_refresh();
    let routes = match own_origin(app.rescind.issuer()).map(|origin| routes.clone().trust_origin(&origin)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => routes,
    };
    routes.into_router().layer(Reshape::new(noted))
}

/// `Sec-Fetch-Site` first, else `Origin` against `Host` or the issuer: a proxy in front may have changed `Host`.
fn csrf(issuer: &str) -> CsrfLayer<fn(ProtectionError) -> Response> {
    let layer = CsrfLayer::new();
    let layer = match own_origin(issuer).map(|origin| layer.clone().add_trusted_origin(origin)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => layer,
    };
    layer.with_rejection_response(cross_site as fn(ProtectionError) -> Response)
}

fn own_origin(issuer: &str) -> Option<String> {
    let uri = issuer.parse::<http::Uri>().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    Some(format!("{scheme}://{authority}"))
}

fn cross_site(_: ProtectionError) -> Response {
    Failure::forbidden("the request comes from another site").into_response()
}

/// By whom the log says that an entry was made.
fn actor(route: &'static str) -> Answer<Text> {
    Text::new(route).map_err(|error| Failure::invalid_request(error.to_string()))
}
