//! `GET /livez` and `GET /readyz`: whether the process runs, and whether it should be sent requests.

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, json};

use crate::app::App;
use crate::http::openapi::shapes;

/// The process answers. Says nothing of the store: a restart would not mend it.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "live",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It runs.", body = shapes::LiveJson, content_type = "application/json")
    )
)]
pub(super) async fn live() -> Response {
    let mut response = Response::new(Body::from("{\"live\":true}"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a part that is not well says to everybody. The log has more: paths and addresses are nobody's here.
const UNWELL: &str = "not healthy; the log says more";

/// 200 where requests can be served whole, else 503; `?verbose` lists the parts.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "ready",
    tag = "health",
    params(
        ("verbose" = Option<String>, Query, description = "Lists the parts, whatever its value.")
    ),
    security(()),
    responses(
        (status = 200, description = "Requests can be served whole.", body = shapes::ReadyJson),
        (status = 503, description = "They cannot: send them elsewhere.", body = shapes::ReadyJson, headers(("cache-control" = String, description = "`no-store`")))
    )
)]
pub(super) async fn ready(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let engine = app.rescind.readiness();
    let draining = app.is_draining();
    let ready = engine.ready && !draining;
    let mut body = json!({ "ready": ready });
    if query.is_some_and(|query| query.split('&').any(|part| part == "verbose" || part.starts_with("verbose="))) {
        let mut parts: Map<_, _> = engine
            .parts
            .into_iter()
            .map(|(name, state)| {
                let (ok, text) = state.map_or_else(|_| (false, UNWELL.to_owned()), |text| (true, text));
                (name.to_owned(), json!({ "ok": ok, "text": text }))
            })
            .collect();
        if let Some(text) = app.config.relaxed() {
            parts.insert("durability".to_owned(), json!({ "ok": true, "text": text }));
        }
        let text = if draining { "told to stop" } else { "taking requests" };
        parts.insert("process".to_owned(), json!({ "ok": !draining, "text": text }));
        body = json!({ "ready": ready, "parts": parts });
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
