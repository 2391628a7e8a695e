//! The inbox: revocations that an application writes inside its own transaction (`select rescind.revoke(…)`), and their
//! way to the log. Owns who moves which; what a cut-off is and how long it is remembered, the engine says.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rescind::log::{Scope, Text};
use rescind::{Error, Rescind, Revoke};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::cells::{Cells, limit};
use super::fault::Fault;
use super::link::{Link, Params};
use super::log::scope;

/// How many are claimed at once.
const MOST: usize = 100;

/// Looked into so often when nobody calls, as behind a pooler.
const LOOK: Duration = Duration::from_millis(250);

/// After a fault.
const AGAIN: Duration = Duration::from_secs(1);

/// A row of the inbox.
struct Claimed {
    id: i64,
    /// What it asks for, or why that cannot be read.
    request: Result<Request, String>,
}

/// A revocation that was asked for.
struct Request {
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
    /// after 5 s. A request counts from its move on, some milliseconds after the application's commit. One that can never
    /// be moved is set aside with its reason and told of, and holds up none behind it.
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

    /// How many requests this process has set aside, since none of them can become a cut-off. An alarm where it is not 0.
    pub fn inbox_refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Moves what waits; how many were claimed.
    async fn move_requests(&self, rescind: &Rescind) -> Result<usize, String> {
        let claimed = claim(&self.link).await.map_err(|fault| fault.to_string())?;
        let count = claimed.len();
        let (mut moved, mut refused) = (Vec::with_capacity(count), Vec::new());
        let mut failed = None;
        for Claimed { id, request } in claimed {
            match request {
                Err(why) => refused.push((id, why)),
                Ok(request) => match revoke(rescind, id, request).await {
                    Ok(()) => moved.push(id),
                    Err(error) if is_the_requests(&error) => refused.push((id, error.to_string())),
                    // What was moved before it is taken out all the same: who signs in again meanwhile is not to be
                    // revoked by another claimer.
                    Err(error) => {
                        failed = Some(error.to_string());
                        break;
                    }
                },
            }
        }
        self.set_aside(refused).await.map_err(|fault| fault.to_string())?;
        if !moved.is_empty() {
            let params: Params<'_> = &[(&moved, Type::INT8_ARRAY)];
            let done = self.link.write(moved.len(), "SELECT {schema}.inbox_done($1)", params).await;
            done.map_err(|fault| fault.to_string())?;
        }
        failed.map_or(Ok(count), Err)
    }

    /// Keeps requests that can never be moved, each with its reason, out of the way of the others.
    async fn set_aside(&self, refused: Vec<(i64, String)>) -> Result<(), Fault> {
        if refused.is_empty() {
            return Ok(());
        }
        let (ids, reasons): (Vec<i64>, Vec<String>) = refused.into_iter().unzip();
        let params: Params<'_> = &[(&ids, Type::INT8_ARRAY), (&reasons, Type::TEXT_ARRAY)];
        self.link.write(ids.len(), "SELECT {schema}.inbox_refuse($1, $2)", params).await?;
        self.refused.fetch_add(ids.len() as u64, Ordering::Relaxed);
        for (request, why) in ids.iter().zip(&reasons) {
            tracing::error!(
                server = self.link.server(),
                request,
                "ALARM: a requested revocation was set aside, for it cannot be made: {why}. It is not in force. It is kept in \
                 the table inbox: ask for the revocation anew by rescind.revoke(…), and delete the row"
            );
        }
        Ok(())
    }
}

/// Whether the fault lies in what was asked for, and every further try would end as this one.
fn is_the_requests(error: &Error) -> bool {
    matches!(error, Error::Invalid(_) | Error::Conflict { .. } | Error::Final(_))
}

async fn revoke(rescind: &Rescind, id: i64, request: Request) -> Result<(), Error> {
    let Request { scope, reason, actor, is_moved } = request;
    if is_moved {
        return Ok(());
    }
    match rescind.revoke(Revoke { scope: scope.clone(), reason, actor }).await {
        Ok(_) => Ok(()),
        // What is not there any more has nothing that could be accepted.
        Err(Error::NotFound(_)) => {
            tracing::info!(request = id, %scope, "nothing to revoke: it is unknown, or forgotten");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn claim(link: &Link) -> Result<Vec<Claimed>, Fault> {
    let text = "SELECT id, kind, scope_id, reason, actor, moved FROM {schema}.inbox_claim($1)";
    link.write_rows(MOST, text, &[(&limit(MOST), Type::INT8)]).await?.iter().map(claimed).collect()
}

fn claimed(row: &Row) -> Result<Claimed, Fault> {
    let cells = Cells::new(row, "inbox", 0);
    Ok(Claimed { id: cells.get(0)?, request: request(&cells) })
}

fn request(cells: &Cells<'_>) -> Result<Request, String> {
    let text = |column, name| {
        let read = cells.read(column, |text: &str| Text::new(text).ok());
        read.map_err(|_| format!("{name} is no text of 1 to 200 characters without control characters"))
    };
    Ok(Request {
        scope: scope(cells, 1, 2).map_err(|_| "kind and scope_id name nothing that can be revoked")?,
        reason: text(3, "reason")?,
        actor: text(4, "actor, with the request's number behind it,")?,
        is_moved: cells.get(5).map_err(|fault| fault.to_string())?,
    })
}
