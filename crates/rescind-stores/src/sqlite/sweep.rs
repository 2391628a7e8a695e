//! Forgetting what is over, in bounded steps, and giving the room back to the file system.

use rescind::position::Seq;
use rescind::store::Swept;
use rescind::time::Timestamp;

use super::cells::{Cells, limit, storable, stored};
use super::fault::Fault;
use super::log;
use super::transaction::Transaction;

/// How many free pages the file keeps for what comes next.
const SPARE_PAGES: i64 = 250;

/// Deletes at most `rows` rows that ended before `before`.
///
/// Scopes go before the log, and the log from the front: so a log row goes only after its scope was forgotten.
pub(super) fn sweep(tx: &Transaction<'_>, before: Timestamp, rows: usize) -> Result<Swept, Fault> {
    let before = storable(before);
    let mut swept = Swept::default();
    swept.sessions = tx
        .statement(
            "DELETE FROM sessions WHERE sid IN \
             (SELECT sid FROM sessions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute((stored(before.as_millis())?, limit(rows)))?;
    swept.records = tx
        .statement(
            "DELETE FROM records WHERE (kind, id) IN \
             (SELECT kind, id FROM records WHERE ends < ?1 ORDER BY ends LIMIT ?2)",
        )?
        .execute((stored(before.as_millis())?, limit(rows.saturating_sub(swept.rows()))))?;
    // The row stays in the log; it is only its scope's state no more.
    swept.scopes = tx
        .statement(
            "UPDATE log SET newest = 0 WHERE seq IN \
             (SELECT seq FROM log WHERE newest = 1 AND remember_until < ?1 ORDER BY remember_until LIMIT ?2)",
        )?
        .execute((stored(before.as_millis())?, limit(rows.saturating_sub(swept.rows()))))?;
    swept.entries = cut_front(tx, before, rows.saturating_sub(swept.rows()))?;
    give_back(tx)?;
    Ok(swept)
}

/// Deletes log rows from the front, no further than the first that must stay: a hole would look like lost history.
fn cut_front(tx: &Transaction<'_>, before: Timestamp, rows: usize) -> Result<usize, Fault> {
    let mut last = None;
    {
        let mut statement = tx.statement("SELECT seq, remember_until, tag FROM log ORDER BY seq LIMIT ?1")?;
        let mut rows = statement.query([limit(rows)])?;
        while let Some(row) = rows.next()? {
            let cells = Cells::new(row, "log", 0);
            if cells.time(1)? >= before {
                break;
            }
            last = Some((Seq::new(cells.number(0)?), cells.tag(2)?));
        }
    }
    let Some((seq, tag)) = last else { return Ok(0) };
    let incarnation = tx.tip()?.incarnation;
    // Rows of an earlier incarnation lie before the base already.
    if seq > log::base(tx)?.0 {
        log::set_base(tx, incarnation, seq, tag)?;
    }
    Ok(tx.statement("DELETE FROM log WHERE seq <= ?1")?.execute([stored(seq.get())?])?)
}

fn give_back(tx: &Transaction<'_>) -> Result<(), Fault> {
    let free: i64 = tx.statement("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
    if free < SPARE_PAGES {
        return Ok(());
    }
    // At most 500 pages (2 MB) a call; the pragma frees one page with every step.
    let mut statement = tx.statement("PRAGMA incremental_vacuum(500)")?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}
