//! `GET /me`: the caller's claims. The text of the token's payload is the answer: nothing is parsed or written again.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rescind::Live;
use rescind_axum::mark_staleness;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::openapi::answers;
use crate::http::openapi::shapes;

/// The payload of a token, shared with the cache of verified tokens.
struct Payload(Live);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self.0.payload().as_bytes()
    }
}

/// The claims of the caller, as the token has them.
///
/// **Cost:** one check; no store access, no copy of the payload.
#[utoipa::path(
    get,
    path = "/me",
    operation_id = "me",
    tag = "sessions",
    security(("accessToken" = []), ("accessCookie" = [])),
    responses(
        (status = 200, description = "The caller's claims.", body = shapes::ClaimsJson, headers(("rescind-staleness-ms" = u64, description = "Where the view was stale and the operator lets it answer: its age."))),
        answers::NoCaller,
        answers::Unavailable
    )
)]
pub(super) async fn claims(State(app): State<App>, Caller(live): Caller) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    mark_staleness(headers, &app.rescind, &live);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.map(|_| Body::from(Bytes::from_owner(Payload(live))))
}
