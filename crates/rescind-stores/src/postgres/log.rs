//! The log's rows: appending, following, the snapshot, and a new incarnation. Owns how a call's entries become one
//! statement's arrays; the tags are made in the database, under the head's lock (`migrations/1.sql`).

use rescind::log::{Act, ChainTag, CutOff, Entry, NewEntry, Scope, ScopeKind, Text};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Appended, Batch, Feed, Head, Snapshot};
use rescind::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::cells::{Cells, Sixteen, limit, millis, stored};
use super::fault::Fault;
use super::lane::Work;
use super::link::Link;

const TABLE: &str = "log";

/// Appending.
pub(super) struct Appends;

impl Work for Appends {
    type Job = Vec<NewEntry>;
    type Answer = Appended;

    /// One that lifts is refused alone, so it is written alone.
    fn is_alone(entries: &Vec<NewEntry>) -> bool {
        entries.iter().any(|entry| entry.act != Act::CutOff)
    }

    fn weight(entries: &Vec<NewEntry>) -> usize {
        entries.len()
    }

    async fn run(link: &Link, jobs: &[&Vec<NewEntry>]) -> Result<Vec<Appended>, Fault> {
        let entries: Vec<_> = jobs.iter().flat_map(|entries| entries.iter()).collect();
        if entries.is_empty() {
            return Ok(jobs.iter().map(|_| Appended::Done(Vec::new())).collect());
        }
        let row = append(link, &entries).await?;
        let cells = Cells::new(&row, TABLE, 0);
        if cells.get(3)? {
            let newest = match cells.number_or_none(4)? {
                Some(seq) => entry_at(link, Seq::new(seq)).await?,
                None => None,
            };
            return Ok(vec![Appended::Conflict { newest }]);
        }
        let at = cells.time(1)?;
        let kept: Vec<i64> = cells.get(2)?;
        let mut seq = Seq::new(cells.number(0)?);
        let mut kept = kept.into_iter().map(|kept| Timestamp::from_millis(kept.unsigned_abs()));
        let mut place = |new: &NewEntry| {
            let placed = Entry {
                remember_until: kept.next().unwrap_or(new.remember_until),
                ..Entry::new(seq, at, at, new.clone())
            };
            seq = seq.next();
            placed
        };
        Ok(jobs.iter().map(|entries| Appended::Done(entries.iter().map(&mut place).collect())).collect())
    }
}

async fn append(link: &Link, entries: &[&NewEntry]) -> Result<Row, Fault> {
    let lift = |entry: &&NewEntry| match entry.act {
        Act::CutOff => Ok(None),
        // A position that no row can have is no row's.
        Act::Lift { of } => Ok(Some(stored(of.get()).unwrap_or(i64::MAX))),
    };
    let kinds: Vec<_> = entries.iter().map(|entry| number(entry.scope.kind())).collect();
    let ids: Vec<_> = entries.iter().map(|entry| entry.scope.id()).collect();
    let lifts = entries.iter().map(lift).collect::<Result<Vec<Option<i64>>, Fault>>()?;
    let untils: Vec<_> = entries.iter().map(|entry| millis(entry.remember_until)).collect();
    let reasons: Vec<_> = entries.iter().map(|entry| entry.reason.as_str()).collect();
    let actors: Vec<_> = entries.iter().map(|entry| entry.actor.as_str()).collect();
    link.write(
        entries.len(),
        "SELECT first, entry_at, kept, misfit, newest_seq FROM {schema}.append($1, $2, $3, $4, $5, $6, $7)",
        &[
            (&link.given(), Type::INT8),
            (&kinds, Type::INT2_ARRAY),
            (&ids, Type::TEXT_ARRAY),
            (&lifts, Type::INT8_ARRAY),
            (&untils, Type::INT8_ARRAY),
            (&reasons, Type::TEXT_ARRAY),
            (&actors, Type::TEXT_ARRAY),
        ],
    )
    .await
}

/// The log after a position.
pub(super) async fn after(link: &Link, after: Seq, rows: usize) -> Result<Feed, Fault> {
    // A position that no row can have is above every head.
    let from = stored(after.get()).unwrap_or(i64::MAX);
    let text = "SELECT incarnation, head, head_tag, now, base_seq, base_tag, prev_tag, seq, at, kind, id, lift_of, \
                remember_until, reason, actor, tag FROM {schema}.after($1, $2, $3)";
    let rows =
        link.query(text, &[(&link.given(), Type::INT8), (&from, Type::INT8), (&limit(rows), Type::INT8)]).await?;
    let first = rows.first().ok_or_else(headless)?;
    let cells = Cells::new(first, "head", 1);
    let head = read_head(&cells)?;
    let base = Seq::new(cells.number(4)?);
    if after < base || after > head.seq {
        return Ok(Feed::Gone(head));
    }
    let prev_tag = if after == base {
        ChainTag::from_bytes(cells.sixteen(5)?)
    } else {
        let tag = cells.get::<Option<Sixteen>>(6)?.ok_or_else(|| missing(after))?;
        ChainTag::from_bytes(tag.0)
    };
    let (mut entries, mut tag, mut seq) = (Vec::new(), prev_tag, after);
    for row in &rows {
        let cells = Cells::new(row, TABLE, 7);
        if cells.number_or_none(7)?.is_none() {
            break;
        }
        let entry = entry(&cells, 7)?;
        seq = seq.next();
        if entry.seq != seq {
            return Err(missing(seq));
        }
        tag = ChainTag::from_bytes(cells.sixteen(15)?);
        entries.push(entry);
    }
    Ok(Feed::Batch(Batch { prev_tag, entries, tag, head }))
}

