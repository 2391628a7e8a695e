//! The sessions' rows: opening, loading with the cut-off that covers them, the compare-and-set, and a subject's list.

use std::time::Duration;

use rescind::id::{ClientId, SessionId, Subject};
use rescind::position::{Generation, Seq};
use rescind::refresh_token::ClientClass;
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{Advance, Page, SessionPage, StoreErrorKind};
use rescind::time::Timestamp;
use rusqlite::ErrorCode;

use super::cells::{Cells, limit, storable, stored};
use super::fault::Fault;
use super::log;
use super::transaction::Transaction;

/// The row, then the position of the highest active cut-off on its session, subject, client or `all`; 0 for none.
macro_rules! select_loaded {
    ($rest:literal) => {
        concat!(
            "SELECT sid, generation, rotated_at, position, opened_at, auth_time, idle, expires_at, ",
            "subject, client, class, device, scope, claims, max(",
            "ifnull((SELECT seq FROM log WHERE newest = 1 AND id = sid AND kind = 'session' AND lift_of IS NULL), 0), ",
            "ifnull((SELECT seq FROM log WHERE newest = 1 AND id = subject AND kind = 'subject' AND lift_of IS NULL), 0), ",
            "ifnull((SELECT seq FROM log WHERE newest = 1 AND id = client AND kind = 'client' AND lift_of IS NULL), 0), ",
            "ifnull((SELECT seq FROM log WHERE newest = 1 AND id = '' AND kind = 'all' AND lift_of IS NULL), 0)) ",
            "FROM sessions ",
            $rest
        )
    };
}

/// Inserts the session at the log's head and the time of this moment.
pub(super) fn open(tx: &Transaction<'_>, new: NewSession) -> Result<Session, Fault> {
    let session = Session::open(whole_millis(new), tx.tip()?.seq, tx.now());
    let session = Session { expires_at: storable(session.expires_at), ..session };
    let mut insert = tx.statement(
        "INSERT INTO sessions (sid, generation, rotated_at, position, opened_at, auth_time, idle, expires_at, \
         subject, client, class, device, scope, claims) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    let written = insert.execute((
        session.id.to_string(),
        stored(session.generation.get())?,
        stored(session.rotated_at.as_millis())?,
        stored(session.position.get())?,
        stored(session.opened_at.as_millis())?,
        stored(session.auth_time.as_millis())?,
        stored(millis(session.idle))?,
        stored(session.expires_at.as_millis())?,
        session.subject.as_str(),
        session.client.as_str(),
        session.class.as_str(),
        &session.device,
        &session.scope,
        &session.claims,
    ));
    match written {
        Ok(_) => Ok(session),
        // SQLite has undone the statement; the calls beside it in the transaction are not touched.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => Err(Fault::new(
            StoreErrorKind::Corrupt,
            format!("table sessions, row {} exists already; a session id is never reused", session.id),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Reads a session and what covers it.
pub(super) fn load(tx: &Transaction<'_>, sid: SessionId) -> Result<Option<Loaded>, Fault> {
    let mut statement = tx.statement(select_loaded!("WHERE sid = ?1"))?;
    let mut rows = statement.query([sid.to_string()])?;
    let now = tx.now();
    rows.next()?.map(|row| loaded(tx, &cells(row), now)).transpose()
}

/// Sets the generation where it stands at `from`.
pub(super) fn advance(
    tx: &Transaction<'_>,
    sid: SessionId,
    from: Generation,
    to: Generation,
) -> Result<Advance, Fault> {
    let now = tx.now();
    let mut statement =
        tx.statement("UPDATE sessions SET generation = ?3, rotated_at = ?4 WHERE sid = ?1 AND generation = ?2")?;
    let Ok(from) = stored(from.get()) else { return Ok(Advance::Stale) };
    match statement.execute((sid.to_string(), from, stored(to.get())?, stored(now.as_millis())?))? {
        0 => Ok(Advance::Stale),
        _ => Ok(Advance::Advanced(now)),
    }
}

/// Lists a subject's sessions from the newest, each with what covers it.
pub(super) fn of_subject(tx: &Transaction<'_>, subject: &Subject, page: Page) -> Result<SessionPage, Fault> {
    let now = tx.now();
    let mut statement =
        tx.statement(select_loaded!("WHERE subject = ?1 AND (?2 IS NULL OR sid < ?2) ORDER BY sid DESC LIMIT ?3"))?;
    let after = page.after.map(|sid| sid.to_string());
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query((subject.as_str(), after, limit(page.limit).saturating_add(1)))?;
    let mut sessions: Vec<Loaded> = Vec::new();
    while let Some(row) = rows.next()? {
        if sessions.len() == page.limit {
            return Ok(SessionPage { next: sessions.last().map(|last| last.session.id), sessions });
        }
        sessions.push(loaded(tx, &cells(row), now)?);
    }
    Ok(SessionPage { sessions, next: None })
}

fn cells<'r>(row: &'r rusqlite::Row<'r>) -> Cells<'r> {
    Cells::new(row, "sessions", 0)
}

fn loaded(tx: &Transaction<'_>, cells: &Cells<'_>, now: Timestamp) -> Result<Loaded, Fault> {
    let session = Session {
        id: cells.parsed::<SessionId>(0)?,
        generation: Generation::new(cells.number(1)?),
        rotated_at: cells.time(2)?,
        position: Seq::new(cells.number(3)?),
        opened_at: cells.time(4)?,
        auth_time: cells.time(5)?,
        idle: Duration::from_millis(cells.number(6)?),
        expires_at: cells.time(7)?,
        subject: cells.parsed::<Subject>(8)?,
        client: cells.parsed::<ClientId>(9)?,
        class: cells.read(10, |value| ClientClass::parse(value.as_str().ok()?))?,
        device: cells.text_or_none(11)?,
        scope: cells.text_or_none(12)?,
        claims: cells.text_or_none(13)?,
    };
    let highest = Seq::new(cells.number(14)?);
    let cut_off = if highest > session.position { Some(log::cut_off(tx, highest)?) } else { None };
    Ok(Loaded { session, cut_off, now })
}

/// What a row can hold of it: whole milliseconds, no further than a row's numbers go.
fn whole_millis(new: NewSession) -> NewSession {
    NewSession {
        auth_time: new.auth_time.map(storable),
        idle: Duration::from_millis(millis(new.idle)),
        absolute: Duration::from_millis(millis(new.absolute)),
        ..new
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}
