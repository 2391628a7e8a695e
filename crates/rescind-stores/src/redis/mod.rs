//! The Redis store (Valkey, too): many nodes on one log, speed first. Owns [`RedisStore`], the contract's face; each method
//! is one script, or in a cluster a few in an order that keeps the contract.
//!
//! # A revocation's way
//! `append.rs` gathers what waits; `scripts/append.lua` gives it positions and a time, whatever other nodes append. No reader
//! is shown it yet. `settle.rs` waits until it is safe, on the disk and at the replicas that were asked for, and computes its
//! tags; `scripts/settle.lua` puts it into the log and calls all nodes on a channel. Then it is acknowledged. So nobody
//! refuses by an entry that is not as safe as the URL asks for (`replicas=`), and no node's batch waits for another's.
//!
//! # What is kept
//! Under one hash tag `{rescind}`: `head` (where the log stands, and how many rows each structure has), `log` (a stream; an
//! entry's id is its position), `scopes` (each scope's newest entry), `due` (when scopes are forgotten), `records`, `ids` and
//! `ends`; of what is not settled, `unsettled` (a stream as the log) and `newer` (the scopes' states that it makes). Under
//! `{rescind:0}` to `{rescind:255}`: the sessions (`s:`), when they end (`ends`), and each subject's (`u:`).

mod address;
mod append;
mod core;
mod doctor;
mod durability;
mod entry;
mod fault;
mod flush;
mod keys;
mod link;
mod log;
mod records;
mod reply;
mod row;
mod script;
mod sessions;
mod settle;
#[cfg(feature = "testing")]
pub mod testing;
mod wake;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

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

use self::address::{Address, Kind};
use self::append::Appender;
use self::core::Core;
pub use self::doctor::diagnose;
pub use self::durability::Durability;
use self::durability::Watch;
use self::fault::Fault;
use self::keys::Keys;
use self::link::Link;
use self::wake::Bell;

/// How often the settings of the instance are looked at again.
const INSPECT: Duration = Duration::from_secs(5);

/// A store in Redis or Valkey: one server, a Sentinel group, or a Cluster.
///
/// ```no_run
/// use rescind_stores::redis::{Durability, RedisStore};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::open("redis://127.0.0.1:6379", Durability::Strict).await?;
/// # Ok(())
/// # }
/// ```
///
/// # URLs
/// * `redis://[user:password@]host[:port][/db]` is one server; `rediss://` is the same over TLS.
/// * `redis+sentinel://host:port,host:port/master-name` asks Sentinels for the master. The user and the password in it are
///   the master's; those of the Sentinels are the options `sentinel-user` and `sentinel-password`. `db` is its database.
/// * `redis+cluster://host:port,host:port` is a Cluster, found through any of its nodes.
/// * `rediss+sentinel://` and `rediss+cluster://` use TLS.
/// * Options: `prefix` of all names (`rescind`), `replicas` that must have a write before it is acknowledged (0), and `ca`, a
///   PEM file of the authorities to trust instead of the system's.
///
/// # What it refuses
/// An instance that can forget what it acknowledged: `appendonly no`; `appendfsync` other than `always` where there is no
/// WAITAOF (Redis 7.2, Valkey); `no-appendfsync-on-rewrite yes`; a `maxmemory-policy` other than `noeviction`; a replica. It
/// looks at every new connection and again every 5 seconds. [`Durability::Relaxed`] accepts all that and says so.
///
/// A structure that was evicted or deleted, all or in part, is found by the next call: the history begins anew under another
/// incarnation, so that every node finds out, and sessions opened before are gone.
pub struct RedisStore {
    core: Arc<Core>,
    appender: Appender,
    bell: Arc<Bell>,
}

/// What [`RedisStore::open_with`] is given besides the URL.
pub struct Given {
    /// The store's time; Redis' own (`TIME`) where `None`.
    pub clock: Option<Arc<dyn Clock>>,
    /// Names histories and this process.
    pub random: Arc<dyn Random>,
}

impl RedisStore {
    /// Connects, looks whether the instance keeps what it acknowledges, and begins a history where there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where the URL cannot be read, nobody answers, or the instance can forget; the error
    /// names the setting and the command that changes it, and never a password.
    pub async fn open(url: &str, durability: Durability) -> Result<Self, StoreError> {
        Self::open_with(url, durability, Given { clock: None, random: Arc::new(SystemRandom) }).await
    }

