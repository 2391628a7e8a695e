//! The way to Redis: one connection for all calls, made again when it is lost. Owns how long a call may take, how soon
//! the next attempt is made, and that every new connection is proven before it is used.
//!
//! The redis crate's own `ConnectionManager` connects again without telling, and the instance behind a new connection may
//! be another one, with other settings: so connections are made here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::RoutingInfo;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, RedisError, RedisResult, TlsCertificates, Value,
};
use rescind::time::{BootTime, Clock, SystemClock};
use tokio::sync::Mutex;

use super::address::{Address, Kind};
use super::durability::{self, Watch};
use super::fault::{Fault, ends_connection, not_run};
use super::script::{Script, Sent};

/// A connection that is not there by then is not there.
const CONNECT: Duration = Duration::from_secs(1);
/// An answer that is not there by then is lost: what the call did is unknown. Below the time after which a view is stale.
const ANSWER: Duration = Duration::from_millis(1_500);
/// After a failed attempt to connect, the first wait; it doubles up to the last. Whoever follows the log waits between its
/// own attempts, too, and then for a while until it believes a store that was away: all of it is to be less than a second.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// How often a call is sent again that a cluster has refused before it ran, and how long is waited before.
const REDIRECTS: u32 = 20;
const REDIRECT_WAIT: Duration = Duration::from_millis(25);

/// A connection to one server or to a cluster.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection<MultiplexedConnection>),
}

impl Connection {
    pub(super) async fn query(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        match self {
            Self::One(one) => cmd.query_async(one).await,
            Self::Cluster(cluster) => cmd.query_async(cluster).await,
        }
    }

    /// Asks one server, or the nodes of the cluster that `routing` names.
    pub(super) async fn ask(&mut self, cmd: Cmd, routing: RoutingInfo) -> RedisResult<Value> {
        match self {
            Self::One(one) => cmd.query_async(one).await,
            Self::Cluster(cluster) => cluster.route_command(cmd, routing).await,
        }
    }
}

/// How connections are made.
pub(super) enum Door {
    Single(Client),
    Sentinel(Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

impl Door {
    pub(super) fn new(address: &Address) -> Result<Self, Fault> {
        provide_cryptography(address);
        let made = || -> RedisResult<Self> {
            let certificates = certificates(address)?;
            match &address.kind {
                Kind::Single => single(address, certificates).map(Self::Single),
                Kind::Sentinel { master, user, password } => {
                    let client = sentinel(address, certificates, master, user.as_deref(), password.as_deref())?;
                    Ok(Self::Sentinel(Mutex::new(client)))
                }
                Kind::Cluster => cluster(address, certificates).map(Self::Cluster),
            }
        };
        made().map_err(Fault::from)
    }

    /// Connects; an answer may take `answer`.
    pub(super) async fn connect(&self, answer: Duration) -> RedisResult<Connection> {
        let timeouts =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(answer));
        match self {
            Self::Single(client) => {
                client.get_multiplexed_async_connection_with_config(&timeouts).await.map(Connection::One)
            }
            Self::Sentinel(client) => {
                let mut client = client.lock().await;
                client.get_async_connection_with_config(&timeouts).await.map(Connection::One)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }

    /// A client for the one server, or for the master that Sentinel names now; `None` for a cluster.
    pub(super) async fn client(&self) -> RedisResult<Option<Client>> {
        match self {
            Self::Single(client) => Ok(Some(client.clone())),
            Self::Sentinel(client) => client.lock().await.async_get_client().await.map(Some),
            Self::Cluster(_) => Ok(None),
        }
    }
}

/// The redis crate takes its cryptography from the process, and panics where that has not chosen. A choice that was made
/// already stays.
fn provide_cryptography(address: &Address) {
    if address.nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. })) {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    }
}

fn single(address: &Address, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
    let no_host = || RedisError::from((ErrorKind::InvalidClientConfig, "no host"));
    let node = address.nodes.first().ok_or_else(no_host)?.clone();
    match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates),
        None => Client::open(node),
    }
}

fn sentinel(
    address: &Address,
    certificates: Option<TlsCertificates>,
    master: &str,
    user: Option<&str>,
    password: Option<&str>,
) -> RedisResult<SentinelClient> {
    let nodes = address.nodes.iter().map(|node| node.addr().clone());
    let mut builder = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master)?;
    if let Some(user) = user {
        builder = builder.set_client_to_sentinel_username(user);
    }
    if let Some(password) = password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if let Some(node) = address.nodes.first() {
        let settings = node.redis_settings();
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if matches!(node.addr(), ConnectionAddr::TcpTls { .. }) {
            builder = builder.set_client_to_redis_tls_mode(redis::TlsMode::Secure);
        }
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}

fn cluster(address: &Address, certificates: Option<TlsCertificates>) -> RedisResult<ClusterClient> {
    // No retries of the crate's own: it would send a write again whose answer was lost.
    let mut builder = ClusterClientBuilder::new(address.nodes.clone())
        .retries(0)
        .connection_timeout(CONNECT)
        .response_timeout(ANSWER)
        .overall_response_timeout(Some(ANSWER));
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build()
}

