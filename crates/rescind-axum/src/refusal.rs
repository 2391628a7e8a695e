//! What a refused request is answered: status, `WWW-Authenticate` and JSON of RFC 6750 §3. 401 says that the token is
//! bad and nothing else; whatever is not the caller's matter is 503 with `Retry-After`.

use std::fmt;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use rescind::Error;
use rescind::rejection::{Public, Rejection};

use crate::Malformed;

/// Why a handler did not run.
#[derive(Debug)]
pub enum Refusal {
    /// The token is refused: 401, or 403 where a scope is missing.
    Rejected(Rejection),
    /// No single token can be found in the request: 400.
    Malformed(Malformed),
    /// The token is good, but its claims are not those that the handler reads: 403.
    OtherClaims,
    /// The check could not be made: 503. Says nothing about the token.
    Unavailable {
        /// When to come again.
        retry_after: Duration,
        /// What failed.
        source: Error,
    },
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => Self::Rejected(rejection),
            Error::Stale { retry_after } => Self::Unavailable { retry_after, source: error },
            source => Self::Unavailable { retry_after: Duration::from_secs(1), source },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => write!(f, "the access token is refused: {rejection}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::OtherClaims => {
                f.write_str("the access token is good, but its claims are not those that are read here")
            }
            Self::Unavailable { .. } => f.write_str("the access token could not be checked"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Malformed(_) | Self::OtherClaims => None,
            Self::Unavailable { source, .. } => Some(source),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, description) = self.wire();
        let mut response = Response::new(Body::from(body(code, description)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Unavailable { retry_after, .. } = self {
            // RFC 9110 §10.2.3: whole seconds, rounded up.
            let secs = u64::try_from(retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        } else if matches!(self, Self::OtherClaims) {
            // RFC 6750 §3.1 has no code for it, and another sign-in would not help.
        } else if let Ok(challenge) = HeaderValue::try_from(challenge(code, description)) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl Refusal {
    /// Status, error code and description; the code is empty where none may be sent.
    const fn wire(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed(Malformed(problem)) => (StatusCode::BAD_REQUEST, "invalid_request", problem),
            Self::OtherClaims => {
                (StatusCode::FORBIDDEN, "access_denied", "the access token's claims do not open this route")
            }
            Self::Unavailable { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the check cannot be made at the moment; nothing is said about the token",
            ),
            Self::Rejected(rejection) => match rejection.public() {
                Public::NoCredentials => (StatusCode::UNAUTHORIZED, "", "present an access token"),
                Public::InsufficientScope => {
                    (StatusCode::FORBIDDEN, "insufficient_scope", "the access token lacks a scope")
                }
                Public::NotFresh => (
                    StatusCode::UNAUTHORIZED,
                    "insufficient_user_authentication",
                    "the sign-in is too long ago; sign in again",
                ),
                // RFC 6750 §3.1: one code for expired, revoked and malformed alike.
                _ => (StatusCode::UNAUTHORIZED, "invalid_token", "the access token is expired, revoked or malformed"),
            },
        }
    }
}

/// RFC 6750 §3.1: without credentials no error code. The texts are ours and hold no quote.
fn challenge(code: &str, description: &str) -> String {
    if code.is_empty() {
        "Bearer realm=\"rescind\"".to_owned()
    } else {
        format!("Bearer realm=\"rescind\", error=\"{code}\", error_description=\"{description}\"")
    }
}

fn body(code: &str, description: &str) -> String {
    if code.is_empty() {
        format!("{{\"error_description\":\"{description}\"}}")
    } else {
        format!("{{\"error\":\"{code}\",\"error_description\":\"{description}\"}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credentials_carry_no_error_code() {
        let response = Refusal::Rejected(Rejection::Missing).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"rescind\"");
    }

    #[test]
    fn a_missing_scope_is_403_and_not_a_bad_token() {
        let response = Refusal::Rejected(Rejection::InsufficientScope).into_response();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    }

    #[test]
    fn a_fault_of_ours_is_never_401() {
        let refusal = Refusal::from(Error::Stale { retry_after: Duration::from_millis(1200) });
        let response = refusal.into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }
}
