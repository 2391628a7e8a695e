//! The way to the database: the pool, one statement at a time, each with a limit. Owns that no connection goes back to
//! the pool while a reply is outstanding, and that every statement is a transaction of its own.
//!
//! Statements are unnamed and sent in one piece, so they work behind a pooler that gives each transaction another server
//! connection, and no lock is ever held while the server waits for this process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Timeouts};
use futures_util::StreamExt;
use rescind::store::{StoreError, StoreErrorKind};
use rescind::time::Clock;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, Row};

use super::cells::{millis, storable};
use super::dial::Dial;
use super::fault::Fault;
use super::settings::{CONNECT, Settings};
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
    pool: Pool,
    clock: Option<Arc<dyn Clock>>,
    /// The schema's name, quoted.
    schema: String,
    server: String,
    /// The last write found no room, and none has succeeded since.
    full: AtomicBool,
}

impl Link {
    /// Prepares connections; makes none yet. Without a clock the store's time is the database's.
    pub(super) fn new(settings: &Settings, clock: Option<Arc<dyn Clock>>) -> Result<Self, Fault> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (config, servers) = (settings.config.clone(), settings.servers());
        let manager = match settings.trust {
            Trust::NoTls => Manager::from_connect(config, Dial { servers, tls: NoTls }, recycling),
            trust => {
                let tls = tls::connector(trust, &settings.roots)?;
                Manager::from_connect(config, Dial { servers, tls }, recycling)
            }
        };
        let pool = Pool::builder(manager)
            .max_size(settings.pool)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(ANSWER), create: Some(CONNECT), recycle: Some(CONNECT) })
            .build()
            .map_err(|error| Fault::unavailable(error.to_string()))?;
        let schema = quoted(&settings.schema);
        Ok(Self { pool, clock, schema, server: settings.server.clone(), full: AtomicBool::new(false) })
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

    /// Runs a statement that reads, or that writes few rows.
    pub(super) async fn query(&self, text: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.query_within(ANSWER, text, params).await
    }

    /// Runs a statement that writes so many rows.
    pub(super) async fn write(&self, rows: usize, text: &str, params: Params<'_>) -> Result<Row, Fault> {
        let limit = ANSWER.saturating_add(PER_ROW.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX)));
        let written = self.query_within(limit, text, params).await;
        match &written {
            Ok(_) => self.full.store(false, Ordering::Relaxed),
            Err(fault) if fault.kind == StoreErrorKind::Full => self.full.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        written?.pop().ok_or_else(|| Fault::corrupt("a function of the store's schema returned nothing"))
    }

    /// Runs a statement within `limit`.
    pub(super) async fn query_within(
        &self,
        limit: Duration,
        text: &str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let text = self.sql(text);
        let lease = self.lease().await?;
        match timeout(limit, lease.query_typed(&text, params)).await {
            Ok(rows) => Ok(rows?),
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
                Ok(None) => return fault.map_or(Ok(()), Err),
                Ok(Some(row)) => {
                    // After a fault, too, the rest is read: the connection goes back without a reply outstanding.
                    let taken = row.map_err(Fault::from).and_then(|row| take(&row));
                    fault = fault.or(taken.err());
                }
            }
        }
    }

    /// A connection of the pool, to be given back only after its last reply.
    pub(super) async fn lease(&self) -> Result<Object, Fault> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Fault::unconnected(error),
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Fault::unavailable(format!(
                "all {} connections are busy; raise pool in the store's URL",
                self.pool.status().max_size
            )),
            PoolError::Timeout(_) => {
                Fault::unavailable(format!("no connection within {CONNECT:?}. Is the server there, and reachable?"))
            }
            error => Fault::unavailable(error.to_string()),
        })
    }

    /// Throws away a connection that did not answer, and those that lie idle: they lead to the same server.
    pub(super) fn silent(&self, lease: Object, limit: Duration) -> Fault {
        drop(Object::take(lease));
        drop(self.pool.retain(|_, _| false));
        Fault::unavailable(format!("no answer within {limit:?}. Whether a write happened is unknown"))
    }

    /// Whether the last write found no room.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
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
