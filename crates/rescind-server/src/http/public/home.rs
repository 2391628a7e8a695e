//! The pages and their files, with the headers that every page gets.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use tracing::error;

use crate::app::App;
use crate::http::error::{Answer, Failure};
use crate::pages::{self, HomePage};

/// The demo page under `--dev`, else the home page.
pub(super) async fn page(State(app): State<App>) -> Answer {
    if app.config.dev() {
        return Ok(html(StatusCode::OK, pages::DEMO_HTML.to_owned()));
    }
    render(StatusCode::OK, &HomePage { issuer: app.rescind.issuer() })
}

/// The demo page's script.
pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", pages::DEMO_JS)
}

/// The look of every page.
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

fn guarded(headers: &mut http::HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}
