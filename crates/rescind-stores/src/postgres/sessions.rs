//! The sessions' rows: opening, loading, advancing, listing. Owns what a row holds; decides nothing about who may pass.

use std::time::Duration;

use rescind::id::{ClientId, SessionId, Subject};
use rescind::log::CutOff;
use rescind::position::{Generation, Seq};
use rescind::refresh_token::ClientClass;
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{Advance, Page, SessionPage};
use rescind::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::cells::{Cells, Sixteen, absent_or, limit, millis, storable, stored, writable};
use super::fault::Fault;
use super::lane::{Waiting, Work};
use super::link::Link;
use super::log::scope;

const COLUMNS: &str = "l.sid, l.generation, l.rotated_at, l.position, l.opened_at, l.auth_time, l.idle, l.expires_at, \
                       l.subject, l.client, l.class, l.device, l.scope, l.claims, l.cut_seq, l.cut_at, l.cut_kind, \
                       l.cut_id, (SELECT {schema}.now_ms($1)), l.n";

/// Where the place in the list stands.
const PLACE: usize = 19;

/// Opening sessions.
pub(super) struct Open;

impl Work for Open {
    type Job = NewSession;
    /// `None` where the id exists already.
    type Answer = Option<Session>;

    fn arrange(jobs: &mut [Waiting<Self>]) {
        jobs.sort_by(|a, b| {
            let order = |new: &NewSession| (new.client.clone(), new.class.as_str(), new.idle, new.id);
            order(&a.job).cmp(&order(&b.job))
        });
    }

