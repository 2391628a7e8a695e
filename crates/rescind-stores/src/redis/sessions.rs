//! Sessions: one row each, spread over a cluster, and an index of each subject's. Owns in what order things are read and
//! written where no script can do it in one moment.

use rescind::id::{SessionId, Subject};
use rescind::log::{CutOff, Scope};
use rescind::position::Generation;
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{Advance, Page, SessionPage, StoreErrorKind};
use rescind::time::Timestamp;

use super::core::{Core, digits};
use super::entry::State;
use super::fault::Fault;
use super::keys::{self, SHARDS, shard_of};
use super::log;
use super::reply::{Reply, Tip};
use super::row::{self, Row, storable};

/// A row goes by itself this long after its session has ended, where no sweep came first: 30 days.
const MARGIN_MILLIS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// A page has at most so many sessions.
const PAGE: usize = 1_000;

/// How often rows that change while they are read are read again.
const READS: usize = 1_000;

/// Inserts the session at the log's head and the store's time.
pub(super) async fn open(core: &Core, new: NewSession) -> Result<Session, Fault> {
    let new = row::whole_millis(new);
    let sid = new.id;
    let parts = vec![
        sid.as_bytes().to_vec(),
        row::lengths(&new).into_bytes(),
        row::tail(&new),
        digits(row::millis(new.absolute)),
        digits(MARGIN_MILLIS),
    ];
    let (row, ends, index) =
        (core.keys.row(sid), core.keys.ends(shard_of(sid)), core.keys.sessions_of(new.subject.as_str()));
    let (tip, written) = if core.link.is_cluster() {
        // The index first: a session that is not listed could not be found by its owner. One that is listed and has no row
        // is passed over.
        let mut add = redis::cmd("ZADD");
        add.arg(index).arg(0).arg(sid.as_bytes());
        core.link.command(&add).await?;
        // The head, then the row. A cut-off that is appended between the two has a higher position, as if the session had
        // been opened when the head was read: an older head only makes a session easier to revoke. One that was
        // acknowledged before the call is in the head.
        let tip = log::tip(core).await?;
        let mut args = vec![tip.era.to_vec(), digits(tip.head.now.as_millis()), digits(tip.head.seq.get())];
        args.extend(parts);
        let answer = core.write(&core.scripts.open_far, &[row, ends], &args).await?;
        (tip, Reply::of(answer).number()?)
    } else {
        core.catch_up().await?;
        let (tip, mut rest) = core.written(&core.scripts.open, vec![row, ends, index], parts).await?;
        (tip, rest.number()?)
    };
    if written == 0 {
        return Err(Fault::new(
            StoreErrorKind::Corrupt,
            format!("session {sid} exists already; a session id is never reused"),
        ));
    }
    Ok(row::opened(new, tip.head.seq, tip.head.now))
}

/// Reads a session and what covers it.
pub(super) async fn load(core: &Core, sid: SessionId) -> Result<Option<Loaded>, Fault> {
    Ok(read(core, &[sid]).await?.pop().flatten())
}

/// Sets the generation where it stands at `from`.
pub(super) async fn advance(core: &Core, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, Fault> {
    // In a cluster the row's server has a clock of its own; all times are the log's.
    let now = match core.given() {
        None if core.link.is_cluster() => Some(log::tip(core).await?.head.now),
        given => given,
    };
    let now = now.map_or_else(Vec::new, |now| digits(now.as_millis()));
    let args = [now, digits(from.get()), digits(to.get())];
    let mut answer = Reply::new(core.write(&core.scripts.advance, &[core.keys.row(sid)], &args).await?)?;
    let now = Timestamp::from_millis(answer.number()?);
    Ok(if answer.number()? == 1 { Advance::Advanced(now) } else { Advance::Stale })
}

/// Lists a subject's sessions from the newest, each with what covers it.
pub(super) async fn of_subject(core: &Core, subject: &Subject, page: Page) -> Result<SessionPage, Fault> {
    let limit = page.limit.min(PAGE);
    let mut from = page.after;
    let mut sessions: Vec<Loaded> = Vec::new();
    loop {
        // One more than asked for tells whether there is a next page.
        let most = limit - sessions.len() + 1;
        let ids = index(core, subject, from, most).await?;
        let ended = ids.len() < most;
        from = ids.last().copied().or(from);
        for loaded in read(core, &ids).await?.into_iter().flatten() {
            if sessions.len() == limit {
                return Ok(SessionPage { next: sessions.last().map(|last| last.session.id), sessions });
            }
            sessions.push(loaded);
        }
        if ended {
            return Ok(SessionPage { sessions, next: None });
        }
    }
}

/// A subject's session ids from the newest, behind `after`.
async fn index(core: &Core, subject: &Subject, after: Option<SessionId>, most: usize) -> Result<Vec<SessionId>, Fault> {
    let from = after.map_or_else(|| b"+".to_vec(), |after| [b"(", &after.as_bytes()[..]].concat());
    let mut range = redis::cmd("ZREVRANGEBYLEX");
    range.arg(core.keys.sessions_of(subject.as_str())).arg(from).arg("-").arg("LIMIT").arg(0).arg(most);
    let mut found = Reply::new(core.link.command(&range).await?)?;
    let mut ids = Vec::with_capacity(found.len());
    while found.len() > 0 {
        let id = found.bytes()?.try_into().map_err(|_| Fault::corrupt("an index of sessions has what is no id"))?;
        ids.push(SessionId::from_bytes(id));
    }
    Ok(ids)
}

/// Reads sessions and what covers them, of one moment.
async fn read(core: &Core, ids: &[SessionId]) -> Result<Vec<Option<Loaded>>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if core.link.is_cluster() {
        return read_far(core, ids).await;
    }
    let rows = ids.iter().map(|sid| core.keys.row(*sid)).collect();
    let args = ids.iter().map(|sid| sid.as_bytes().to_vec()).collect();
    let (tip, mut rest) = core.read(&core.scripts.rows, rows, args).await?;
    let (mut rows, mut states) = (rest.list()?, rest.list()?);
    let mut read = Vec::with_capacity(ids.len());
    for sid in ids {
        let row = rows.bytes_or_none()?.map(|row| Row::parse(*sid, &row)).transpose()?;
        read.push(covered(tip, row, &mut states)?);
    }
    Ok(read)
}

