//! `GET /me`: the caller's claims. The text of the token's payload is the answer: nothing is parsed or written again.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::http::caller::Caller;

/// Says how old the view was that an answer comes from, where the operator lets a stale one answer.
const STALENESS: &str = "rescind-staleness-ms";

/// **Cost:** one check; no store access, one copy of the payload.
pub(super) async fn claims(Caller(live): Caller) -> Response {
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(live.payload().as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(staleness) = live.staleness() {
        headers.insert(STALENESS, HeaderValue::from(u64::try_from(staleness.as_millis()).unwrap_or(u64::MAX)));
    }
    response
}
