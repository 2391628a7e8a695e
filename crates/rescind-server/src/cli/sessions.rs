//! `rescind sessions`: one user's sign-ins and why those that ended did.

use serde_json::Value;

use super::client::{Client, Connection, shape};
use super::failure::Failure;
use super::output::{Cell, Format, Paint, now, span, time};
use crate::wire::{SessionJson, SessionsJson, StateJson};

/// List a user's sessions, newest first, with their state and why.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind sessions alice
  rescind sessions alice --json | jq -r 'select(.state == \"live\") | .session_id'")]
pub(crate) struct Args {
    /// The user (`sub`)
    subject: String,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let client = args.connection.client()?;
    let mut out = args.connection.out();
    let sessions = pages(&client, &args.subject).await?;
    if out.format() == Format::Json {
        return sessions.iter().try_for_each(|(raw, _)| out.json(raw));
    }
    if sessions.is_empty() {
        return out.line(format_args!("{} has no sessions on record", super::output::printable(&args.subject)));
    }
    let rows = sessions.iter().map(|(_, session)| row(session)).collect();
    out.table(["SESSION", "STATE", "OPENED", "LAST USED", "CLIENT", "DEVICE", "WHY"], rows)
}

/// Every session of a subject: as the server wrote it, and read.
pub(crate) async fn pages(client: &Client, subject: &str) -> Result<Vec<(Value, SessionJson)>, Failure> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("subject", subject)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = client.get(&["sessions"], &query).await?;
        let page: SessionsJson = shape(client, &answer)?;
        let raw = answer.get("sessions").and_then(Value::as_array).cloned().unwrap_or_default();
        all.extend(raw.into_iter().zip(page.sessions));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

fn row(session: &SessionJson) -> [Cell; 7] {
    let (paint, why) = match (session.state, &session.why) {
        (StateJson::Live, _) => (Paint::Good, format!("ends in {}", span(session.expires_at.saturating_sub(now())))),
        (StateJson::Revoked, Some(why)) => {
            let reason = why.reason.as_deref().unwrap_or("reason no longer kept");
            (Paint::Bad, format!("{} cut off at {}: {reason}", why.kind, why.seq))
        }
        (StateJson::Revoked, None) => (Paint::Bad, String::new()),
        (StateJson::Idle, _) => (Paint::Dim, "not used for its idle lifetime".to_owned()),
        (StateJson::Expired, _) => (Paint::Dim, format!("ended {}", time(session.expires_at))),
    };
    [
        Cell::from(&session.session_id),
        Cell::painted(session.state.as_str(), paint),
        Cell::from(time(session.opened_at)),
        Cell::from(time(session.last_used_at)),
        Cell::from(&session.client_id),
        Cell::from(session.device.as_deref().unwrap_or("-")),
        Cell::from(why),
    ]
}
