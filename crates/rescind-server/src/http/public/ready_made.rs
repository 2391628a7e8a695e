//! `/logout` and `/sessions`, which are the library's: how they are mounted here, and what the document says of them, since
//! the library describes no route. Owns no rule.

use rescind_axum::{Cookies, Reshape, Routes};
use utoipa::OpenApi;
use utoipa::openapi::Required;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::http::error::noted;
use crate::http::openapi::{answers, shapes};

/// The library's routes. Refreshing is not among them: the token endpoint asks confidential clients for their proof.
pub(super) fn routes(app: &App) -> OpenApiRouter<App> {
    let routes = Routes::new(&app.rescind)
        .cookies(Cookies::new())
        .after_logout("/")
        .patience(app.config.limits.body_timeout)
        .without_refresh();
    let routes = match super::own_origin(app.rescind.issuer()).map(|origin| routes.clone().trust_origin(&origin)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => routes,
    };
    let mut described = Described::openapi();
    let log_out = described.paths.paths.get_mut("/logout").and_then(|item| item.post.as_mut());
    if let Some(body) = log_out.and_then(|operation| operation.request_body.as_mut()) {
        body.required = Some(Required::False);
    }
    OpenApiRouter::with_openapi(described).merge(routes.into_router().layer(Reshape::new(noted)).into())
}

/// What the document says; a test holds it against what is mounted.
#[derive(OpenApi)]
#[openapi(paths(log_out, list, end))]
struct Described;

/// Ends the caller's session, the others, or all.
///
/// Takes an access token, an expired one too, a refresh token or the cookies; answered when the end is durable.
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "log_out",
    tag = "sessions",
    request_body(content((shapes::LogoutRequest = "application/json"), (shapes::LogoutForm = "application/x-www-form-urlencoded"))),
    security(("accessToken" = []), ("accessCookie" = [])),
    responses(
        (status = 200, description = "Ended.", body = shapes::LoggedOutJson, headers(("set-cookie" = String, description = "Where a browser's cookies are cleared."))),
        (status = 303, description = "Ended, by a form and cookies: on to the home page.", headers(("location" = String, description = "Where to."), ("set-cookie" = String, description = "Where a browser's cookies are cleared."))),
        answers::NotLoggedOut
    )
)]
#[expect(dead_code, reason = "the library's route, described")]
fn log_out() {}

/// The caller's live sessions.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "own_sessions",
    tag = "sessions",
    security(("accessToken" = []), ("accessCookie" = [])),
    responses(
        (status = 200, description = "The sessions, newest first.", body = shapes::OwnSessionsJson),
        answers::NoCaller,
        answers::Unavailable
    )
)]
#[expect(dead_code, reason = "the library's route, described")]
fn list() {}

/// Ends one of the caller's sessions.
#[utoipa::path(
    delete,
    path = "/sessions/{sid}",
    operation_id = "end_own_session",
    tag = "sessions",
    security(("accessToken" = []), ("accessCookie" = [])),
    params(("sid" = String, Path, description = "The session; somebody else's and none look alike.")),
    responses(
        (status = 200, description = "Over, durably.", body = shapes::EndedJson),
        answers::NoCaller,
        answers::CrossSite,
        answers::NotFound,
        answers::Unavailable
    )
)]
#[expect(dead_code, reason = "the library's route, described")]
fn end() {}
