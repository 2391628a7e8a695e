//! Forgetting what is over, in bounded steps. The rows' order and locks stand in `migrations/1.sql`.

use rescind::store::Swept;
use rescind::time::Timestamp;
use tokio_postgres::types::Type;

use super::cells::{Cells, limit, millis};
use super::fault::Fault;
use super::link::Link;

/// At most so many rows in one transaction: it holds the log's head while it cuts the log.
const STEP: usize = 1_000;

/// Deletes at most `rows` rows that ended before `before`.
pub(super) async fn sweep(link: &Link, before: Timestamp, rows: usize) -> Result<Swept, Fault> {
    let mut swept = Swept::default();
    // A step that failed leaves those before it: what they forgot was due all the same.
    loop {
        let most = (rows - swept.rows()).min(STEP);
        let step = step(link, before, most).await?;
        swept.sessions += step.sessions;
        swept.scopes += step.scopes;
        swept.entries += step.entries;
        swept.records += step.records;
        if step.rows() < most || swept.rows() >= rows {
            return Ok(swept);
        }
    }
}

async fn step(link: &Link, before: Timestamp, most: usize) -> Result<Swept, Fault> {
    let row = link
        .write(
            most,
            "SELECT sessions, records, scopes, entries FROM {schema}.sweep($1, $2)",
            &[(&millis(before), Type::INT8), (&limit(most), Type::INT8)],
        )
        .await?;
    let cells = Cells::new(&row, "sessions", 0);
    let count = |column| cells.read(column, |count: i64| usize::try_from(count).ok());
    Ok(Swept { sessions: count(0)?, records: count(1)?, scopes: count(2)?, entries: count(3)? })
}