pub(super) fn certificates(address: &Address) -> RedisResult<Option<TlsCertificates>> {
    let Some(file) = &address.authorities else { return Ok(None) };
    let root_cert = std::fs::read(file)?;
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) }))
}

/// The connection as it stands.
struct Standing {
    connection: Option<Connection>,
    /// Before this, no new attempt is made.
    not_before: BootTime,
    wait: Duration,
    /// Why the last attempt failed.
    last: Option<Fault>,
}

/// The way to Redis.
pub(super) struct Link {
    pub(super) address: Address,
    pub(super) door: Door,
    pub(super) watch: Watch,
    standing: Mutex<Standing>,
    /// Counts connections, so that only the one that failed is given up.
    number: AtomicU64,
}

impl Link {
    pub(super) fn new(address: Address, watch: Watch) -> Result<Arc<Self>, Fault> {
        let standing = Standing { connection: None, not_before: BootTime::default(), wait: FIRST_WAIT, last: None };
        Ok(Arc::new(Self {
            door: Door::new(&address)?,
            address,
            watch,
            standing: Mutex::new(standing),
            number: AtomicU64::new(0),
        }))
    }

    /// Whether it leads to a cluster, where only keys of one slot can be read in one moment.
    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.door, Door::Cluster(_))
    }

    /// Which connection stands, or stood last.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }

    /// Runs a script.
    pub(super) async fn run(&self, script: &Script, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Result<Value, Fault> {
        match self.send(&script.call(Sent::ByDigest, keys, args)).await? {
            Sending::Answered(value) => Ok(value),
            // The server has not run it: it does not know the digest.
            Sending::UnknownScript => self.command(&script.call(Sent::Whole, keys, args)).await,
        }
    }

    /// Runs a plain command.
    pub(super) async fn command(&self, cmd: &Cmd) -> Result<Value, Fault> {
        match self.send(cmd).await? {
            Sending::Answered(value) => Ok(value),
            Sending::UnknownScript => Err(Fault::unavailable("it forgets scripts as they are sent")),
        }
    }

    async fn send(&self, cmd: &Cmd) -> Result<Sending, Fault> {
        let mut redirects = 0;
        loop {
            let (mut connection, number) = self.connection().await?;
            match connection.query(cmd).await {
                Ok(value) => return Ok(Sending::Answered(value)),
                Err(error) if error.code() == Some("NOSCRIPT") => return Ok(Sending::UnknownScript),
                Err(error) if not_run(&error) && self.is_cluster() && redirects < REDIRECTS => {
                    redirects += 1;
                    tokio::time::sleep(REDIRECT_WAIT).await;
                }
                Err(error) => {
                    // A cluster's connection mends itself, and its other nodes go on; but from a node that says nothing it
                    // does not learn that another has taken over.
                    if ends_connection(&error) && (!self.is_cluster() || error.is_timeout()) {
                        self.give_up(number).await;
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// The connection, made and proven where there is none.
    pub(super) async fn connection(&self) -> Result<(Connection, u64), Fault> {
        let mut standing = self.standing.lock().await;
        if let Some(connection) = &standing.connection {
            return Ok((connection.clone(), self.number()));
        }
        if let Some(last) = &standing.last
            && SystemClock.boot() < standing.not_before
        {
            return Err(last.clone());
        }
        match self.prove().await {
            Ok(connection) => {
                let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
                standing.wait = FIRST_WAIT;
                standing.last = None;
                standing.connection = Some(connection.clone());
                Ok((connection, number))
            }
            Err(fault) => {
                let until = SystemClock
                    .boot()
                    .as_millis()
                    .saturating_add(u64::try_from(standing.wait.as_millis()).unwrap_or(0));
                standing.not_before = BootTime::from_millis(until);
                standing.wait = (standing.wait * 2).min(LAST_WAIT);
                standing.last = Some(fault.clone());
                Err(fault)
            }
        }
    }

    async fn prove(&self) -> Result<Connection, Fault> {
        // The crate's timeout is for each step, and there are several: a name, the connection, TLS, who we are.
        let connecting = tokio::time::timeout(CONNECT * 2, self.door.connect(ANSWER));
        let mut connection =
            connecting.await.map_err(|_| Fault::unavailable("no connection in time"))?.map_err(Fault::from)?;
        let findings = durability::inspect(&mut connection).await.map_err(Fault::from)?;
        self.watch.judge(findings)?;
        Ok(connection)
    }

    /// Lets go of the connection of this number; the next call makes another.
    async fn give_up(&self, number: u64) {
        let mut standing = self.standing.lock().await;
        if self.number() == number {
            standing.connection = None;
        }
    }

    /// Looks again at what the operator may have changed. What is refused now is refused until it is put right.
    pub(super) async fn inspect_again(&self) -> Result<(), Fault> {
        let (mut connection, number) = self.connection().await?;
        match durability::inspect(&mut connection).await {
            Ok(findings) => {
                let judged = self.watch.judge(findings);
                if judged.is_err() {
                    self.give_up(number).await;
                }
                judged
            }
            Err(error) => {
                if ends_connection(&error) {
                    self.give_up(number).await;
                }
                Err(error.into())
            }
        }
    }
}

/// What came of sending a command.
enum Sending {
    Answered(Value),
    /// Nothing was run.
    UnknownScript,
}
