//! The answer that carries tokens (RFC 6749 §5.1): in its body, or in a browser's cookies. Owns its members and that no
//! cache keeps it.

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderMap, HeaderValue};
use rescind::TokenPair;
use serde::Serialize;

use crate::cookies::{Cookies, TooLong};

/// A pair of tokens as an answer: `application/json`, kept by no cache.
///
/// **Shape:** `access_token`, `token_type`, `expires_in`, `refresh_token`, `refresh_expires_in`, `session_id`, and
/// `scope` where the tokens have one.
#[derive(Debug, Clone)]
pub struct Tokens(pub TokenPair);

#[derive(Serialize)]
struct Members<'a> {
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

impl Tokens {
    /// The tokens in cookies, the rest as JSON: a script of the page never sees a token.
    ///
    /// # Errors
    /// [`TooLong`] where no browser would keep them.
    pub fn in_cookies(self, cookies: Cookies) -> Result<Response, TooLong> {
        let mut response = self.answer(None);
        cookies.set(response.headers_mut(), &self.0)?;
        Ok(response)
    }

    fn answer(&self, tokens: Option<(&str, &str)>) -> Response {
        let Self(pair) = self;
        let members = Members {
            access_token: tokens.map(|(access, _)| access),
            token_type: "Bearer",
            expires_in: pair.expires_in,
            refresh_token: tokens.map(|(_, refresh)| refresh),
            refresh_expires_in: pair.refresh_expires_in,
            session_id: pair.session_id.to_string(),
            scope: pair.scope.as_deref(),
        };
        // Texts and numbers under fixed names: nothing of it can fail to be written.
        let mut response = Response::new(Body::from(serde_json::to_vec(&members).unwrap_or_default()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        never_stored(response.headers_mut());
        response
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        self.answer(Some((&self.0.access_token, &self.0.refresh_token)))
    }
}

/// Keeps an answer out of every cache, as RFC 6749 §5.1 asks: `Cache-Control: no-store` and `Pragma: no-cache`.
pub fn never_stored(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}
