//! Refusals in the tutorial's words: `{"detail": …}`, as FastAPI writes them. Owns status and body of everything that is
//! not a success.

use axum::Json;
use axum::http::header::{RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rescind_axum::Refusal;
use rescind_axum::oidc::SignInError;
use serde_json::{Value, json};

/// The token or the sign-in is bad.
const INVALID: &str = "Could not validate credentials";
/// The one answer that the tutorial does not have. A fault of ours, or of the provider's, says nothing about the token: a
/// client that gets 401 for it throws a good one away.
const UNAVAILABLE: &str = "Temporarily unavailable, try again";

/// What a refusal of Rescind's is answered here. `answer` says it as RFC 6750 does; its other headers stay.
pub(crate) fn reshape(refusal: &Refusal, answer: Response) -> Response {
    tracing::info!(reason = refusal.reason(), "refused");
    let (mut parts, _) = answer.into_parts();
    let detail = match refusal {
        Refusal::Unavailable { .. } => UNAVAILABLE,
        Refusal::Missing(_) => "Not authenticated",
        _ => INVALID,
    };
    if detail != UNAVAILABLE {
        parts.status = StatusCode::UNAUTHORIZED;
        parts.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    (parts, body(detail)).into_response()
}

/// What a sign-in that did not come about is answered.
pub(crate) fn not_signed_in(error: &SignInError) -> Response {
    let mut response = if error.status().is_server_error() {
        let after = error.retry_after().map_or(10, |after| after.as_secs());
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, HeaderValue::from(after))], body(UNAVAILABLE)).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], body(INVALID)).into_response()
    };
    if let Some(cookie) = error.clear_cookie() {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

fn body(detail: &str) -> Json<Value> {
    Json(json!({ "detail": detail }))
}
