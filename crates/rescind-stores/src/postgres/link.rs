//! The way to the database: the pool, one statement at a time, each with a limit. Owns that no connection goes back to
//! the pool while a reply is outstanding, and that every statement is a transaction of its own. Writes that were given up
//! and still last at the server stand in `busy`.
//!
//! Statements are unnamed and sent in one piece, so they work behind a pooler that gives each transaction another server
//! connection, and no lock is ever held while the server waits for this process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType, Timeouts};
use futures_util::StreamExt;
use rescind::store::{StoreError, StoreErrorKind};
use rescind::time::Clock;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::busy::{Busy, Turn};
use super::cells::{millis, storable};
use super::dial::{Dial, Lease};
use super::fault::Fault;
use super::primary::Primary;
use super::settings::Settings;
use super::tls::{self, Trust};

/// How long the server may take for an answer, or for the next part of one. Below the time after which a view counts as
/// stale (2 s), so that a dead link costs one read and not the view.
pub(super) const ANSWER: Duration = Duration::from_millis(1_500);

/// How much longer it may take for each row that it is asked to write.
const PER_ROW: Duration = Duration::from_micros(500);

/// A statement's parameters, with their types: nothing is asked of the server beforehand.
pub(super) type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// Connections to one schema of one database.
pub(super) struct Link {
    pool: Pool<Dial>,
    clock: Option<Arc<dyn Clock>>,
    /// The schema's name, quoted.
    schema: String,
    server: String,
    /// The last write found no room, and none has succeeded since.
    full: AtomicBool,
    busy: Busy,
    primary: Primary,
}

