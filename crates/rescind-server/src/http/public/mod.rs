//! The public listener's routes. Each file owns one route's rules; which path leads to which stands here.

mod health;
mod home;
mod introspect;
mod login;
mod logout;
mod me;
mod metadata;
mod revoke;
mod sessions;
mod token;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use rescind::log::Text;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::error::{Answer, Failure};
use super::staleness;
use crate::app::App;

/// The public routes.
pub(crate) fn routes(app: App) -> Router {
    // What a browser's cookie can change is refused from other sites; the rest knows no cookie.
    let changes = Router::new()
        .route("/login", get(login::page).post(login::submit))
        .route("/logout", post(logout::submit))
        .route("/oauth/token", post(token::submit))
        .route("/sessions/{sid}", delete(sessions::end))
        .layer(csrf(app.rescind.issuer()));
    let mut router = Router::new()
        .route("/", get(home::page))
        .route("/rescind.css", get(home::style))
        .route("/oauth/revoke", post(revoke::submit))
        .route("/oauth/introspect", post(introspect::submit))
        .route("/sessions", get(sessions::list))
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
    staleness::marking(router.merge(changes), app.rescind.settings().on_stale)
        .fallback(super::no_such_route)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(app)
}

/// `Sec-Fetch-Site` first, else `Origin` against `Host` or the issuer: a proxy in front may have changed `Host`.
fn csrf(issuer: &str) -> CsrfLayer<fn(ProtectionError) -> Response> {
    let origin = issuer.parse::<http::Uri>().ok().and_then(|uri| {
        let (scheme, authority) = (uri.scheme_str()?.to_owned(), uri.authority()?.to_string());
        Some(format!("{scheme}://{authority}"))
    });
    let layer = CsrfLayer::new();
    let layer = match origin.map(|origin| layer.clone().add_trusted_origin(origin)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => layer,
    };
    layer.with_rejection_response(cross_site as fn(ProtectionError) -> Response)
}

fn cross_site(_: ProtectionError) -> Response {
    Failure::forbidden("the request comes from another site").into_response()
}

/// By whom the log says that an entry was made.
fn actor(route: &'static str) -> Answer<Text> {
    Text::new(route).map_err(|error| Failure::invalid_request(error.to_string()))
}
