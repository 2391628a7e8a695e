//! Reads typed values out of a row. Owns the message that names table, column and row where one cannot be read.

use std::str::FromStr;

use rescind::log::ChainTag;
use rescind::store::StoreErrorKind;
use rescind::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::fault::Fault;

/// A row of a table, with the column that names the row.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    key: usize,
}

impl<'r> Cells<'r> {
    /// A row of `table` whose column `key` names it in messages.
    pub(super) fn new(row: &'r Row<'r>, table: &'static str, key: usize) -> Self {
        Self { row, table, key }
    }

    /// Reads a column by `parse`; `None` means that it cannot be read.
    pub(super) fn read<T>(
        &self,
        column: usize,
        parse: impl for<'v> FnOnce(ValueRef<'v>) -> Option<T>,
    ) -> Result<T, Fault> {
        self.row.get_ref(column).ok().and_then(parse).ok_or_else(|| self.unreadable(column))
    }

    pub(super) fn number(&self, column: usize) -> Result<u64, Fault> {
        self.read(column, |value| u64::try_from(value.as_i64().ok()?).ok())
    }

    pub(super) fn number_or_none(&self, column: usize) -> Result<Option<u64>, Fault> {
        match self.row.get_ref(column) {
            Ok(ValueRef::Null) => Ok(None),
            _ => self.number(column).map(Some),
        }
    }

    pub(super) fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        self.number(column).map(Timestamp::from_millis)
    }

    pub(super) fn tag(&self, column: usize) -> Result<ChainTag, Fault> {
        self.read(column, |value| value.as_blob().ok()?.try_into().ok().map(ChainTag::from_bytes))
    }

    /// Reads a text by the type's own parser.
    pub(super) fn parsed<T: FromStr>(&self, column: usize) -> Result<T, Fault> {
        self.read(column, |value| value.as_str().ok()?.parse().ok())
    }

    pub(super) fn text_or_none(&self, column: usize) -> Result<Option<String>, Fault> {
        self.read(column, |value| value.as_str_or_null().ok().map(|text| text.map(str::to_owned)))
    }

    fn unreadable(&self, column: usize) -> Fault {
        let name = self.row.as_ref().column_name(column).unwrap_or("?");
        let key = match self.row.get_ref(self.key) {
            Ok(ValueRef::Integer(key)) => key.to_string(),
            Ok(ValueRef::Text(key)) => String::from_utf8_lossy(key).into_owned(),
            _ => "without a readable key".to_owned(),
        };
        let text = format!("table {}, column {name}, row {key}: the value cannot be read", self.table);
        Fault::new(StoreErrorKind::Corrupt, text)
    }
}

/// A number as SQLite keeps it.
///
/// # Errors
/// A number above 2^63 − 1 has no room.
pub(super) fn stored(number: u64) -> Result<i64, Fault> {
    i64::try_from(number)
        .map_err(|_| Fault::new(StoreErrorKind::Full, format!("{number} is above the highest number that a row holds")))
}

/// A row count as SQLite takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The time itself, or the latest that a row holds (292 million years from now).
pub(super) fn storable(time: Timestamp) -> Timestamp {
    time.min(Timestamp::from_millis(i64::MAX.unsigned_abs()))
}
