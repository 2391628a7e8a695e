//! From what went wrong to status, headers and JSON: the one such mapping of the server, for both listeners.
//! 401 says that the token is bad and nothing else; whatever is our fault is 503 with `Retry-After`.
//! RFC 6749 §5.2, RFC 6750 §3, RFC 7009 §2.2.1.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use rescind::log::Entry;
use rescind::rejection::{Public, Rejection};
use rescind::store::StoreError;
use rescind::{Error, Invalid};
use rescind_axum::cookies::TooLong;
use rescind_axum::{Malformed, Refusal, Unreadable, plain};
use serde_json::{Map, Value, json};
use tracing::{error, warn};

/// How long a client should wait after a fault of ours.
const RETRY: Duration = Duration::from_secs(1);
const REALM: &str = "rescind";

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    code: &'static str,
    description: Cow<'static, str>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    close: bool,
    newest: Option<Box<Value>>,
    reason: Option<Reason>,
}

/// Why a request was refused, for the log and never for the caller. Travels in the answer's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) &'static str);

/// What every handler returns.
pub(crate) type Answer<T = Response> = Result<T, Failure>;

impl Failure {
    /// An answer with this status, code (RFC 6749 §5.2 or ours) and description.
    pub(crate) fn new(status: StatusCode, code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, description: description.into(), header: None, close: false, newest: None, reason: None }
    }

    /// 400 `invalid_request`.
    pub(crate) fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// 404 `not_found`.
    pub(crate) fn not_found(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// 409 `conflict`, with the log entry that stands in the way.
    pub(crate) fn conflict(description: impl Into<Cow<'static, str>>, newest: Option<Value>) -> Self {
        Self { newest: newest.map(Box::new), ..Self::new(StatusCode::CONFLICT, "conflict", description) }
    }

    /// 403 `access_denied`.
    pub(crate) fn forbidden(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", description)
    }

    /// 429 `too_many_requests`, with when to come again.
    pub(crate) fn too_many(description: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", description).with(RETRY_AFTER, seconds(wait))
    }

    /// 413 `payload_too_large`; the connection is closed, since the rest of the body is not read.
    pub(crate) fn too_large(description: impl Into<Cow<'static, str>>) -> Self {
        Self { close: true, ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", description) }
    }

    /// The same, and the connection is closed.
    pub(crate) fn closing(self) -> Self {
        Self { close: true, ..self }
    }

    /// 408 `request_timeout`; the connection is closed.
    pub(crate) fn timeout(description: impl Into<Cow<'static, str>>) -> Self {
        Self { close: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", description) }
    }

    /// 405 `method_not_allowed`. The router adds which methods are there.
    pub(crate) fn method_not_allowed() -> Self {
        let problem = "this method is not for this resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", problem)
    }

    /// 503 `temporarily_unavailable`, with when to come again. Claims nothing about any token.
    pub(crate) fn unavailable(description: impl Into<Cow<'static, str>>, wait: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description)
            .with(RETRY_AFTER, seconds(wait))
    }

    /// 503 for a fault of the store, which is logged; the caller learns no more than that.
    pub(crate) fn store(error: &StoreError) -> Self {
        warn!(%error, kind = error.kind().as_str(), op = error.op(), "the store failed");
        Self::unavailable("the store cannot be used at the moment; nothing is said about the token", RETRY)
    }

    /// 401 `invalid_client`. With `WWW-Authenticate: Basic` where the client tried the header (RFC 6749 §5.2).
    pub(crate) fn invalid_client(tried_header: TriedHeader) -> Self {
        let failure = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "the client did not prove itself");
        match tried_header {
            TriedHeader::Basic => {
                failure.with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"rescind\", charset=\"UTF-8\""))
            }
            TriedHeader::No => failure,
        }
    }

    /// 401 `invalid_token` for a bearer token that is none of the access tokens, such as the admin token.
    pub(crate) fn bad_credential() -> Self {
        Self { reason: Some(Reason("bad_credential")), ..Self::invalid_token() }
    }

    /// 400 `invalid_grant`, or `invalid_scope`: a refresh token is refused at the token endpoint (RFC 6749 §5.2), a revoked
    /// session and another client's token among the rest.
    pub(crate) fn refused_grant(rejection: Rejection) -> Self {
        match rejection.public() {
            Public::InvalidScope => Self::rejected(rejection),
            _ => Self::invalid_grant().because(rejection),
        }
    }

    /// A token is refused. The log gets its reason; the caller learns what [`Rejection::public`] allows.
    pub(crate) fn rejected(rejection: Rejection) -> Self {
        let failure = match rejection.public() {
            Public::NoCredentials => Self::new(StatusCode::UNAUTHORIZED, "", "present an access token").bearer(None),
            Public::InvalidToken => Self::invalid_token(),
            Public::InsufficientScope => {
                Self::new(StatusCode::FORBIDDEN, "insufficient_scope", "the access token lacks a scope")
                    .bearer(Some("insufficient_scope"))
            }
            Public::NotFresh => {
                let code = "insufficient_user_authentication";
                Self::new(StatusCode::UNAUTHORIZED, code, "the sign-in is too long ago; sign in again")
                    .bearer(Some(code))
            }
            Public::InvalidGrant => Self::invalid_grant(),
            Public::InvalidScope => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_scope", "more scope was asked than the session has")
            }
        };
        failure.because(rejection)
    }

    fn invalid_grant() -> Self {
        let problem = "the refresh token is expired, revoked or malformed";
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", problem)
    }

    fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_token", "the token is expired, revoked or malformed")
            .bearer(Some("invalid_token"))
    }

    fn because(self, rejection: Rejection) -> Self {
        count(rejection);
        Self { reason: Some(Reason(rejection.reason())), ..self }
    }

    /// The same, and the log gets this word for it.
    pub(crate) fn named(self, reason: &'static str) -> Self {
        Self { reason: Some(Reason(reason)), ..self }
    }

    /// The same refusal with a page as its body, for a browser.
    pub(crate) fn dressed_as(self, mut page: Response) -> Response {
        *page.status_mut() = self.status;
        self.mark(&mut page);
        page
    }

    fn mark(self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(reason) = self.reason {
            response.extensions_mut().insert(reason);
        }
    }

    /// The status of the answer.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What the caller is told.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// The same with one more header, in place of one that it had.
    pub(crate) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some(Box::new((name, value))), ..self }
    }

    /// RFC 6750 §3: at least one auth-param; no error code when no credentials came (§3.1).
    fn bearer(self, code: Option<&'static str>) -> Self {
        let challenge = match code {
            None => format!("Bearer realm=\"{REALM}\""),
            Some(code) => {
                format!(
                    "Bearer realm=\"{REALM}\", error=\"{code}\", error_description=\"{}\"",
                    plain(&self.description)
                )
            }
        };
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => self.with(WWW_AUTHENTICATE, challenge),
            Err(_) => self,
        }
    }
}