impl Link {
    /// Prepares connections; makes none yet. Without a clock the store's time is the database's.
    pub(super) fn new(settings: &Settings, clock: Option<Arc<dyn Clock>>) -> Result<Self, Fault> {
        let primary = Primary::default();
        let tls = match settings.trust {
            Trust::NoTls => None,
            trust => Some(tls::connector(trust, &settings.roots)?),
        };
        let dial = Dial { servers: settings.servers(), tls, limit: settings.connect, primary: primary.clone() };
        // The dial has limits of its own, and to look at one that lies idle takes no time.
        let pool = Pool::builder(dial)
            .max_size(settings.pool)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(ANSWER), create: None, recycle: None })
            .build()
            .map_err(|error| Fault::unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            clock,
            schema: quoted(&settings.schema),
            server: settings.server.clone(),
            full: AtomicBool::new(false),
            busy: Busy::of(settings.pool),
            primary,
        })
    }

    /// The statement with the schema's name in the place of `{schema}`.
    pub(super) fn sql(&self, text: &str) -> String {
        text.replace("{schema}", &self.schema)
    }

    /// Hosts, database and schema, for messages.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The time that was given with the store, where it is not the database's.
    pub(super) fn given(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| millis(storable(clock.wall())))
    }

    /// Runs a statement that reads.
    pub(super) async fn query(&self, text: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.query_within(ANSWER, text, params).await
    }

    /// Runs a statement that writes so many rows, and returns one.
    pub(super) async fn write(&self, rows: usize, text: &str, params: Params<'_>) -> Result<Row, Fault> {
        let written = self.write_rows(rows, text, params).await?.pop();
        written.ok_or_else(|| Fault::corrupt("a function of the store's schema returned nothing"))
    }

    /// Runs a statement that writes so many rows.
    pub(super) async fn write_rows(&self, rows: usize, text: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let limit = ANSWER.saturating_add(PER_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX)));
        let written = self.write_within(limit, text, params).await;
        match &written {
            Ok(_) => self.full.store(false, Ordering::Relaxed),
            Err(fault) if fault.kind == StoreErrorKind::Full => self.full.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        written
    }

    async fn write_within(&self, limit: Duration, text: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let text = self.sql(text);
        let turn = self.turn().await?;
        let lease = self.lease().await?;
        let written = timeout(limit, lease.query_typed(&text, params)).await;
        if let Ok(rows) = written {
            return self.not_overtaken(&lease, rows?);
        }
        // Those that lie idle lead to the same server.
        drop(self.pool.retain(|_, _| false));
        turn.outlasts(lease);
        Err(silence(limit))
    }

    /// A turn to write. Where all are held by writes that still last, the server is asked whether they do: on a link that
    /// went dead nothing lasts.
    async fn turn(&self) -> Result<Turn, Fault> {
        if let Some(turn) = self.busy.turn() {
            return Ok(turn);
        }
        if self.busy.is_lasting() && !self.lasts_there().await? {
            self.busy.give_up();
        }
        let turn = timeout(ANSWER, self.busy.next_turn()).await;
        turn.ok().flatten().ok_or_else(|| {
            Fault::unavailable(
                "as many writes as this node may have at once still wait at the server, which does not commit them. Look at \
                 its synchronous standby (synchronous_standby_names, pg_stat_replication) and its disk; nothing was written",
            )
        })
    }

    /// Whether the server is at a statement of this user's for longer than any should last.
    async fn lasts_there(&self) -> Result<bool, Fault> {
        let text = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE usename = current_user \
                    AND datname = current_database() AND pid <> pg_catalog.pg_backend_pid() AND state = 'active' \
                    AND wait_event_type IS DISTINCT FROM 'Client' \
                    AND query_start < clock_timestamp() - interval '1 s')";
        let rows = self.query(text, &[]).await?;
        rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    /// Runs a statement that reads within `limit`.
    async fn query_within(&self, limit: Duration, text: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let text = self.sql(text);
        let lease = self.lease().await?;
        match timeout(limit, lease.query_typed(&text, params)).await {
            Ok(rows) => self.not_overtaken(&lease, rows?),
            Err(_) => Err(self.silent(lease, limit)),
        }
    }

    /// Runs a statement that returns many rows, and gives each to `take` as it comes.
    pub(super) async fn stream(
        &self,
        text: &str,
        params: Params<'_>,
        mut take: impl FnMut(&Row) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let text = self.sql(text);
        let lease = self.lease().await?;
        let params = params.iter().map(|(value, kind)| (*value, kind.clone()));
        let Ok(started) = timeout(ANSWER, lease.query_typed_raw(&text, params)).await else {
            return Err(self.silent(lease, ANSWER));
        };
        let mut rows = Box::pin(started?);
        let mut fault = None;
        loop {
            match timeout(ANSWER, rows.next()).await {
                Err(_) => return Err(self.silent(lease, ANSWER)),
                Ok(None) => return fault.map_or_else(|| self.not_overtaken(&lease, ()), Err),
                Ok(Some(row)) => {
                    // After a fault, too, the rest is read: the connection goes back without a reply outstanding.
                    let taken = row.map_err(Fault::from).and_then(|row| take(&row));
                    fault = fault.or(taken.err());
                }
            }
        }
    }

    /// An answer, where no other server has taken this one's place meanwhile: what that one has proved says nothing of it.
    fn not_overtaken<T>(&self, lease: &Lease, answer: T) -> Result<T, Fault> {
        if self.primary.has_changed_since(lease.reign) {
            let what = "another server has taken this one's place. Whether a write happened is unknown";
            return Err(Fault::unavailable(what));
        }
        Ok(answer)
    }

    /// A connection of the pool, to be given back only after its last reply.
    pub(super) async fn lease(&self) -> Result<Lease, Fault> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(fault) => fault,
            PoolError::Timeout(TimeoutType::Wait) => Fault::unavailable(format!(
                "all {} connections are busy; raise pool in the store's URL",
                self.pool.status().max_size
            )),
            error => Fault::unavailable(error.to_string()),
        })
    }

    /// Throws away a connection that did not answer, and those that lie idle: they lead to the same server.
    pub(super) fn silent(&self, lease: Lease, limit: Duration) -> Fault {
        drop(Object::take(lease));
        drop(self.pool.retain(|_, _| false));
        silence(limit)
    }

    /// Whether the last write found no room.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

fn silence(limit: Duration) -> Fault {
    Fault::unavailable(format!("no answer within {limit:?}. Whether a write happened is unknown"))
}

/// Runs a call to its end in a task of its own, also where nobody waits for it any more, and puts its fault into the
/// contract's words.
pub(super) async fn to_the_end<T: Send + 'static>(
    link: &Arc<Link>,
    op: &'static str,
    call: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(call).await {
        Ok(done) => done.map_err(|fault| fault.error(op, link.server())),
        Err(error) => Err(StoreError::new(StoreErrorKind::Unavailable, op, error)),
    }
}

/// A name as an identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