    /// As [`open`](Self::open), with the time and the randomness given.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_with(url: &str, durability: Durability, given: Given) -> Result<Self, StoreError> {
        let at_open = |text: String| StoreError::new(StoreErrorKind::Unavailable, "open", text);
        let address = Address::parse(url).map_err(at_open)?;
        let place = address.place.clone();
        let keys = Keys::new(&address.prefix)
            .ok_or_else(|| at_open("the prefix is empty or has a brace; take letters and digits".to_owned()))?;
        let watch = Watch::new(durability, address.kind == Kind::Cluster, address.replicas, place.clone());
        let opened = async {
            let link = Link::new(address, watch)?;
            let core = Core::new(Arc::clone(&link), keys, given.clock, given.random)?;
            log::tip(&core).await?;
            tokio::spawn(keep_watch(Arc::downgrade(&link)));
            let bell = Bell::hang(&core);
            Ok(Self { appender: Appender::new(&core), core, bell })
        };
        opened.await.map_err(|fault: Fault| fault.error("open", &place))
    }

    /// Whether the operator has accepted that revocations may be forgotten.
    pub fn durability(&self) -> Durability {
        self.core.link.watch.durability()
    }

    /// Runs a read.
    async fn read<T>(&self, op: &'static str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        work.await.map_err(|fault| fault.error(op, &self.core.link.address.place))
    }

    /// Runs a write in a task of its own: it goes on to its end when the caller goes away.
    async fn write<T, F>(&self, op: &'static str, work: impl FnOnce(Arc<Core>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let task = tokio::spawn(work(Arc::clone(&self.core)));
        let done = task.await.unwrap_or_else(|_| Err(Fault::unavailable("the write was interrupted: it is unknown")));
        done.map_err(|fault| fault.error(op, &self.core.link.address.place))
    }
}

/// Looks at the settings again and again, for as long as the link lives.
async fn keep_watch(link: Weak<Link>) {
    loop {
        tokio::time::sleep(INSPECT).await;
        let Some(link) = link.upgrade() else { return };
        if let Err(fault) = link.inspect_again().await {
            tracing::error!(redis = %link.address.place, "{}", fault.text());
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, session: NewSession) -> Result<Session, StoreError> {
        self.write("open", |core| async move { sessions::open(&core, session).await }).await
    }

    async fn load(&self, sid: SessionId) -> Result<Option<Loaded>, StoreError> {
        self.read("load", sessions::load(&self.core, sid)).await
    }

    async fn advance(&self, sid: SessionId, from: Generation, to: Generation) -> Result<Advance, StoreError> {
        self.write("advance", move |core| async move { sessions::advance(&core, sid, from, to).await }).await
    }

    async fn sessions_of(&self, subject: &Subject, page: Page) -> Result<SessionPage, StoreError> {
        self.read("sessions_of", sessions::of_subject(&self.core, subject, page)).await
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, StoreError> {
        self.read("append", self.appender.append(entries)).await
    }

    async fn after(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        self.read("after", log::after(&self.core, after, limit)).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        self.read("snapshot", log::snapshot(&self.core, since)).await
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.write("sweep", move |core| async move {
            let sessions = sessions::forget(&core, before, limit).await?;
            let rest = log::forget(&core, before, limit.saturating_sub(sessions)).await?;
            Ok(Swept { sessions, ..rest })
        })
        .await
    }

    async fn health(&self) -> Result<Head, StoreError> {
        let head = async {
            self.core.has_room().await?;
            log::tip(&self.core).await.map(|tip| tip.head)
        };
        self.read("health", head).await
    }

    async fn reincarnate(&self, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, StoreError> {
        self.write("reincarnate", move |core| async move { log::reincarnate(&core, lost, new, head).await }).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        self.read("record", records::read(&self.core, kind, id)).await
    }

    async fn put_record(
        &self,
        kind: RecordKind,
        id: &str,
        expected: u64,
        body: Vec<u8>,
        ends: Option<Timestamp>,
    ) -> Result<Put, StoreError> {
        let id = id.to_owned();
        self.write("put_record", move |core| async move { records::put(&core, kind, &id, expected, body, ends).await })
            .await
    }

    async fn records(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.read("records", records::list(&self.core, kind, after, limit)).await
    }

    async fn woken(&self) {
        self.bell.rung().await;
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("place", &self.core.link.address.place).finish_non_exhaustive()
    }
}
