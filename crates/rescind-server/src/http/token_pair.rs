//! The answer that carries tokens (RFC 6749 §5.1). Owns its members and that no cache keeps it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, PRAGMA};
use rescind::TokenPair;
use serde::Serialize;

#[derive(Serialize)]
struct Pair<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    refresh_expires_in: u64,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// The pair as JSON.
pub(crate) fn in_body(pair: &TokenPair) -> Response {
    answer(pair, Some((&pair.access_token, &pair.refresh_token)))
}

/// The pair in cookies, the rest as JSON: a script of the page never sees a token.
pub(crate) fn in_cookies(pair: &TokenPair) -> Response {
    let mut response = answer(pair, None);
    super::cookies::set(response.headers_mut(), pair);
    response
}

fn answer(pair: &TokenPair, tokens: Option<(&str, &str)>) -> Response {
    let mut response = Json(Pair {
        access_token: tokens.map(|(access, _)| access),
        token_type: "Bearer",
        expires_in: pair.expires_in,
        refresh_token: tokens.map(|(_, refresh)| refresh),
        refresh_expires_in: pair.refresh_expires_in,
        session_id: pair.session_id.to_string(),
        scope: pair.scope.as_deref(),
    })
    .into_response();
    never_stored(&mut response);
    response
}

/// RFC 6749 §5.1: `Cache-Control: no-store` and `Pragma: no-cache`.
pub(crate) fn never_stored(response: &mut Response) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
}
