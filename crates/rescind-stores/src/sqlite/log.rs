//! The log's rows: appending, following, the snapshot, and a new incarnation. Owns which row is its scope's state
//! (`newest = 1`). Decides nothing about what a cut-off covers.

use std::collections::HashMap;

use rescind::log::{Act, ChainTag, CutOff, Entry, NewEntry, Scope, ScopeKind, Text};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Appended, Batch, Feed, Snapshot, StoreErrorKind};
use rescind::time::Timestamp;

use super::cells::{Cells, limit, storable, stored};
use super::fault::Fault;
use super::transaction::{Tip, Transaction};

const TABLE: &str = "log";

macro_rules! select_entry {
    ($rest:literal) => {
        concat!("SELECT seq, at, kind, id, lift_of, remember_until, reason, actor, tag FROM log ", $rest)
    };
}

/// Appends all of `new` at the positions behind the head, or nothing where a lift does not fit.
pub(super) fn append(tx: &Transaction<'_>, new: Vec<NewEntry>) -> Result<Appended, Fault> {
    let mut placed = match place(tx, new)? {
        Ok(placed) => placed,
        Err(scope) => return Ok(Appended::Conflict { newest: newest(tx, &scope)? }),
    };
    // Most scopes are new, and to look is cheaper than to update nothing: the index alone answers.
    let mut state = tx.statement("SELECT seq, remember_until FROM log WHERE newest = 1 AND id = ?1 AND kind = ?2")?;
    let mut supersede = tx.statement("UPDATE log SET newest = 0 WHERE seq = ?1")?;
    let mut insert = tx.statement(
        "INSERT INTO log (seq, at, newest, lift_of, kind, id, remember_until, reason, actor, tag) \
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut tip = tx.tip()?;
    for entry in &mut placed {
        let id = entry.scope.id();
        let kind = entry.scope.kind().as_str();
        let lift_of = match entry.act {
            Act::CutOff => None,
            Act::Lift { of } => Some(stored(of.get())?),
        };
        let mut rows = state.query((&id, kind))?;
        if let Some(row) = rows.next()? {
            let cells = Cells::new(row, TABLE, 0);
            supersede.execute([stored(cells.number(0)?)?])?;
            entry.remember_until = entry.remember_until.max(Timestamp::from_millis(cells.number(1)?));
        }
        drop(rows);
        tip = Tip { seq: entry.seq, at: entry.at, tag: tip.tag.next(entry), ..tip };
        insert.execute((
            stored(entry.seq.get())?,
            stored(entry.at.as_millis())?,
            lift_of,
            kind,
            &id,
            stored(entry.remember_until.as_millis())?,
            entry.reason.as_str(),
            entry.actor.as_str(),
            tip.tag.as_bytes(),
        ))?;
    }
    tx.moved(Some(tip));
    Ok(Appended::Done(placed))
}

/// Gives the entries their positions without writing; the scope of the first lift that does not fit is the inner error.
fn place(tx: &Transaction<'_>, new: Vec<NewEntry>) -> Result<Result<Vec<Entry>, Scope>, Fault> {
    let now = tx.now();
    let Tip { mut seq, at: latest, .. } = tx.tip()?;
    // Only a lift asks for it, so a call without lifts pays nothing.
    let lifts = new.iter().any(|entry| matches!(entry.act, Act::Lift { .. }));
    let mut newest_here = HashMap::new();
    let mut placed = Vec::with_capacity(new.len());
    for new in new {
        seq = seq.next();
        if seq > Seq::MAX {
            return Err(Fault::new(StoreErrorKind::Full, "the log has no positions left"));
        }
        let entry = Entry::new(seq, now, latest, new);
        let entry = Entry { remember_until: storable(entry.remember_until), ..entry };
        if let Act::Lift { of } = entry.act {
            let state = match newest_here.get(&entry.scope) {
                Some(state) => Some(*state),
                None => newest(tx, &entry.scope)?.map(|newest| (newest.seq, newest.act)),
            };
            if state != Some((of, Act::CutOff)) {
                return Ok(Err(entry.scope));
            }
        }
        if lifts {
            newest_here.insert(entry.scope.clone(), (entry.seq, entry.act));
        }
        placed.push(entry);
    }
    Ok(Ok(placed))
}

/// The entry that is the scope's state.
fn newest(tx: &Transaction<'_>, scope: &Scope) -> Result<Option<Entry>, Fault> {
    let mut statement = tx.statement(select_entry!("WHERE newest = 1 AND id = ?1 AND kind = ?2"))?;
    let mut rows = statement.query((scope.id(), scope.kind().as_str()))?;
    rows.next()?.map(|row| entry(&Cells::new(row, TABLE, 0))).transpose()
}

/// The cut-off at a position.
pub(super) fn cut_off(tx: &Transaction<'_>, seq: Seq) -> Result<CutOff, Fault> {
    let mut statement = tx.statement("SELECT seq, at, kind, id FROM log WHERE seq = ?1")?;
    let mut rows = statement.query([stored(seq.get())?])?;
    let row = rows.next()?.ok_or_else(|| missing(seq))?;
    read_cut_off(&Cells::new(row, TABLE, 0))
}

/// The log after a position.
pub(super) fn after(tx: &Transaction<'_>, after: Seq, rows: usize) -> Result<Feed, Fault> {
    let head = tx.head(tx.now())?;
    let (base, base_tag) = base(tx)?;
    if after < base || after > head.seq {
        return Ok(Feed::Gone(head));
    }
    let prev_tag = if after == base { base_tag } else { tag_at(tx, after)? };
    let mut statement = tx.statement(select_entry!("WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?;
    let mut rows = statement.query((stored(after.get())?, limit(rows)))?;
    let (mut entries, mut tag, mut seq) = (Vec::new(), prev_tag, after);
    while let Some(row) = rows.next()? {
        let cells = Cells::new(row, TABLE, 0);
        let entry = entry(&cells)?;
        seq = seq.next();
        if entry.seq != seq {
            return Err(missing(seq));
        }
        tag = cells.tag(8)?;
        entries.push(entry);
    }
    Ok(Feed::Batch(Batch { prev_tag, entries, tag, head }))
}

/// Every active cut-off since a time, in the order of positions.
pub(super) fn snapshot(tx: &Transaction<'_>, since: Timestamp) -> Result<Snapshot, Fault> {
    let head = tx.head(tx.now())?;
    // NOT INDEXED: the table lies in the order of positions, which an index on the scope would have to sort again.
    let mut statement = tx.statement(
        "SELECT seq, at, kind, id FROM log NOT INDEXED WHERE newest = 1 AND lift_of IS NULL AND at >= ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([stored(storable(since).as_millis())?])?;
    let mut cut_offs = Vec::new();
    while let Some(row) = rows.next()? {
        cut_offs.push(read_cut_off(&Cells::new(row, TABLE, 0))?);
    }
    Ok(Snapshot { head, cut_offs })
}

/// Starts the incarnation `new` at `head`, where `lost` is the present one and `head` lies ahead.
pub(super) fn reincarnate(tx: &Transaction<'_>, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, Fault> {
    let tip = tx.tip()?;
    if tip.incarnation != lost || head <= tip.seq {
        return Ok(false);
    }
    set_base(tx, new, head, ChainTag::genesis(new))?;
    Ok(true)
}

/// Moves the base: what lies at or before it cannot be followed any more.
pub(super) fn set_base(tx: &Transaction<'_>, incarnation: Incarnation, seq: Seq, tag: ChainTag) -> Result<(), Fault> {
    let mut statement = tx.statement("UPDATE meta SET incarnation = ?1, base_seq = ?2, base_tag = ?3")?;
    statement.execute((incarnation.as_bytes(), stored(seq.get())?, tag.as_bytes()))?;
    tx.moved(None);
    Ok(())
}

/// The position and tag before the first entry that can be followed.
pub(super) fn base(tx: &Transaction<'_>) -> Result<(Seq, ChainTag), Fault> {
    let mut statement = tx.statement("SELECT one, base_seq, base_tag FROM meta")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or_else(|| Fault::new(StoreErrorKind::Corrupt, "table meta has no row"))?;
    let cells = Cells::new(row, "meta", 0);
    Ok((Seq::new(cells.number(1)?), cells.tag(2)?))
}

fn tag_at(tx: &Transaction<'_>, seq: Seq) -> Result<ChainTag, Fault> {
    let mut statement = tx.statement("SELECT seq, tag FROM log WHERE seq = ?1")?;
    let mut rows = statement.query([stored(seq.get())?])?;
    let row = rows.next()?.ok_or_else(|| missing(seq))?;
    Cells::new(row, TABLE, 0).tag(1)
}

fn entry(cells: &Cells<'_>) -> Result<Entry, Fault> {
    let act = cells.number_or_none(4)?.map_or(Act::CutOff, |of| Act::Lift { of: Seq::new(of) });
    Ok(Entry {
        seq: Seq::new(cells.number(0)?),
        at: cells.time(1)?,
        scope: scope(cells)?,
        act,
        remember_until: cells.time(5)?,
        reason: cells.read(6, |value| Text::new(value.as_str().ok()?).ok())?,
        actor: cells.read(7, |value| Text::new(value.as_str().ok()?).ok())?,
    })
}

fn read_cut_off(cells: &Cells<'_>) -> Result<CutOff, Fault> {
    Ok(CutOff { seq: Seq::new(cells.number(0)?), at: cells.time(1)?, scope: scope(cells)? })
}

fn scope(cells: &Cells<'_>) -> Result<Scope, Fault> {
    let kind = cells.read(2, |value| ScopeKind::parse(value.as_str().ok()?))?;
    cells.read(3, |value| Scope::parse(kind, value.as_str().ok()?).ok())
}

fn missing(seq: Seq) -> Fault {
    Fault::new(StoreErrorKind::Corrupt, format!("table log, row {seq} is missing; positions have no gaps"))
}