/// Whether a client tried to prove itself through the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TriedHeader {
    /// With HTTP Basic.
    Basic,
    /// In the body, or not at all.
    No,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => Self::rejected(rejection),
            Error::Stale { retry_after } => {
                warn!("the view is stale; nothing is answered from it");
                Self::unavailable("revocations cannot be looked up at the moment", retry_after)
            }
            Error::Store(error) => Self::store(&error),
            Error::Callback(error) => {
                warn!(%error, "a look-up behind the check failed");
                Self::unavailable("a look-up failed; nothing is said about the token", RETRY)
            }
            Error::Internal(error) => {
                error!(%error, "this process failed");
                Self::unavailable("the server failed; nothing is said about the token", RETRY)
            }
            Error::Invalid(invalid) => invalid.into(),
            Error::NotFound(what) => Self::not_found(what.to_string()),
            final_one @ Error::Final(_) => Self::conflict(final_one.to_string(), None),
            Error::Conflict { newest } => {
                let newest = newest.as_deref().map(newest_json);
                Self::conflict("the position is not the newest on its scope, or is no cut-off", newest)
            }
        }
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::invalid_request(invalid.to_string())
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::TooLong => Self::too_large(unreadable.to_string()),
            Unreadable::TooSlow => Self::timeout(unreadable.to_string()),
            unreadable => Self::invalid_request(unreadable.to_string()),
        }
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        let failure = Self::invalid_request(malformed.text());
        if malformed.is_of_header() { failure.bearer(Some("invalid_request")) } else { failure }
    }
}

/// No browser would keep the cookie: the claims are too many, which is not the caller's matter.
impl From<TooLong> for Failure {
    fn from(too_long: TooLong) -> Self {
        Error::Internal(too_long.into()).into()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::store(&error)
    }
}

impl IntoResponse for Failure {
    fn into_response(mut self) -> Response {
        let mut body = Map::new();
        // RFC 6750 §3.1: no error code when no credentials came.
        if !self.code.is_empty() {
            body.insert("error".to_owned(), self.code.into());
        }
        body.insert("error_description".to_owned(), plain(&self.description).into());
        if let Some(newest) = self.newest.take() {
            body.insert("newest".to_owned(), *newest);
        }
        let mut response = (self.status, Json(body)).into_response();
        self.mark(&mut response);
        response
    }
}

/// An answer of the library's own routes: as it is, with its reason for the log and the count of refusals.
pub(crate) fn noted(refusal: &Refusal, mut answer: Response) -> Response {
    let rejection = match refusal {
        Refusal::Missing(_) => Rejection::Missing,
        Refusal::Rejected(rejection) => *rejection,
        _ => return answer,
    };
    count(rejection);
    answer.extensions_mut().insert(Reason(rejection.reason()));
    answer
}

fn count(rejection: Rejection) {
    metrics::counter!("rescind_refusals_total", "reason" => rejection.reason()).increment(1);
}

fn newest_json(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq.get(),
        "at": entry.at.as_secs(),
        "scope": { "kind": entry.scope.kind().as_str(), "id": entry.scope.id() },
        "reason": entry.reason.as_str(),
        "actor": entry.actor.as_str(),
    })
}

/// RFC 9110 §10.2.3: whole seconds, rounded up, so that nobody comes too early.
fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credentials_carry_no_error_code() {
        let response = Failure::rejected(Rejection::Missing).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"rescind\"");
    }

    #[test]
    fn revoked_and_expired_look_alike() {
        let kinds = [Rejection::Expired, Rejection::Revoked(rescind::log::ScopeKind::Session), Rejection::BadSignature];
        for rejection in kinds {
            let failure = Failure::rejected(rejection);
            assert_eq!((failure.status(), failure.code), (StatusCode::UNAUTHORIZED, "invalid_token"));
        }
    }
}
