//! AuthX's wire shapes: its table of errors, its pair of tokens, its session. Owns the words; decides nothing.

use std::net::IpAddr;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use rescind::session::Session;
use rescind::time::Timestamp;
use rescind::{Error, Rejection, TokenPair};
use rescind_axum::{Malformed, Missing, Refusal, never_stored};
use serde_json::{Value, json};

/// A refusal of Rescind's as AuthX says it: status and body.
fn said(refusal: &Refusal) -> (StatusCode, Value) {
    let unauthorized = |error_type, message| (StatusCode::UNAUTHORIZED, error(error_type, message));
    let unprocessable = |error_type, message| (StatusCode::UNPROCESSABLE_ENTITY, error(error_type, message));
    match refusal {
        Refusal::Missing(Missing::Everything) => unauthorized("MissingTokenError", "Token Error"),
        Refusal::Rejected(rejection) => match rejection {
            Rejection::Expired | Rejection::SessionIdle | Rejection::SessionExpired => {
                unprocessable("TokenExpiredError", "Token has expired")
            }
            // A JWT of another kind is one that we did not sign.
            Rejection::BadSignature | Rejection::BadMac | Rejection::UnknownKey | Rejection::NotAccessToken => {
                unprocessable("TokenInvalidSignatureError", "Signature verification failed")
            }
            Rejection::WrongAudience => unprocessable("TokenInvalidAudienceError", "Invalid audience"),
            Rejection::WrongIssuer => unprocessable("TokenInvalidIssuerError", "Invalid issuer"),
            Rejection::Revoked(_)
            | Rejection::KeyRevoked
            | Rejection::AlsoCheck
            | Rejection::Reused
            | Rejection::SessionUnknown
            | Rejection::SubjectUnwelcome => unauthorized("RevokedTokenError", "Invalid token"),
            Rejection::NotFresh => unauthorized("FreshTokenRequiredError", "Fresh token required"),
            _ => unprocessable("JWTDecodeError", "Invalid Token"),
        },
        // FastAPI's `HTTPException`.
        Refusal::WrongCredentials => (StatusCode::UNAUTHORIZED, json!({ "detail": "Invalid credentials" })),
        Refusal::NotFound => (StatusCode::NOT_FOUND, json!({ "detail": "Session not found" })),
        // AuthX has no word for it, and a token that cannot be checked is not a bad one.
        Refusal::Unavailable { .. } => {
            let message = "The request could not be answered, try again";
            (StatusCode::SERVICE_UNAVAILABLE, error("ServiceUnavailable", message))
        }
        _ => unprocessable("JWTDecodeError", "Invalid Token"),
    }
}

fn error(error_type: &str, message: &str) -> Value {
    json!({ "message": message, "error_type": error_type })
}

/// Gives a refusal AuthX's status and body. What the RFCs ask for besides stays: the challenge, `Retry-After`, `no-store`.
pub(crate) fn reshape(refusal: &Refusal, mut answer: Response) -> Response {
    let (status, body) = said(refusal);
    *answer.status_mut() = status;
    *answer.body_mut() = Body::from(body.to_string());
    answer
}

/// Why a handler did not do what it was asked.
pub(crate) enum Failure {
    /// Rescind's refusal, which [`reshape`] puts into AuthX's words.
    Refused(Refusal),
    /// The application's own.
    Own(StatusCode, Value),
}

impl Failure {
    /// A good token, and not of the kind that the route takes: `Access` or `Refresh`.
    pub(crate) fn required(kind: &str) -> Self {
        let error = error(&format!("{kind}TokenRequiredError"), &format!("{kind} token required"));
        Self::Own(StatusCode::UNAUTHORIZED, error)
    }

    /// The token does not grant this. Both lists as Python prints them.
    pub(crate) fn insufficient_scope(required: &str, provided: &[String]) -> Self {
        let provided: Vec<_> = provided.iter().map(|one| format!("'{one}'")).collect();
        let text = format!("Missing required scopes: ['{required}']. Provided: [{}]", provided.join(", "));
        Self::Own(StatusCode::FORBIDDEN, error("InsufficientScopeError", &text))
    }

    /// FastAPI's answer to a body that is not what the route reads.
    pub(crate) fn unprocessable(text: &str) -> Self {
        let problem = json!({ "type": "value_error", "loc": ["body"], "msg": text });
        Self::Own(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": [problem] }))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            // As a refusal of Rescind's. RFC 6750 §3: the scheme is followed by a parameter.
            Self::Own(StatusCode::UNAUTHORIZED, body) => {
                let challenge = [(WWW_AUTHENTICATE, "Bearer realm=\"rescind\""), (CACHE_CONTROL, "no-store")];
                (StatusCode::UNAUTHORIZED, challenge, Json(body)).into_response()
            }
            Self::Own(status, body) => (status, Json(body)).into_response(),
        }
    }
}

/// Whatever becomes a refusal is one here.
macro_rules! refused {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Refused(error.into())
            }
        }
    )*};
}
refused!(Refusal, Error, Rejection, Malformed, Missing);

/// AuthX's `TokenResponse`. RFC 6749 §5.1: no cache keeps it.
pub(crate) fn pair(pair: &TokenPair) -> Response {
    let TokenPair { access_token, refresh_token, .. } = pair;
    let body = json!({ "access_token": access_token, "refresh_token": refresh_token, "token_type": "bearer" });
    let mut answer = Json(body).into_response();
    never_stored(answer.headers_mut());
    answer
}

/// What a session remembers of its device: address and user agent, at most 200 characters.
pub(crate) fn device(address: IpAddr, headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    format!("{address} {agent}").chars().filter(|one| !one.is_control()).take(200).collect()
}

/// AuthX's `SessionInfo`. Only live sessions are listed.
pub(crate) fn session(session: &Session) -> Value {
    let device = session.device.as_deref().unwrap_or_default();
    let (address, agent) = device.split_once(' ').unwrap_or((device, ""));
    let given = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "session_id": session.id,
        "uid": session.subject,
        "created_at": iso_8601(session.opened_at),
        "last_active": iso_8601(session.rotated_at),
        "ip_address": given(address),
        "user_agent": given(agent),
        "device_info": null,
        "is_active": true,
    })
}

/// As Python prints a `datetime` in UTC.
fn iso_8601(time: Timestamp) -> String {
    let (secs, millis) = (time.as_secs(), time.as_millis() % 1000);
    let (days, second) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}000+00:00")
}

/// Year, month and day of the n-th day since 1970-01-01: years begin in March, so that leap days come last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}