/// Reads over the slots of a cluster: rows, then the scopes' states, then the rows again. Where the rows are the same, they
/// were so at the moment of the states: a row's generation and times only grow, but for a use in the same millisecond
/// that changes nothing.
async fn read_far(core: &Core, ids: &[SessionId]) -> Result<Vec<Option<Loaded>>, Fault> {
    let mut rows = rows_far(core, ids).await?;
    for _ in 0..READS {
        let mut fields = Vec::with_capacity(ids.len() * 4);
        for (sid, row) in ids.iter().zip(&rows) {
            match row {
                Some(Row { session, .. }) => fields.extend(keys::fields_of(*sid, &session.subject, &session.client)),
                None => fields.extend(std::iter::repeat_n(Vec::new(), 4)),
            }
        }
        let (tip, mut rest) = core.read(&core.scripts.cover, Vec::new(), fields).await?;
        let again = rows_far(core, ids).await?;
        if again == rows {
            let mut states = rest.list()?;
            return rows.into_iter().map(|row| covered(tip, row, &mut states)).collect();
        }
        rows = again;
    }
    Err(Fault::unavailable("a session's row changed beside every attempt to read it"))
}

async fn rows_far(core: &Core, ids: &[SessionId]) -> Result<Vec<Option<Row>>, Fault> {
    let mut rows = Vec::with_capacity(ids.len());
    for sid in ids {
        let mut get = redis::cmd("GET");
        get.arg(core.keys.row(*sid));
        let row = Reply::of(core.link.command(&get).await?).bytes_or_none()?;
        rows.push(row.map(|row| Row::parse(*sid, &row)).transpose()?);
    }
    Ok(rows)
}

/// A row with the highest cut-off of its four scopes' states, which are taken from the answer.
fn covered(tip: Tip, row: Option<Row>, states: &mut Reply) -> Result<Option<Loaded>, Fault> {
    let mut four = [None; 4];
    for state in &mut four {
        *state = states.bytes_or_none()?.map(|state| State::parse(&state)).transpose()?;
    }
    // A row of another era is of a session whose cut-offs were lost: it is as one that is not there.
    let Some(Row { session, .. }) = row.filter(|row| row.era == tip.era) else { return Ok(None) };
    let scopes = [
        Scope::session(session.id),
        Scope::Subject(session.subject.clone()),
        Scope::Client(session.client.clone()),
        Scope::All,
    ];
    let active = four.into_iter().zip(scopes).filter_map(|(state, scope)| state?.cut_off(scope));
    let cut_off: Option<CutOff> =
        active.filter(|cut_off| cut_off.seq > session.position).max_by_key(|cut_off| cut_off.seq);
    Ok(Some(Loaded { session, cut_off, now: tip.head.now }))
}

/// Forgets sessions that ended before `before`, at most `limit`; how many.
///
/// Several nodes may sweep at once: each row is counted by the one whose script took it.
pub(super) async fn forget(core: &Core, before: Timestamp, limit: usize) -> Result<usize, Fault> {
    let mut forgotten = 0;
    if limit == 0 {
        return Ok(0);
    }
    for shard in shards_due(core, before).await? {
        while forgotten < limit {
            let step = (limit - forgotten).min(500);
            let args = [digits(storable(before).as_millis()), digits(step as u64), core.keys.rows(shard)];
            let gone = core.write(&core.scripts.forget_sessions, &[core.keys.ends(shard)], &args).await?;
            let mut gone = Reply::new(gone)?;
            let count = gone.len() / 2;
            while gone.len() > 0 {
                let (sid, subject) = (gone.bytes()?, gone.bytes()?);
                let mut remove = redis::cmd("ZREM");
                remove.arg(core.keys.sessions_of(&String::from_utf8_lossy(&subject))).arg(sid);
                core.link.command(&remove).await?;
            }
            forgotten += count;
            if count < step {
                break;
            }
        }
    }
    Ok(forgotten)
}

/// The shards that may have something to forget.
async fn shards_due(core: &Core, before: Timestamp) -> Result<Vec<u16>, Fault> {
    if core.link.is_cluster() {
        return Ok((0..SHARDS).collect());
    }
    let ends: Vec<_> = (0..SHARDS).map(|shard| core.keys.ends(shard)).collect();
    let answer = core.link.run(&core.scripts.ended, &ends, &[digits(storable(before).as_millis())]).await?;
    let mut found = Reply::new(answer)?;
    let mut due = Vec::new();
    while found.len() > 0 {
        due.push(u16::try_from(found.number()?).unwrap_or(0));
    }
    Ok(due)
}
