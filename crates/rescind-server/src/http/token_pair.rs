//! The answer that carries tokens, which is the library's (RFC 6749 §5.1).

use axum::response::{IntoResponse, Response};
use rescind::TokenPair;
use rescind_axum::{Cookies, Tokens};

use super::error::Answer;

/// The pair as JSON.
pub(crate) fn in_body(pair: TokenPair) -> Response {
    Tokens(pair).into_response()
}

/// The pair in cookies, the rest as JSON: a script of the page never sees a token.
///
/// # Errors
/// 503 where no browser would keep them.
pub(crate) fn in_cookies(pair: TokenPair) -> Answer {
    Ok(Tokens(pair).in_cookies(Cookies::new())?)
}

/// RFC 6749 §5.1: `Cache-Control: no-store` and `Pragma: no-cache`.
pub(crate) fn never_stored(response: &mut Response) {
    rescind_axum::never_stored(response.headers_mut());
}
