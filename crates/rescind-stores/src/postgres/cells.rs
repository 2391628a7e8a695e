//! Typed values into and out of rows. Owns the message that names table, column and row where one cannot be read.

use std::error::Error;
use std::str::FromStr;

use bytes::{BufMut, BytesMut};
use rescind::id::SessionId;
use rescind::store::StoreErrorKind;
use rescind::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use super::fault::Fault;

/// Sixteen bytes, as Postgres keeps them closest: a `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sixteen(pub(super) [u8; 16]);

impl ToSql for Sixteen {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Sixteen {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(UUID);
}

/// A row of a table, with the column that names the row.
pub(super) struct Cells<'r> {
    row: &'r Row,
    table: &'static str,
    key: usize,
}

impl<'r> Cells<'r> {
    /// A row of `table` whose column `key` names it in messages.
    pub(super) fn new(row: &'r Row, table: &'static str, key: usize) -> Self {
        Self { row, table, key }
    }

    pub(super) fn get<T: FromSql<'r>>(&self, column: usize) -> Result<T, Fault> {
        self.row.try_get(column).map_err(|_| self.unreadable(column))
    }

    /// Reads a column by `parse`; `None` means that it cannot be read.
    pub(super) fn read<V: FromSql<'r>, T>(
        &self,
        column: usize,
        parse: impl FnOnce(V) -> Option<T>,
    ) -> Result<T, Fault> {
        self.get(column).and_then(|value| parse(value).ok_or_else(|| self.unreadable(column)))
    }

    pub(super) fn number(&self, column: usize) -> Result<u64, Fault> {
        self.read(column, |value: i64| u64::try_from(value).ok())
    }

    pub(super) fn number_or_none(&self, column: usize) -> Result<Option<u64>, Fault> {
        match self.get::<Option<i64>>(column)? {
            None => Ok(None),
            Some(_) => self.number(column).map(Some),
        }
    }

    pub(super) fn time(&self, column: usize) -> Result<Timestamp, Fault> {
        self.number(column).map(Timestamp::from_millis)
    }

    pub(super) fn sixteen(&self, column: usize) -> Result<[u8; 16], Fault> {
        self.get::<Sixteen>(column).map(|sixteen| sixteen.0)
    }

    /// Reads a text by the type's own parser.
    pub(super) fn parsed<T: FromStr>(&self, column: usize) -> Result<T, Fault> {
        self.read(column, |text: &str| text.parse().ok())
    }

    /// Reads a text that may be absent, as [`absent_or`] has written it.
    pub(super) fn text_or_none(&self, column: usize) -> Result<Option<String>, Fault> {
        self.read(column, |text: &str| match text.strip_prefix('=') {
            Some(text) => Some(Some(text.to_owned())),
            None => text.is_empty().then_some(None),
        })
    }

    fn unreadable(&self, column: usize) -> Fault {
        let name = self.row.columns().get(column).map_or("?", tokio_postgres::Column::name);
        let key = match self.row.try_get::<_, i64>(self.key) {
            Ok(key) => key.to_string(),
            Err(_) => self
                .row
                .try_get::<_, Sixteen>(self.key)
                .map_or_else(|_| self.text_key(), |key| SessionId::from_bytes(key.0).to_string()),
        };
        Fault::corrupt(format!(
            "table {}, column {name}, row {key}: the value cannot be read. Restore the row from a backup",
            self.table
        ))
    }

    fn text_key(&self) -> String {
        self.row.try_get::<_, &str>(self.key).map_or_else(|_| "without a readable key".to_owned(), str::to_owned)
    }
}

/// A number as Postgres keeps it.
///
/// # Errors
/// A number above 2^63 − 1 has no room.
pub(super) fn stored(number: u64) -> Result<i64, Fault> {
    i64::try_from(number)
        .map_err(|_| Fault::new(StoreErrorKind::Full, format!("{number} is above the highest number that a row holds")))
}

/// A row count as Postgres takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The time itself, or the latest that a row holds (292 million years from now).
pub(super) fn storable(time: Timestamp) -> Timestamp {
    time.min(Timestamp::from_millis(i64::MAX.unsigned_abs()))
}

/// A time as Postgres keeps it.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A text that may be absent, in a column without NULL.
pub(super) fn absent_or(text: Option<&str>) -> String {
    text.map(|text| format!("={text}")).unwrap_or_default()
}

/// Refuses a text that Postgres cannot hold, before it takes the calls beside it down.
pub(super) fn writable(text: &str) -> Result<(), Fault> {
    if text.contains('\0') {
        return Err(Fault::corrupt("a text with a NUL character cannot be stored in Postgres; leave it out"));
    }
    Ok(())
}
