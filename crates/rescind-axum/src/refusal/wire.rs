//! How a refusal looks on the wire: status, `WWW-Authenticate` and JSON of RFC 6750 §3 and RFC 6749 §5.2. 401 says that
//! the token is bad and nothing else; whatever is not the caller's matter is 503 with `Retry-After`. Owns what the log
//! hears of it, too.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind::Error;
use rescind::rejection::{Public, Rejection};
use tracing::{debug, error, warn};

use super::Refusal;
use crate::Unreadable;

/// Travels in the extensions of a refusal's answer, for [`Reshape`](crate::Reshape).
#[derive(Clone)]
pub(crate) struct Told(pub(crate) Arc<Refusal>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.into_answer().map(Body::from)
    }
}

/// What stands on the wire.
struct Wire {
    status: StatusCode,
    /// Empty where none may be sent.
    code: &'static str,
    description: Cow<'static, str>,
    challenge: Challenge,
}

/// Whether the answer asks for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Challenge {
    /// With the code and the description.
    Full,
    /// That there are tokens, and nothing of what was wrong.
    Bare,
    /// RFC 6750 §3.1 has no code for it, or another token would not help.
    None,
}

impl Refusal {
    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        self.wire().status
    }

    /// The answer, with a body that any service can turn into its own.
    pub fn into_answer(self) -> http::Response<Bytes> {
        // The caller is told less: of a token only that it is bad.
        debug!(reason = self.reason(), "refused");
        let wire = self.wire();
        let mut response = http::Response::new(Bytes::from(wire.body()));
        *response.status_mut() = wire.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        wire.challenge(headers);
        match &self {
            Self::Unavailable { retry_after, source } => {
                log(source);
                headers.insert(RETRY_AFTER, seconds(*retry_after));
            }
            // The rest of the body is not read.
            Self::Unreadable(Unreadable::TooLong | Unreadable::TooSlow) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Told(Arc::new(self)));
        response
    }

    fn wire(&self) -> Wire {
        use Challenge::{Bare, Full, None};
        let wire = |status, code, description: &'static str, challenge| Wire {
            status,
            code,
            description: description.into(),
            challenge,
        };
        match self {
            Self::Missing(_) => wire(StatusCode::UNAUTHORIZED, "", "present an access token", Bare),
            Self::Malformed(malformed) => {
                let challenge = if malformed.is_of_header() { Full } else { None };
                wire(StatusCode::BAD_REQUEST, "invalid_request", malformed.text(), challenge)
            }
            Self::OtherClaims => {
                wire(StatusCode::FORBIDDEN, "access_denied", "the access token's claims do not open this route", None)
            }
            Self::CrossSite => {
                wire(StatusCode::FORBIDDEN, "access_denied", "the request comes from another site", None)
            }
            Self::Grant(rejection) if rejection.public() == Public::InvalidScope => invalid_scope(),
            Self::Grant(_) => invalid_grant(),
            Self::NoRefreshToken => {
                wire(StatusCode::BAD_REQUEST, "invalid_request", "parameter refresh_token is missing", None)
            }
            Self::WrongCredentials => {
                wire(StatusCode::UNAUTHORIZED, "invalid_grant", "the user name or the password is wrong", Bare)
            }
            Self::Unreadable(unreadable) => {
                let (status, code) = match unreadable {
                    Unreadable::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
                    Unreadable::TooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
                    Unreadable::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
                };
                Wire { status, code, description: plain(&unreadable.to_string()).into(), challenge: None }
            }
            Self::NotFound => wire(StatusCode::NOT_FOUND, "not_found", "no such session", None),
            Self::Unavailable { source, .. } => {
                wire(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", unavailable(source), None)
            }
            Self::Rejected(rejection) => rejected(*rejection),
        }
    }
}

