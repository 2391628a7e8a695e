//! The pages and their files, with the headers that every page gets.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind_axum::{cookies, mark_staleness};
use tracing::error;

use crate::app::App;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::answers;
use crate::pages::{self, DemoPage, HomePage, Session};

/// The demo page under `--dev`, else the home page. Both show the browser's own session, where its cookies name one.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "home",
    tag = "pages",
    security(()),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html", headers(("cache-control" = String, description = "That it is asked for each time, or kept by nobody where it shows whose session it is."))),
        answers::Unavailable
    )
)]
pub(super) async fn page(State(app): State<App>, headers: HeaderMap) -> Answer {
    let mut marks = HeaderMap::new();
    let session = session(&app, &headers, &mut marks).await;
    if session.is_some() {
        marks.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let offers = &app.offers;
    let mut response = if app.config.dev() {
        render(StatusCode::OK, &DemoPage { offers, session })?
    } else {
        render(StatusCode::OK, &HomePage { issuer: app.rescind.issuer(), offers, session })?
    };
    response.headers_mut().extend(marks);
    Ok(response)
}

/// Whose session the cookies are of, as far as that can be told. A page to look at is shown whatever is wrong.
async fn session(app: &App, headers: &HeaderMap, marks: &mut HeaderMap) -> Option<Session> {
    let [access, refresh] =
        [cookies::ACCESS, cookies::REFRESH].map(|name| cookies::cookie(headers, name).ok().flatten());
    let Some(access) = access else { return refresh.map(|_| Session::Unknown) };
    let Ok(live) = app.rescind.check(access).await else { return Some(Session::Unknown) };
    mark_staleness(marks, &app.rescind, &live);
    let email = match app.users.find(live.subject()).await {
        Ok(user) => user.and_then(|user| user.account?.email),
        Err(_) => None,
    };
    Some(Session::Known(email.map_or_else(|| live.subject().to_string(), |email| email.address)))
}

/// The demo page's script.
#[utoipa::path(
    get,
    path = "/demo.js",
    operation_id = "demo_script",
    tag = "pages",
    security(()),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "text/javascript", headers(("cache-control" = String, description = "`no-cache`")))
    )
)]
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", pages::DEMO_JS)
}

/// The script of a session in cookies.
#[utoipa::path(
    get,
    path = "/session.js",
    operation_id = "session_script",
    tag = "pages",
    security(()),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "text/javascript", headers(("cache-control" = String, description = "`no-cache`")))
    )
)]
pub(super) async fn session_script() -> Response {
    file("text/javascript; charset=utf-8", pages::SESSION_JS)
}

/// The look of every page.
#[utoipa::path(
    get,
    path = "/rescind.css",
    operation_id = "style",
    tag = "pages",
    security(()),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "text/css", headers(("cache-control" = String, description = "`no-cache`")))
    )
)]
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", pages::STYLE_CSS)
}

/// A page, with its headers.
///
/// # Errors
/// 503 where the page cannot be written.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render().map_err(|error| {
        error!(%error, "a page cannot be written");
        Failure::unavailable("the page cannot be written", std::time::Duration::from_secs(1))
    })?;
    Ok(html(status, text))
}

fn html(status: StatusCode, text: String) -> Response {
    let mut response = (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(pages::CONTENT_SECURITY_POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    guarded(headers);
    response
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let mut response = ([(CONTENT_TYPE, kind)], text).into_response();
    guarded(response.headers_mut());
    response
}

fn guarded(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}
