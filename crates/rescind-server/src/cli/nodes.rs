//! `rescind nodes`: who shares the store, and how far each has come.

use serde_json::Value;

use super::client::{Connection, shape};
use super::failure::Failure;
use super::output::{Cell, Format, Paint, now, span};
use crate::wire::{NodeJson, NodesJson};

/// List the nodes that share the store: who lives, who left, and how far each has read the log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind nodes
  rescind nodes --json | jq -r 'select(.state == \"silent\") | .id'

A node that is silent has not written to the store for longer than its staleness bound: it is dead, or it refuses to
answer. It is forgotten some minutes after.")]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.connection.client()?;
    let mut out = args.connection.out();
    let answer = client.get(&["nodes"], &[]).await?;
    let found: NodesJson = shape(&client, &answer)?;
    if out.format() == Format::Json {
        let raw = answer.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
        return raw.iter().try_for_each(|node| out.json(node));
    }
    let rows = found.nodes.iter().map(|node| row(node, &found.answered_by)).collect();
    out.table(["NODE", "STATE", "SEEN", "APPLIED", "BEHIND", "STALENESS", "VERSION", "ADDRESS", "STARTED"], rows)?;
    if found.complete {
        return Ok(());
    }
    out.line("the store cannot be asked for the others at the moment")
}

fn row(node: &NodeJson, answered_by: &str) -> [Cell; 9] {
    let paint = match node.state.as_str() {
        "live" => Paint::Good,
        "silent" => Paint::Bad,
        _ => Paint::Dim,
    };
    let mark = if node.id == answered_by { " (answers)" } else { "" };
    let ago = |secs| format!("{} ago", span(now().saturating_sub(secs)));
    let behind = node.head.map_or_else(|| "?".to_owned(), |head| head.saturating_sub(node.applied).to_string());
    [
        Cell::from(format!("{}{mark}", node.id)),
        Cell::painted(&node.state, paint),
        Cell::from(ago(node.last_seen)),
        Cell::from(node.applied.to_string()),
        Cell::from(behind),
        Cell::from(node.staleness_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))),
        Cell::from(&node.version),
        Cell::from(node.address.as_deref().unwrap_or("-")),
        Cell::from(ago(node.started_at)),
    ]
}
