//! `/admin/v1/stats` and `GET /metrics`: the same numbers, as JSON for people and scripts and as Prometheus text. Each
//! is counted and named where it happens.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use rescind::{Rescind, Stats};
use serde_json::{Map, Value, json};

use super::nodes::{head, millis};
use super::query::Query;
use crate::app::App;
use crate::http::error::Answer;
use crate::http::openapi::admin_shapes;
use crate::http::openapi::answers;

/// How long the store may take to say what only it knows.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was counted since the start.
fn counters(stats: &Stats) -> impl Iterator<Item = (&'static str, u64)> + use<> {
    stats.counts.named().chain([
        ("history_healed", stats.healed),
        ("history_appended_again", stats.appended_again),
        ("clock_steps", stats.clock_steps),
        ("store_clock_steps", stats.store_clock_steps),
        ("feed_rounds_failed", stats.failed_rounds),
    ])
}

/// What is so at the moment.
fn gauges(stats: &Stats) -> [(&'static str, usize); 5] {
    [
        ("view_entries", stats.view_entries),
        ("view_bytes", stats.view_bytes),
        ("cached_tokens", stats.cached_tokens),
        ("nodes_live", stats.nodes_live),
        ("nodes_silent", stats.nodes_silent),
    ]
}

/// The numbers as a flat JSON object.
#[utoipa::path(
    get,
    path = "/stats",
    operation_id = "stats",
    tag = "nodes",
    responses(
        (status = 200, description = "The numbers.", body = admin_shapes::StatsJson),
        answers::Unreadable
    )
)]
pub(super) async fn show(State(app): State<App>, query: Query) -> Answer<Json<Value>> {
    let [] = query.only([])?;
    let (stats, readiness) = (app.rescind.stats(), app.rescind.readiness());
    let wrong = readiness.parts.iter().filter_map(|(part, state)| Some(format!("{part}: {}", state.as_ref().err()?)));
    let wrong: Vec<_> = wrong.collect();
    let mut all = Map::new();
    all.insert("ready".to_owned(), json!(readiness.ready));
    all.insert("not_ready".to_owned(), if wrong.is_empty() { Value::Null } else { json!(wrong.join("; ")) });
    all.insert("now".to_owned(), json!(app.rescind.clock().wall().as_secs()));
    all.insert("head".to_owned(), json!(head(&stats)));
    all.insert("applied".to_owned(), json!(stats.applied));
    all.insert("staleness_ms".to_owned(), json!(stats.staleness.map(millis)));
    all.insert("staleness_bound_ms".to_owned(), json!(millis(app.rescind.settings().staleness_bound)));
    all.insert("store_clock_ahead_ms".to_owned(), json!(stats.store_clock_ahead_ms));
    let clocks = readiness.parts.iter().find_map(|(part, state)| state.as_ref().ok().filter(|_| *part == "clocks"));
    all.insert("clocks".to_owned(), json!(clocks));
    // Null where the store does not say: the other numbers are wanted most when it is silent.
    let demo = tokio::time::timeout(PATIENCE, app.users.has_demo()).await.ok().and_then(Result::ok);
    all.insert("demo_user".to_owned(), json!(demo));
    all.extend(gauges(&stats).into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
    all.extend(counters(&stats).map(|(name, value)| (name.to_owned(), json!(value))));
    Ok(Json(Value::Object(all)))
}

/// The numbers as Prometheus text, with what else of the server counts.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "nodes",
    responses(
        (status = 200, description = "Prometheus text.", body = String, content_type = "text/plain"),
        answers::Unreadable
    )
)]
pub(super) async fn metrics(State(app): State<App>, query: Query) -> Answer<Response> {
    let [] = query.only([])?;
    record(&app.rescind);
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
    metrics::gauge!("rescind_answers_held_bytes").set(crate::http::chunks::held() as f64);
    metrics::gauge!("rescind_store_relaxed").set(if app.config.relaxed().is_some() { 1.0 } else { 0.0 });
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response())
}

/// The engine counts for itself; its numbers are taken over when somebody asks.
fn record(rescind: &Rescind) {
    let stats = rescind.stats();
    for (name, value) in counters(&stats) {
        metrics::counter!(format!("rescind_{name}_total")).absolute(value);
    }
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 is beyond every one of these")]
    for (name, value) in gauges(&stats) {
        metrics::gauge!(format!("rescind_{name}")).set(value as f64);
    }
    #[expect(clippy::cast_precision_loss, reason = "a clock is wrong by less than 2^53 ms")]
    let ahead = stats.store_clock_ahead_ms as f64 / 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "a position stays below 2^53")]
    let position = |seq: rescind::position::Seq| seq.get() as f64;
    metrics::gauge!("rescind_log_applied").set(position(stats.applied));
    metrics::gauge!("rescind_log_head").set(head(&stats).map_or(f64::NAN, position));
    metrics::gauge!("rescind_staleness_seconds").set(stats.staleness.map_or(f64::INFINITY, |age| age.as_secs_f64()));
    metrics::gauge!("rescind_store_clock_ahead_seconds").set(ahead);
    metrics::gauge!("rescind_ready").set(if rescind.readiness().ready { 1.0 } else { 0.0 });
}