impl Wire {
    /// RFC 6750 §3: at least one auth-param; no error code when no credentials came (§3.1).
    fn challenge(&self, headers: &mut HeaderMap) {
        let Self { code, description, .. } = self;
        let challenge = match self.challenge {
            Challenge::None => return,
            Challenge::Bare => Ok(HeaderValue::from_static("Bearer realm=\"rescind\"")),
            Challenge::Full => HeaderValue::try_from(format!(
                "Bearer realm=\"rescind\", error=\"{code}\", error_description=\"{description}\""
            )),
        };
        if let Ok(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
    }

    /// The texts hold neither quote nor backslash, so nothing is escaped.
    fn body(&self) -> String {
        let Self { code, description, .. } = self;
        if code.is_empty() {
            format!("{{\"error_description\":\"{description}\"}}")
        } else {
            format!("{{\"error\":\"{code}\",\"error_description\":\"{description}\"}}")
        }
    }
}

fn rejected(rejection: Rejection) -> Wire {
    let unauthorized = |code, description: &'static str| Wire {
        status: StatusCode::UNAUTHORIZED,
        code,
        description: description.into(),
        challenge: Challenge::Full,
    };
    match rejection.public() {
        Public::NoCredentials => Wire { challenge: Challenge::Bare, ..unauthorized("", "present an access token") },
        Public::InsufficientScope => Wire {
            status: StatusCode::FORBIDDEN,
            ..unauthorized("insufficient_scope", "the access token lacks a scope")
        },
        Public::NotFresh => {
            unauthorized("insufficient_user_authentication", "the sign-in is too long ago; sign in again")
        }
        // RFC 6750 §3.1: one code for expired, revoked and malformed alike, and for either kind of token where it
        // stands for the caller.
        Public::InvalidToken | Public::InvalidGrant | Public::InvalidScope => {
            unauthorized("invalid_token", "the token is expired, revoked or malformed")
        }
    }
}

fn invalid_grant() -> Wire {
    Wire {
        status: StatusCode::BAD_REQUEST,
        code: "invalid_grant",
        description: "the refresh token is expired, revoked or malformed".into(),
        challenge: Challenge::None,
    }
}

fn invalid_scope() -> Wire {
    Wire { code: "invalid_scope", description: "more scope was asked than the session has".into(), ..invalid_grant() }
}

const fn unavailable(source: &Error) -> &'static str {
    match source {
        Error::Stale { .. } => "revocations cannot be looked up at the moment",
        Error::Store(_) => "the store cannot be used at the moment; nothing is said about the token",
        Error::Callback(_) => "a look-up failed; nothing is said about the token",
        _ => "the server failed; nothing is said about the token",
    }
}

fn log(source: &Error) {
    match source {
        Error::Stale { .. } => warn!("the view is stale; nothing is answered from it"),
        Error::Store(error) => warn!(%error, kind = error.kind().as_str(), op = error.op(), "the store failed"),
        Error::Callback(error) => warn!(%error, "a look-up behind the check failed"),
        error => error!(%error, "a request could not be answered"),
    }
}

/// Keeps a text inside of what an `error_description` may hold; what may not stand in it becomes `'` or `?`.
///
/// **Source:** RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E.
pub fn plain(description: &str) -> String {
    let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    let replaced = |c| match c {
        c if allowed(c) => c,
        '"' => '\'',
        _ => '?',
    };
    description.chars().map(replaced).collect()
}

/// RFC 9110 §10.2.3: whole seconds, rounded up, so that nobody comes too early.
fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use rescind::log::ScopeKind;

    use super::*;
    use crate::Missing;

    #[test]
    fn no_credentials_carry_no_error_code() {
        for refusal in [Refusal::Missing(Missing::Everything), Refusal::Rejected(Rejection::Missing)] {
            let response = refusal.into_answer();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"rescind\"");
            assert_eq!(response.body(), r#"{"error_description":"present an access token"}"#);
        }
    }

    #[test]
    fn revoked_and_expired_look_alike() {
        let kinds = [Rejection::Expired, Rejection::Revoked(ScopeKind::Session), Rejection::BadMac, Rejection::Reused];
        let answers = kinds.map(|rejection| {
            let response = Refusal::Rejected(rejection).into_answer();
            (response.status(), response.headers().clone(), response.into_body())
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]) && answers[0].0 == StatusCode::UNAUTHORIZED);
    }

    // holds: 26
    #[test]
    fn a_missing_scope_is_403_and_not_a_bad_token() {
        let response = Refusal::Rejected(Rejection::InsufficientScope).into_answer();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    }

    #[test]
    fn a_fault_of_ours_is_never_401() {
        let refusal = Refusal::from(Error::Stale { retry_after: Duration::from_millis(1200) });
        let response = refusal.into_answer();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn a_body_that_is_not_read_to_its_end_ends_the_connection() {
        for (unreadable, status) in
            [(Unreadable::TooLong, 413), (Unreadable::TooSlow, 408), (Unreadable::invalid("no JSON"), 400)]
        {
            let response = Refusal::Unreadable(unreadable).into_answer();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers().contains_key(CONNECTION), status != 400);
        }
    }

    // holds: 5
    #[test]
    fn a_description_cannot_leave_its_quotes() {
        assert_eq!(plain("a\"b\\c\r\nd\u{e9}"), "a'b?c??d?");
        let refusal = Refusal::Unreadable(Unreadable::invalid("unknown field `x\",\"error\":\"y`"));
        let body: serde_json::Value = serde_json::from_slice(refusal.into_answer().body()).unwrap();
        assert_eq!(body["error"], "invalid_request");
    }
}
