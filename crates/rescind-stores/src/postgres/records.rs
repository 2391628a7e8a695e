//! The records' rows: small documents under compare-and-set. Knows nothing of what is in them.

use rescind::store::{Put, Record};
use rescind::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::cells::{Cells, limit, millis, stored, writable};
use super::fault::Fault;
use super::lane::{Waiting, Work};
use super::link::Link;

/// The longest id: an entry of a Postgres index has no more room.
const LONGEST: usize = 2_000;

/// A record to be written.
pub(super) struct Document {
    kind: &'static str,
    id: String,
    expected: i64,
    body: Vec<u8>,
    ends: Option<i64>,
}

impl Document {
    /// `None` where no row can have the version `expected`.
    pub(super) fn new(
        kind: &'static str,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Option<Self>, Fault> {
        writable(id)?;
        if id.len() > LONGEST {
            return Err(Fault::corrupt(format!("a record's id has {} bytes, and at most {LONGEST} fit", id.len())));
        }
        if stored(expected.saturating_add(1)).is_err() {
            return Ok(None);
        }
        Ok(Some(Self { kind, id: id.to_owned(), expected: stored(expected)?, body, ends: ends.map(millis) }))
    }
}

/// Writing records.
pub(super) struct Puts;

impl Work for Puts {
    type Job = Document;
    type Answer = Put;

    fn arrange(jobs: &mut [Waiting<Self>]) {
        jobs.sort_by(|a, b| (a.job.kind, &a.job.id).cmp(&(b.job.kind, &b.job.id)));
    }

    /// A large body is many small ones: a batch stays below about 16 MB.
    fn weight(job: &Document) -> usize {
        1 + job.body.len() / 16_384
    }

    async fn run(link: &Link, jobs: &[&Document]) -> Result<Vec<Put>, Fault> {
        let kinds: Vec<_> = jobs.iter().map(|put| put.kind).collect();
        let ids: Vec<_> = jobs.iter().map(|put| put.id.as_str()).collect();
        let expecteds: Vec<_> = jobs.iter().map(|put| put.expected).collect();
        let bodies: Vec<_> = jobs.iter().map(|put| put.body.as_slice()).collect();
        let ends: Vec<_> = jobs.iter().map(|put| put.ends).collect();
        let weight = jobs.iter().map(|put| Self::weight(put)).sum();
        let row = link
            .write(
                weight,
                "SELECT {schema}.put($1, $2, $3, $4, $5)",
                &[
                    (&kinds, Type::TEXT_ARRAY),
                    (&ids, Type::TEXT_ARRAY),
                    (&expecteds, Type::INT8_ARRAY),
                    (&bodies, Type::BYTEA_ARRAY),
                    (&ends, Type::INT8_ARRAY),
                ],
            )
            .await?;
        let written: Vec<bool> = Cells::new(&row, "records", 0).get(0)?;
        let version = |put: &Document| put.expected.unsigned_abs().saturating_add(1);
        Ok(jobs
            .iter()
            .zip(written)
            .map(|(put, written)| if written { Put::Written(version(put)) } else { Put::Stale })
            .collect())
    }
}

/// Reads a record.
pub(super) async fn read(link: &Link, kind: &str, id: &str) -> Result<Option<Record>, Fault> {
    if writable(id).is_err() {
        return Ok(None);
    }
    // now_ms refuses on a replica; it is asked once, also where no row is found.
    let text = "SELECT id, version, body, ends FROM {schema}.records WHERE kind = $1 AND id = $2 \
                AND {schema}.now_ms(0) = 0";
    let rows = link.query(text, &[(&kind, Type::TEXT), (&id, Type::TEXT)]).await?;
    rows.first().map(|row| record(&Cells::new(row, "records", 0))).transpose()
}

/// Lists a kind's records behind an id, in the order of the ids' bytes.
pub(super) async fn list(
    link: &Link,
    kind: &str,
    after: Option<&str>,
    rows: usize,
) -> Result<Vec<(String, Record)>, Fault> {
    let text = "SELECT id, version, body, ends FROM {schema}.records \
                WHERE kind = $1 AND ($2 IS NULL OR id > $2) \
                AND {schema}.now_ms(0) = 0 ORDER BY id LIMIT $3";
    // No id has a NUL, so none lies between a name and the name with one and what is behind it.
    let after = after.map(|after| after.split('\0').next().unwrap_or(after));
    let params: &[_] = &[(&kind as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT), (&after, Type::TEXT)];
    let most = limit(rows);
    let rows = link.query(text, &[params, &[(&most, Type::INT8)]].concat()).await?;
    rows.iter().map(named).collect()
}

fn named(row: &Row) -> Result<(String, Record), Fault> {
    let cells = Cells::new(row, "records", 0);
    Ok((cells.get(0)?, record(&cells)?))
}

fn record(cells: &Cells<'_>) -> Result<Record, Fault> {
    let ends = cells.number_or_none(3)?.map(Timestamp::from_millis);
    Ok(Record { version: cells.number(1)?, body: cells.get(2)?, ends })
}
