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
mod ready_made;
mod revoke;
mod token;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind::log::Text;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{Answer, Failure};
use super::openapi::{self, answers};
use crate::app::App;

/// The public routes.
pub(crate) fn routes(app: App) -> Router {
    // What a browser's cookie can change is refused from other sites; the rest knows no cookie.
    let mut changes = OpenApiRouter::new()
        .routes(routes!(login::page, login::submit))
        .routes(routes!(token::submit))
        .merge(ready_made::routes(&app))
        .layer(csrf(app.rescind.issuer()));
    openapi::also_answers::<answers::CrossSite>(changes.get_openapi_mut());
    let mut router = OpenApiRouter::new()
        .routes(routes!(home::page))
        .routes(routes!(provider::begin))
        .routes(routes!(provider::callback))
        .routes(routes!(provider::logout))
        .routes(routes!(home::style))
        .routes(routes!(home::session_script))
        .routes(routes!(revoke::submit))
        .merge(checks())
        .routes(routes!(metadata::server));
    if app.config.dev() {
        router = router.routes(routes!(home::script));
    }
    if let Some(path) = metadata::path_of(app.rescind.issuer()) {
        router = router.merge(metadata::at(&path));
    }
    openapi::with_document("Rescind", router.merge(changes), |_| ())
        .fallback(super::no_such_route)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(app)
}

/// The routes of a node that follows another: it checks, and says where the rest is done.
pub(crate) fn relay(app: App) -> Router {
    openapi::with_document("Rescind, a node that checks", checks(), |_| ())
        .fallback(elsewhere)
        .method_not_allowed_fallback(super::no_such_method)
        .with_state(app)
}

/// What every node answers.
fn checks() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(introspect::submit))
        .routes(routes!(me::claims))
        .routes(routes!(metadata::jwks))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// Not 503: it would be no other tomorrow.
async fn elsewhere(State(app): State<App>) -> Failure {
    let issuer = app.rescind.issuer();
    Failure::not_found(format!("this node only checks tokens; sign in, refresh and log out at {issuer}"))
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
