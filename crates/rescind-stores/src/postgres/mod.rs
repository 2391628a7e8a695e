//! The Postgres store: many nodes on one database. Owns [`PostgresStore`], the contract's face; each method puts one job
//! into a lane, or runs one statement.
//!
//! # How it keeps the contract
//! * **One round trip, one transaction.** Every call is one statement, most of them a function of the schema
//!   (`migrations/1.sql`). No lock is held while the server waits for a node, so a node that is stopped stops no other.
//! * **No gaps.** Whoever appends holds the lock of the one row of `head` until its commit is durable.
//! * **Group commit.** Opens, rotations, appends and records each have a lane (`lane.rs`); what waits in one is written by
//!   the lane's next transaction. Only appends hold the head's lock: refreshing never waits for revoking.
//! * **Wake-ups are hints.** Each batch that appended calls once (`wake.rs`); the poll is the truth.
//! * **The database's clock.** Times come from the server, read before the rows that go with them.

mod busy;
mod cells;
mod conditions;
mod dial;
mod doctor;
mod fault;
mod inbox;
mod lane;
mod link;
mod log;
mod primary;
mod records;
mod schema;
mod sessions;
mod settings;
mod sweep;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod wake;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use rescind::id::{SessionId, Subject};
use rescind::log::NewEntry;
use rescind::position::{Generation, Incarnation, Seq};
use rescind::random::{Random, SystemRandom};
use rescind::session::{Loaded, NewSession, Session};
use rescind::store::{
    Advance, Appended, Feed, Head, Page, Put, Record, RecordKind, SessionPage, Snapshot, Store, StoreError,
    StoreErrorKind, Swept,
};
use rescind::time::{Clock, Timestamp};

pub use self::doctor::diagnose;
use self::fault::Fault;
use self::lane::Lane;
use self::link::{Link, to_the_end};
use self::settings::Settings;
use self::wake::{Calls, Listener};

/// A durable store in a schema of a Postgres database, for any number of nodes.
///
/// # The URL
/// `postgres://user:password@host:5432/database?parameter=value&…`, as libpq takes it: several hosts with commas between
/// (all are tried at once, and the first that can write is used), a socket's directory as `host=/run/postgresql`, `connect_timeout`, `application_name`.
/// Besides:
/// * `sslmode`: `disable`, `prefer`, `require`, `verify-ca`, `verify-full`. Where it is not given, a server on this machine
///   (loopback, socket) is asked for TLS and not held to it, and any other must prove its name: `verify-full`.
/// * `sslrootcert`: the authority's certificate as PEM; the machine's own roots otherwise, or for `system`.
/// * `schema`: where the tables are, `rescind` by default. Made at first start, if the user may.
/// * `pool`: how many connections this node may have, 12 by default.
pub struct PostgresStore {
    link: Arc<Link>,
    opens: Lane<sessions::Open>,
    loads: Lane<sessions::Loads>,
    advances: Lane<sessions::Advances>,
    appends: Lane<log::Appends>,
    puts: Lane<records::Puts>,
    calls: Arc<Calls>,
    /// Requests of the inbox that were set aside.
    refused: AtomicU64,
    _listener: Listener,
}

impl PostgresStore {
    /// Opens the schema, or makes it. The store's time is the database's.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, None, &SystemRandom).await
    }

    /// Opens the schema, or makes it: `clock` is the store's time in place of the database's, which only a test wants, and
    /// `random` names the history of a new one.
    ///
    /// **Cost:** a connection is made; more, up to the pool's size, when they are needed. Wants a tokio runtime, and
    /// writes on it.
    ///
    /// # Errors
    /// Each names the server and what to do, and none shows the password.
    /// * [`StoreErrorKind::Unavailable`]: the server cannot be reached or is read-only, refuses the user, or has a setting
    ///   with which it could forget (`fsync`, `full_page_writes`).
    /// * [`StoreErrorKind::Newer`]: a newer version has changed the layout so that this one cannot work on it.
    /// * [`StoreErrorKind::Corrupt`], [`StoreErrorKind::Full`]: as the server says.
    pub async fn open_with(url: &str, clock: Option<Arc<dyn Clock>>, random: &dyn Random) -> Result<Self, StoreError> {
        let mut name = [0; 16];
        random.fill(&mut name).map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "open", error))?;
        let incarnation = Incarnation::from_bytes(name);
        let settings = Settings::parse(url).map_err(|fault| fault.error("open", "postgres"))?;
        let link = Link::new(&settings, clock).map_err(|fault| fault.error("open", &settings.server))?;
        let link = Arc::new(link);
        let schema = settings.schema.clone();
        let opening = Arc::clone(&link);
        to_the_end(&link, "open", async move {
            conditions::check(&opening).await?;
            schema::migrate(&opening, &schema, incarnation).await
        })
        .await?;
        let calls = Arc::new(Calls::default());
        Ok(Self {
            opens: Lane::start(&link),
            loads: Lane::start(&link),
            advances: Lane::start(&link),
            appends: Lane::start(&link),
            puts: Lane::start(&link),
            _listener: Listener::start(settings, Arc::clone(&link), Arc::clone(&calls)),
            calls,
            refused: AtomicU64::new(0),
            link,
        })
    }

    fn refused(&self, op: &'static str) -> impl Fn(Fault) -> StoreError + '_ {
        move |fault| fault.error(op, self.link.server())
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        let session = sessions::storable_session(session).map_err(self.refused("open"))?;
        let id = session.id;
        self.opens.call("open", session).await?.ok_or_else(|| {
            let text = format!("table sessions, row {id} exists already; a session id is never reused");
            self.refused("open")(Fault::corrupt(text))
        })
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.loads.call("load", sid).await?.map_err(self.refused("load"))
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        match sessions::Step::new(sid, from, to).map_err(self.refused("advance"))? {
            Some(step) => self.advances.call("advance", step).await,
            None => Ok(Advance::Stale),
        }
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        let (link, subject) = (Arc::clone(&self.link), subject.clone());
        to_the_end(&self.link, "sessions_of", async move { sessions::of_subject(&link, &subject, page).await }).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.appends.call("append", entries).await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        let link = Arc::clone(&self.link);
        to_the_end(&self.link, "after", async move { log::after(&link, after, limit).await }).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        let link = Arc::clone(&self.link);
        to_the_end(&self.link, "snapshot", async move { log::snapshot(&link, since).await }).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let link = Arc::clone(&self.link);
        to_the_end(&self.link, "sweep", async move { sweep::sweep(&link, before, limit).await }).await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        let link = Arc::clone(&self.link);
        to_the_end(&self.link, "health", async move { log::health(&link).await }).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        let link = Arc::clone(&self.link);
        to_the_end(&self.link, "reincarnate", async move { log::reincarnate(&link, lost, new, head).await }).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let (link, id) = (Arc::clone(&self.link), id.to_owned());
        to_the_end(&self.link, "record", async move { records::read(&link, kind.0, &id).await }).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        match records::Document::new(kind.0, id, expected, body, ends).map_err(self.refused("put_record"))? {
            Some(document) => self.puts.call("put_record", document).await,
            None => Ok(Put::Stale),
        }
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        let (link, after) = (Arc::clone(&self.link), after.map(str::to_owned));
        to_the_end(&self.link, "records", async move { records::list(&link, kind.0, after.as_deref(), limit).await })
            .await
    }

    async fn woken(&self) {
        self.calls.log.notified().await;
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("server", &self.link.server()).finish_non_exhaustive()
    }
}