/// Where the log stands; the fault where the server cannot write.
pub(super) async fn health(link: &Link) -> Result<Head, Fault> {
    if link.is_full() {
        link.write(1, "SELECT {schema}.probe()", &[]).await?;
    }
    let text = "SELECT h.incarnation, h.seq, h.tag, {schema}.now_ms($1), \
                pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' FROM {schema}.head h";
    let rows = link.query(text, &[(&link.given(), Type::INT8)]).await?;
    let cells = Cells::new(rows.first().ok_or_else(headless)?, "head", 1);
    if cells.get(4)? {
        return Err(Fault::read_only());
    }
    read_head(&cells)
}

/// Every active cut-off since a time, in the order of positions.
pub(super) async fn snapshot(link: &Link, since: Timestamp) -> Result<Snapshot, Fault> {
    // One statement, so head and cut-offs are of one moment. In no order, so the server sends while it reads.
    let text = "SELECT h.incarnation, h.seq, h.tag, {schema}.now_ms($1), NULL::smallint, NULL::text FROM {schema}.head h \
                UNION ALL SELECT NULL, l.seq, NULL, l.at, l.kind, l.id FROM {schema}.log l \
                WHERE l.newest AND l.lift_of IS NULL AND l.at >= $2";
    let (mut head, mut cut_offs) = (None, Vec::new());
    let params = [(&link.given() as &(dyn ToSql + Sync), Type::INT8), (&millis(since), Type::INT8)];
    link.stream(text, &params, |row| {
        let cells = Cells::new(row, TABLE, 1);
        if cells.get::<Option<i16>>(4)?.is_none() {
            head = Some(read_head(&cells)?);
        } else {
            cut_offs.push(CutOff { seq: Seq::new(cells.number(1)?), at: cells.time(3)?, scope: scope(&cells, 4, 5)? });
        }
        Ok(())
    })
    .await?;
    cut_offs.sort_unstable_by_key(|cut_off| cut_off.seq);
    Ok(Snapshot { head: head.ok_or_else(headless)?, cut_offs })
}

/// Starts the incarnation `new` at `head`, where `lost` is the present one and `head` lies ahead.
pub(super) async fn reincarnate(link: &Link, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, Fault> {
    let row = link
        .write(
            1,
            "SELECT {schema}.reincarnate($1, $2, $3, $4)",
            &[
                (&Sixteen(*lost.as_bytes()), Type::UUID),
                (&Sixteen(*new.as_bytes()), Type::UUID),
                (&Sixteen(*ChainTag::genesis(new).as_bytes()), Type::UUID),
                (&stored(head.get())?, Type::INT8),
            ],
        )
        .await?;
    Cells::new(&row, "head", 0).get(0)
}

fn read_head(cells: &Cells<'_>) -> Result<Head, Fault> {
    Ok(Head {
        incarnation: Incarnation::from_bytes(cells.sixteen(0)?),
        seq: Seq::new(cells.number(1)?),
        tag: ChainTag::from_bytes(cells.sixteen(2)?),
        now: cells.time(3)?,
    })
}

/// The entry at a position, where the log has it still.
async fn entry_at(link: &Link, seq: Seq) -> Result<Option<Entry>, Fault> {
    let text = "SELECT l.seq, l.at, l.kind, l.id, l.lift_of, l.remember_until, l.reason, l.actor \
                FROM {schema}.log l WHERE l.seq = $1";
    let rows = link.query(text, &[(&stored(seq.get())?, Type::INT8)]).await?;
    rows.first().map(|row| entry(&Cells::new(row, TABLE, 0), 0)).transpose()
}

/// Reads an entry whose columns begin at `from`.
fn entry(cells: &Cells<'_>, from: usize) -> Result<Entry, Fault> {
    let act = cells.number_or_none(from + 4)?.map_or(Act::CutOff, |of| Act::Lift { of: Seq::new(of) });
    Ok(Entry {
        seq: Seq::new(cells.number(from)?),
        at: cells.time(from + 1)?,
        scope: scope(cells, from + 2, from + 3)?,
        act,
        remember_until: cells.time(from + 5)?,
        reason: cells.read(from + 6, |text: &str| Text::new(text).ok())?,
        actor: cells.read(from + 7, |text: &str| Text::new(text).ok())?,
    })
}

/// Reads a scope from the columns of its kind and id.
pub(super) fn scope(cells: &Cells<'_>, kind: usize, id: usize) -> Result<Scope, Fault> {
    let kind = cells.read(kind, |number: i16| ScopeKind::EVERY.get(usize::try_from(number).ok()?).copied())?;
    cells.read(id, |text: &str| Scope::parse(kind, text).ok())
}

/// A kind as the rows hold it: its place among all, from narrow to wide.
pub(super) fn number(kind: ScopeKind) -> i16 {
    match kind {
        ScopeKind::Token => 0,
        ScopeKind::Session => 1,
        ScopeKind::Subject => 2,
        ScopeKind::Client => 3,
        ScopeKind::Key => 4,
        ScopeKind::All => 5,
    }
}

fn missing(seq: Seq) -> Fault {
    Fault::corrupt(format!("table log, row {seq} is missing; positions have no gaps. Restore the schema from a backup"))
}

fn headless() -> Fault {
    Fault::corrupt("table head has no row. Restore the schema from a backup")
}
