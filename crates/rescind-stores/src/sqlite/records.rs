//! The records' rows: small documents under compare-and-set. Knows nothing of what is in them.

use rescind::store::{Put, Record};
use rescind::time::Timestamp;

use super::cells::{Cells, limit, storable, stored};
use super::fault::Fault;
use super::transaction::Transaction;

/// Reads a record.
pub(super) fn read(tx: &Transaction<'_>, kind: &str, id: &str) -> Result<Option<Record>, Fault> {
    let mut statement = tx.statement("SELECT id, version, body, ends FROM records WHERE kind = ?1 AND id = ?2")?;
    let mut rows = statement.query((kind, id))?;
    rows.next()?.map(|row| record(&Cells::new(row, "records", 0))).transpose()
}

/// Writes a record and its end where its version is `expected`; 0 stands for none.
pub(super) fn put(
    tx: &Transaction<'_>,
    kind: &str,
    id: &str,
    expected: u64,
    body: &[u8],
    ends: Option<Timestamp>,
) -> Result<Put, Fault> {
    let version = expected.saturating_add(1);
    // No row has a version beyond what a row can hold.
    let Ok(next) = stored(version) else { return Ok(Put::Stale) };
    let ends = ends.map(|ends| stored(storable(ends).as_millis())).transpose()?;
    let written = if expected == 0 {
        let mut insert = tx.statement(
            "INSERT INTO records (kind, id, version, body, ends) VALUES (?1, ?2, 1, ?3, ?4) ON CONFLICT DO NOTHING",
        )?;
        insert.execute((kind, id, body, ends))?
    } else {
        let mut update = tx.statement(
            "UPDATE records SET version = ?3, body = ?4, ends = ?5 WHERE kind = ?1 AND id = ?2 AND version = ?3 - 1",
        )?;
        update.execute((kind, id, next, body, ends))?
    };
    Ok(if written == 0 { Put::Stale } else { Put::Written(version) })
}

/// Lists a kind's records behind an id, in the order of the ids' bytes.
pub(super) fn list(
    tx: &Transaction<'_>,
    kind: &str,
    after: Option<&str>,
    rows: usize,
) -> Result<Vec<(String, Record)>, Fault> {
    let mut statement = tx.statement(
        "SELECT id, version, body, ends FROM records WHERE kind = ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query((kind, after, limit(rows)))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, "records", 0);
        records.push((cells.parsed(0)?, record(&cells)?));
    }
    Ok(records)
}

fn record(cells: &Cells<'_>) -> Result<Record, Fault> {
    let body = cells.read(2, |value| value.as_blob().ok().map(<[u8]>::to_vec))?;
    let ends = cells.number_or_none(3)?.map(Timestamp::from_millis);
    Ok(Record { version: cells.number(1)?, body, ends })
}
