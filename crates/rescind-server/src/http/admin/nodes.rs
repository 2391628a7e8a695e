//! `/admin/v1/nodes`: which nodes share the store, and how far each has read the log. A store of one node lists itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use rescind::Stats;
use rescind::position::Seq;
use serde_json::{Value, json};

use super::query::Query;
use crate::app::App;
use crate::http::error::Answer;

/// Lists the nodes.
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<Value>> {
    let [] = query.only([])?;
    let stats = app.rescind.stats();
    let node = json!({
        "id": host(),
        "applied": stats.applied,
        "head": head(&stats),
        "staleness_ms": stats.staleness.map(millis),
        "incarnation": stats.incarnation.map(|incarnation| incarnation.to_string()),
    });
    Ok(Json(json!({ "nodes": [node] })))
}

/// The newest position known: what was applied since the store was last asked for its head counts, too.
pub(super) fn head(stats: &Stats) -> Option<Seq> {
    stats.head.map(|head| head.max(stats.applied))
}

/// Whole milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
