//! Who may use the admin listener: whoever presents the admin token (RFC 6750 §2.1), compared in constant time. Owns
//! the refusal; knows no route.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind_axum::bearer_token;
use tracing::warn;

use crate::app::App;
use crate::http::error::Failure;
use crate::http::record;

/// Lets a request through that presents the admin token, and no other. No answer may be stored by a cache.
pub(super) async fn require(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match presented(request.headers()) {
        Presented::Token(token) if app.admin_token.fits(token) => next.run(request).await,
        Presented::Token(token) if app.feed_token.fits(token) => {
            Failure::forbidden("the feed token reads the feed and the snapshot, and nothing else").into_response()
        }
        // RFC 6750 §3.1: no error code where no credentials came.
        Presented::Nothing => {
            refusal("", "Bearer realm=\"rescind-admin\"", "present the admin token as Authorization: Bearer")
        }
        Presented::Token(_) | Presented::Other => {
            let route = record::route(request.extensions());
            warn!(route, "the admin listener was asked with a wrong admin token");
            metrics::counter!("rescind_admin_refusals_total").increment(1);
            let challenge = "Bearer realm=\"rescind-admin\", error=\"invalid_token\"";
            refusal(
                "invalid_token",
                challenge,
                "this is not the admin token, which stands in the file admin-token of the data directory",
            )
        }
    };
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The same for the log, which the feed token reads, too.
pub(super) async fn require_reader(state: State<App>, request: Request, next: Next) -> Response {
    match presented(request.headers()) {
        Presented::Token(token) if state.feed_token.fits(token) => {
            let mut response = next.run(request).await;
            response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            response
        }
        _ => require(state, request, next).await,
    }
}

enum Presented<'a> {
    Nothing,
    Token(&'a str),
    /// Another scheme, the header twice, or not exactly one token in it.
    Other,
}

fn presented(headers: &HeaderMap) -> Presented<'_> {
    match bearer_token(headers) {
        Ok(Some(token)) => Presented::Token(token),
        Ok(None) if !headers.contains_key(AUTHORIZATION) => Presented::Nothing,
        Ok(None) | Err(_) => Presented::Other,
    }
}

fn refusal(code: &'static str, challenge: &'static str, description: &'static str) -> Response {
    let mut response = Failure::new(StatusCode::UNAUTHORIZED, code, description).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_of(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        match presented(&headers) {
            Presented::Token(token) => Some(token.to_owned()),
            Presented::Nothing | Presented::Other => None,
        }
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(token_of(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(token_of(&["bearer abc"]).as_deref(), Some("abc"));
        for other in
            [&[][..], &["Basic abc"], &["abc"], &["Bearer abc", "Bearer abc"], &["Bearer"], &["Bearer abc def"]]
        {
            assert_eq!(token_of(other), None, "{other:?}");
        }
    }
}
