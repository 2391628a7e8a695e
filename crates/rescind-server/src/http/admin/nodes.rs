//! `/admin/v1/nodes`: which nodes share the store, and how far each has read the log. A store of one node lists itself.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use rescind::position::Seq;
use rescind::{NodeStatus, Stats};

use super::query::Query;
use crate::app::App;
use crate::http::error::Answer;
use crate::http::openapi::answers;
use crate::wire::{NodeJson, NodesJson};

/// Lists the nodes.
#[utoipa::path(
    get,
    path = "/nodes",
    operation_id = "list_nodes",
    tag = "nodes",
    responses(
        (status = 200, description = "The nodes of this store.", body = NodesJson),
        answers::Unreadable
    )
)]
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<NodesJson>> {
    let [] = query.only([])?;
    let head = head(&app.rescind.stats());
    let me = app.rescind.node();
    let answered_by = me.id.clone();
    // An operator looks here when the store is down, too.
    let (nodes, complete) = app.rescind.nodes().await.map_or_else(|_| (vec![me], false), |nodes| (nodes, true));
    let nodes = nodes.into_iter().map(|node| written(node, head)).collect();
    Ok(Json(NodesJson { nodes, answered_by, complete }))
}

fn written(node: NodeStatus, head: Option<Seq>) -> NodeJson {
    NodeJson {
        id: node.id,
        version: node.version,
        address: node.address,
        state: node.state.as_str().to_owned(),
        started_at: node.started.as_secs(),
        last_seen: node.last_seen.as_secs(),
        applied: node.applied.get(),
        head: head.map(Seq::get),
        staleness_ms: node.staleness.map(millis),
        staleness_bound_ms: millis(node.bound),
        incarnation: node.incarnation.map(|incarnation| incarnation.to_string()),
    }
}

/// The newest position known: what was applied since the store was last asked for its head counts, too.
pub(super) fn head(stats: &Stats) -> Option<Seq> {
    stats.head.map(|head| head.max(stats.applied))
}

/// Whole milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
