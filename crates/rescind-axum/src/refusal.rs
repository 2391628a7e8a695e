//! What a refused request is answered: status, `WWW-Authenticate` and JSON of RFC 6750 §3. 401 says that the token is
//! bad and nothing else; whatever is not the caller's matter is 503 with `Retry-After`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use rescind::Error;
use rescind::rejection::{Public, Rejection};

use crate::{Malformed, Missing};

/// Why a handler did not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// No token came: 401 without an error code (RFC 6750 §3.1).
    Missing(Missing),
    /// The token is refused: 401, or 403 where a scope is missing.
    Rejected(Rejection),
    /// No single token can be found in the request: 400.
    Malformed(Malformed),
    /// The token is good, but its claims are not those that the handler reads: 403.
    OtherClaims,
    /// A cookie came at the word of another site, to change something: 403.
    CrossSite,
    /// The check could not be made: 503. Says nothing about the token.
    Unavailable {
        /// When to come again.
        retry_after: Duration,
        /// What failed.
        source: Error,
    },
}

/// How long a client should wait after a fault of ours.
const RETRY: Duration = Duration::from_secs(1);

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => Self::Rejected(rejection),
            Error::Stale { retry_after } => Self::Unavailable { retry_after, source: error },
            source => Self::Unavailable { retry_after: RETRY, source },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("no access token was presented"),
            Self::Rejected(rejection) => write!(f, "the access token is refused: {rejection}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::OtherClaims => {
                f.write_str("the access token is good, but its claims are not those that are read here")
            }
            Self::CrossSite => f.write_str("the request comes from another site"),
            Self::Unavailable { .. } => f.write_str("the access token could not be checked"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Malformed(malformed) => Some(malformed),
            Self::Unavailable { source, .. } => Some(source),
            Self::Missing(_) | Self::OtherClaims | Self::CrossSite => None,
        }
    }
}

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
}

impl Refusal {
    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        self.wire().status
    }

    /// A stable word for logs and metrics. Not for the wire: it tells revoked from expired.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Rejected(rejection) => rejection.reason(),
            Self::Malformed(_) => "malformed",
            Self::OtherClaims => "other_claims",
            Self::CrossSite => "cross_site",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// The answer, with a body that any service can turn into its own.
    pub fn into_answer(self) -> http::Response<Bytes> {
        let Wire { status, code, description } = self.wire();
        let mut response = http::Response::new(Bytes::from(body(code, &description)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match &self {
            Self::Unavailable { retry_after, source } => {
                tracing::warn!(error = %source, "a token could not be checked");
                // RFC 9110 §10.2.3: whole seconds, rounded up.
                let secs = u64::try_from(retry_after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
                headers.insert(RETRY_AFTER, HeaderValue::from(secs));
            }
            // RFC 6750 §3.1 has no code for these, and another sign-in would not help.
            Self::OtherClaims | Self::CrossSite => {}
            Self::Missing(_) | Self::Rejected(_) | Self::Malformed(_) => {
                if let Ok(challenge) = HeaderValue::try_from(challenge(code, &description)) {
                    headers.insert(WWW_AUTHENTICATE, challenge);
                }
            }
        }
        response.extensions_mut().insert(Told(Arc::new(self)));
        response
    }

    fn wire(&self) -> Wire {
        let wire = |status, code, description: &'static str| Wire { status, code, description: description.into() };
        match self {
            Self::Missing(_) => wire(StatusCode::UNAUTHORIZED, "", "present an access token"),
            Self::Malformed(malformed) => wire(StatusCode::BAD_REQUEST, "invalid_request", malformed.text()),
            Self::OtherClaims => {
                wire(StatusCode::FORBIDDEN, "access_denied", "the access token's claims do not open this route")
            }
            Self::CrossSite => wire(StatusCode::FORBIDDEN, "access_denied", "the request comes from another site"),
            Self::Unavailable { .. } => wire(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the check cannot be made at the moment; nothing is said about the token",
            ),
            Self::Rejected(rejection) => match rejection.public() {
                Public::NoCredentials => wire(StatusCode::UNAUTHORIZED, "", "present an access token"),
                Public::InsufficientScope => {
                    wire(StatusCode::FORBIDDEN, "insufficient_scope", "the access token lacks a scope")
                }
                Public::NotFresh => wire(
                    StatusCode::UNAUTHORIZED,
                    "insufficient_user_authentication",
                    "the sign-in is too long ago; sign in again",
                ),
                // RFC 6750 §3.1: one code for expired, revoked and malformed alike.
                _ => {
                    wire(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is expired, revoked or malformed")
                }
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
        for refusal in [Refusal::Missing(Missing::Everything), Refusal::Rejected(Rejection::Missing)] {
            let response = refusal.into_response();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"rescind\"");
        }
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

    #[test]
    fn a_refusal_is_an_error_that_names_its_cause() {
        let refusal: Box<dyn std::error::Error + Send + Sync> = Refusal::Rejected(Rejection::Expired).into();
        assert_eq!(refusal.to_string(), "the access token is refused: expired");
        assert_eq!(refusal.source().map(ToString::to_string), Some("expired".to_owned()));
    }
}