    async fn run(link: &Link, jobs: &[&NewSession]) -> Result<Vec<Option<Session>>, Fault> {
        let texts = |read: fn(&NewSession) -> &str| jobs.iter().map(|new| read(new)).collect::<Vec<_>>();
        let absent = |read: fn(&NewSession) -> Option<&str>| jobs.iter().map(|new| absent_or(read(new))).collect();
        let sids: Vec<_> = jobs.iter().map(|new| Sixteen(*new.id.as_bytes())).collect();
        let auth_times: Vec<_> = jobs.iter().map(|new| new.auth_time.map(millis)).collect();
        let idles: Vec<_> = jobs.iter().map(|new| span(new.idle)).collect();
        let absolutes: Vec<_> = jobs.iter().map(|new| span(new.absolute)).collect();
        let devices: Vec<String> = absent(|new| new.device.as_deref());
        let scopes: Vec<String> = absent(|new| new.scope.as_deref());
        let claims: Vec<String> = absent(|new| new.claims.as_deref());
        let row = link
            .write(
                jobs.len(),
                "SELECT at, head, opened FROM {schema}.open($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                &[
                    (&link.given(), Type::INT8),
                    (&sids, Type::UUID_ARRAY),
                    (&texts(|new| new.subject.as_str()), Type::TEXT_ARRAY),
                    (&texts(|new| new.client.as_str()), Type::TEXT_ARRAY),
                    (&texts(|new| new.class.as_str()), Type::TEXT_ARRAY),
                    (&auth_times, Type::INT8_ARRAY),
                    (&idles, Type::INT8_ARRAY),
                    (&absolutes, Type::INT8_ARRAY),
                    (&devices, Type::TEXT_ARRAY),
                    (&scopes, Type::TEXT_ARRAY),
                    (&claims, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        let cells = Cells::new(&row, "sessions", 0);
        let (at, head) = (cells.time(0)?, Seq::new(cells.number(1)?));
        let opened: Vec<bool> = cells.get(2)?;
        Ok(jobs
            .iter()
            .zip(opened)
            .map(|(new, opened)| {
                let session = Session::open((*new).clone(), head, at);
                opened.then(|| Session { expires_at: storable(session.expires_at), ..session })
            })
            .collect())
    }
}

/// What a row can hold of it; the fault where it can hold none.
pub(super) fn storable_session(new: NewSession) -> Result<NewSession, Fault> {
    for text in [&new.device, &new.scope, &new.claims].into_iter().flatten() {
        writable(text)?;
    }
    let whole = |time: Duration| Duration::from_millis(u64::try_from(span(time)).unwrap_or(0));
    Ok(NewSession {
        auth_time: new.auth_time.map(storable),
        idle: whole(new.idle),
        absolute: whole(new.absolute),
        ..new
    })
}

fn span(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A move of one session's generation.
pub(super) struct Step {
    pub(super) sid: SessionId,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Step {
    /// `None` where no row can stand at `from`.
    pub(super) fn new(sid: SessionId, from: Generation, to: Generation) -> Result<Option<Self>, Fault> {
        let Ok(from) = stored(from.get()) else { return Ok(None) };
        Ok(Some(Self { sid, from, to: stored(to.get())? }))
    }
}

/// Moving generations.
pub(super) struct Advances;

impl Work for Advances {
    type Job = Step;
    type Answer = Advance;

    fn arrange(jobs: &mut [Waiting<Self>]) {
        jobs.sort_by_key(|waiting| waiting.job.sid);
    }

    async fn run(link: &Link, jobs: &[&Step]) -> Result<Vec<Advance>, Fault> {
        let sids: Vec<_> = jobs.iter().map(|step| Sixteen(*step.sid.as_bytes())).collect();
        let froms: Vec<_> = jobs.iter().map(|step| step.from).collect();
        let tos: Vec<_> = jobs.iter().map(|step| step.to).collect();
        let row = link
            .write(
                jobs.len(),
                "SELECT at, moved FROM {schema}.advance($1, $2, $3, $4)",
                &[
                    (&link.given(), Type::INT8),
                    (&sids, Type::UUID_ARRAY),
                    (&froms, Type::INT8_ARRAY),
                    (&tos, Type::INT8_ARRAY),
                ],
            )
            .await?;
        let cells = Cells::new(&row, "sessions", 0);
        let at = cells.time(0)?;
        let moved: Vec<bool> = cells.get(1)?;
        Ok(moved.into_iter().map(|moved| if moved { Advance::Advanced(at) } else { Advance::Stale }).collect())
    }
}

/// Reading sessions, each with what covers it. Many wait for one statement: planning it costs more than a row.
pub(super) struct Loads;

impl Work for Loads {
    type Job = SessionId;
    /// A row that cannot be read is the fault of its caller alone.
    type Answer = Result<Option<Loaded>, Fault>;

    /// A hundred at most: all wait for the slowest, and after a restart each may want pages from the disk.
    fn weight(_: &SessionId) -> usize {
        10
    }

    async fn run(link: &Link, jobs: &[&SessionId]) -> Result<Vec<Self::Answer>, Fault> {
        let text = format!("SELECT {COLUMNS} FROM {{schema}}.load($2) l");
        let sids: Vec<_> = jobs.iter().map(|sid| Sixteen(*sid.as_bytes())).collect();
        let rows = link.query(&text, &[(&link.given(), Type::INT8), (&sids, Type::UUID_ARRAY)]).await?;
        let mut found: Vec<_> = jobs.iter().map(|_| None).collect();
        for row in &rows {
            let place = Cells::new(row, "sessions", 0).number(PLACE)?;
            let place = usize::try_from(place).ok().and_then(|place| found.get_mut(place.checked_sub(1)?));
            *place.ok_or_else(|| Fault::corrupt("a session was read that nobody had asked for"))? = Some(row);
        }
        Ok(found.into_iter().map(|row| row.map(loaded).transpose()).collect())
    }
}

/// Lists a subject's sessions from the newest, each with what covers it.
pub(super) async fn of_subject(link: &Link, subject: &Subject, page: Page) -> Result<SessionPage, Fault> {
    let text = format!(
        "SELECT {COLUMNS} FROM {{schema}}.load(ARRAY( \
         SELECT f.found FROM {{schema}}.sessions_of($2, $3, $4) f ORDER BY f.n)) l ORDER BY l.n"
    );
    let after = page.after.map(|sid| Sixteen(*sid.as_bytes()));
    // One more than asked for tells whether there is a next page.
    let most = limit(page.limit).saturating_add(1);
    let rows = link
        .query(
            &text,
            &[(&link.given(), Type::INT8), (&subject.as_str(), Type::TEXT), (&after, Type::UUID), (&most, Type::INT8)],
        )
        .await?;
    let sessions = rows.iter().take(page.limit).map(loaded).collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > page.limit;
    let next = sessions.last().filter(|_| more).map(|last| last.session.id);
    Ok(SessionPage { sessions, next })
}

fn loaded(row: &Row) -> Result<Loaded, Fault> {
    let cells = Cells::new(row, "sessions", 0);
    let session = Session {
        id: SessionId::from_bytes(cells.sixteen(0)?),
        generation: Generation::new(cells.number(1)?),
        rotated_at: cells.time(2)?,
        position: Seq::new(cells.number(3)?),
        opened_at: cells.time(4)?,
        auth_time: cells.time(5)?,
        idle: Duration::from_millis(cells.number(6)?),
        expires_at: cells.time(7)?,
        subject: cells.parsed::<Subject>(8)?,
        client: cells.parsed::<ClientId>(9)?,
        class: cells.read(10, ClientClass::parse)?,
        device: cells.text_or_none(11)?,
        scope: cells.text_or_none(12)?,
        claims: cells.text_or_none(13)?,
    };
    let cut_off = match cells.number_or_none(14)? {
        None => None,
        Some(seq) => Some(CutOff { seq: Seq::new(seq), at: cells.time(15)?, scope: scope(&cells, 16, 17)? }),
    };
    Ok(Loaded { session, cut_off, now: Timestamp::from_millis(cells.number(18)?) })
}
