//! The inbox: revocations that an application writes inside its own transaction (`select rescind.revoke(…)`), and their
//! way to the log. Owns who moves which; what a cut-off is and how long it is remembered, the engine says.

use std::time::Duration;

use rescind::log::{Scope, Text};
use rescind::{Error, Rescind, Revoke};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::cells::Cells;
use super::fault::Fault;
use super::link::Link;
use super::log::scope;

/// How many are claimed at once.
const CLAIM: i64 = 100;

/// Looked into so often when nobody calls, as behind a pooler.
const LOOK: Duration = Duration::from_millis(250);

/// After a fault.
const AGAIN: Duration = Duration::from_secs(1);

/// A revocation that was asked for.
struct Request {
    id: i64,
    scope: Scope,
    reason: Text,
    actor: Text,
    /// Its cut-off is in the log already: whoever claimed it before did not come to say so.
    is_moved: bool,
}

impl PostgresStore {
    /// Moves the revocations that applications ask for with `select rescind.revoke(…)` to the log, until it is dropped.
    ///
    /// Every node may do this: each request is claimed by one, and one that a node left behind is taken up by another
    /// after 5 s. A request counts from its move on, some milliseconds after the application's commit.
    ///
    /// **Cost:** a small statement every 250 ms, and at once when the database calls.
    pub async fn serve_inbox(&self, rescind: &Rescind) {
        loop {
            match self.move_requests(rescind).await {
                Ok(0) => drop(timeout(LOOK, self.calls.inbox.notified()).await),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(server = self.link.server(), error, "requested revocations wait in the inbox");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Moves what waits; how many were claimed.
    async fn move_requests(&self, rescind: &Rescind) -> Result<usize, String> {
        let requests = claim(&self.link).await.map_err(|fault| fault.to_string())?;
        let mut moved = Vec::with_capacity(requests.len());
        let mut failed = None;
        for request in &requests {
            if !request.is_moved {
                let Request { scope, reason, actor, .. } = request;
                let revoke = Revoke { scope: scope.clone(), reason: reason.clone(), actor: actor.clone() };
                match rescind.revoke(revoke).await {
                    Ok(_) => {}
                    // What is not there any more has nothing that could be accepted.
                    Err(Error::NotFound(_)) => {
                        tracing::info!(request = request.id, %scope, "nothing to revoke: it is unknown, or forgotten");
                    }
                    // What was moved before it is taken out all the same: who signs in again meanwhile is not to be
                    // revoked by another claimer.
                    Err(error) => {
                        failed = Some(error.to_string());
                        break;
                    }
                }
            }
            moved.push(request.id);
        }
        if !moved.is_empty() {
            let params: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[(&moved, Type::INT8_ARRAY)];
            self.link
                .write(moved.len(), "SELECT {schema}.inbox_done($1)", params)
                .await
                .map_err(|fault| fault.to_string())?;
        }
        failed.map_or(Ok(requests.len()), Err)
    }
}

async fn claim(link: &Link) -> Result<Vec<Request>, Fault> {
    let text = "SELECT id, kind, scope_id, reason, actor, moved FROM {schema}.inbox_claim($1)";
    link.query(text, &[(&CLAIM, Type::INT8)]).await?.iter().map(request).collect()
}

fn request(row: &Row) -> Result<Request, Fault> {
    let cells = Cells::new(row, "inbox", 0);
    Ok(Request {
        id: cells.get(0)?,
        scope: scope(&cells, 1, 2)?,
        reason: cells.read(3, |text: &str| Text::new(text).ok())?,
        actor: cells.read(4, |text: &str| Text::new(text).ok())?,
        is_moved: cells.get(5)?,
    })
}
