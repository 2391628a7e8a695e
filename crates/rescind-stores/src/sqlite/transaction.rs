//! One transaction on the one connection, as operations see it: statements, the store's time, and the log's head.
//! Begins and ends nothing itself; that is `batch.rs`.

use std::cell::Cell;

use rescind::log::ChainTag;
use rescind::position::{Incarnation, Seq};
use rescind::store::{Head, StoreErrorKind};
use rescind::time::{Clock, Timestamp};
use rusqlite::{CachedStatement, Connection};

use super::cells::{Cells, storable};
use super::fault::Fault;

/// An open transaction.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    clock: &'c dyn Clock,
    /// The head as this transaction has read it or moved it.
    tip: Cell<Option<Tip>>,
    /// Set where the last write found no room and none has succeeded since.
    full: Option<&'c Fault>,
}

/// Where the log stands, without the time.
#[derive(Clone, Copy)]
pub(super) struct Tip {
    pub(super) incarnation: Incarnation,
    pub(super) seq: Seq,
    /// The time of the newest entry; the epoch where there is none left.
    pub(super) at: Timestamp,
    pub(super) tag: ChainTag,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection, clock: &'c dyn Clock, full: Option<&'c Fault>) -> Self {
        Self { connection, clock, tip: Cell::new(None), full }
    }

    /// The statement, prepared at its first use.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'c>, Fault> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// The store's time. An operation reads it once.
    pub(super) fn now(&self) -> Timestamp {
        storable(self.clock.wall())
    }

    /// Fails where writes found no room lately.
    pub(super) fn has_room(&self) -> Result<(), Fault> {
        self.full.map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Where the log stands.
    pub(super) fn tip(&self) -> Result<Tip, Fault> {
        if let Some(tip) = self.tip.get() {
            return Ok(tip);
        }
        let mut statement = self.statement(
            "SELECT m.one, m.incarnation, coalesce(l.seq, m.base_seq), coalesce(l.tag, m.base_tag), coalesce(l.at, 0) FROM meta m \
             LEFT JOIN log l ON l.seq = (SELECT seq FROM log WHERE seq > m.base_seq ORDER BY seq DESC LIMIT 1)",
        )?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or_else(|| Fault::new(StoreErrorKind::Corrupt, "table meta has no row"))?;
        let cells = Cells::new(row, "meta", 0);
        let incarnation = cells.read(1, |value| value.as_blob().ok()?.try_into().ok().map(Incarnation::from_bytes))?;
        let at = Timestamp::from_millis(cells.number(4)?);
        let tip = Tip { incarnation, seq: Seq::new(cells.number(2)?), at, tag: cells.tag(3)? };
        self.tip.set(Some(tip));
        Ok(tip)
    }

    /// Notes where the log stands after a write to it; `None` to have it read again.
    pub(super) fn moved(&self, tip: Option<Tip>) {
        self.tip.set(tip);
    }

    /// The head at this moment.
    pub(super) fn head(&self, now: Timestamp) -> Result<Head, Fault> {
        self.tip().map(|Tip { incarnation, seq, tag, .. }| Head { incarnation, seq, tag, now })
    }
}
