//! Builds the server from its configuration and runs it: data directory, listeners, store, engine, users, routers.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rescind::keys::{RootSecret, RootSecretError};
use rescind::store::{RecordKind, Store};
use rescind::time::SystemClock;
use rescind::{BoxError, Rescind};
use rescind_axum::oidc::Providers;
use rescind_stores::postgres::PostgresStore;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{providers, relay, stop};
use crate::app::{App, Parts};
use crate::config::{Config, Stage};
use crate::data_dir::{AdminToken, DataDir, FeedToken};
use crate::environment;
use crate::http::admin::Feed;
use crate::http::{admin, listen, public};
use crate::logs;
use crate::pages::Offer;
use crate::store::{self, Opened};
use crate::users::{Demo, Throttle, Users};

/// SIGXFSZ. By itself it ends the process; where somebody listens, the write fails instead and is answered with 503.
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);
/// Connections that the system holds until they are taken. A burst above it would wait for its clients' next try.
const QUEUE: u32 = 1024;
/// How often the metrics' recorder tidies up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with the remedy. Nothing that was there is overwritten.
pub(super) async fn serve(config: Config) -> Result<(), BoxError> {
    // Held to the end. Before the first write: one above the limit of a file's size is to fail, not to end the process.
    let _survived = signal(FILE_TOO_LARGE)?;
    let data = DataDir::at(&config.data);
    data.create()?;
    let node = match config.follow {
        Some(_) => relay::node(&config, &data).await?,
        None => issuing(&config, &data).await?,
    };
    let Node { doors, rescind, users, providers, inbox, feed, feed_token, admin_token } = node;
    let Doors { listener, admin_listener, address, admin_address } = doors;
    let metrics = logs::metrics()?;
    let limits = config.limits;
    let throttle = Throttle::new(limits, Arc::new(SystemClock));
    let offers = config.providers.iter().map(|it| Offer { name: it.name.clone(), title: it.title() }).collect();
    let app = App::new(Parts {
        rescind,
        config,
        users,
        providers,
        offers,
        throttle,
        admin_token,
        feed_token,
        feed,
        metrics,
        draining: watch::Sender::new(false),
    });
    // Before anybody learns where the server is: whoever is told may stop it at once.
    let mut signals = stop::Signals::listen()?;
    crate::admin_address::publish(&app.config.data, admin_address)?;
    announce(&app, address, admin_address)?;

    let proxies = Arc::clone(&app.config.trusted_proxies);
    let (stop, stopped) = watch::channel(false);
    let upkeep = tokio::spawn(upkeep(app.clone(), inbox));
    let (outside, inside) = match app.config.follow {
        Some(_) => (public::relay(app.clone()), admin::relay(app.clone())),
        None => (public::routes(app.clone()), admin::router(app.clone())),
    };
    let public = tokio::spawn(listen::serve(listener, outside, limits, proxies.clone(), stopped.clone()));
    let admin = tokio::spawn(listen::serve(admin_listener, inside, limits, proxies, stopped));
    let damage = tokio::select! {
        () = signals.told() => None,
        // What is damaged does not mend by itself, and a view that follows nothing answers nothing.
        damage = app.rescind.damaged() => Some(damage),
    };
    stop::in_order(&app, &stop, [public, admin]).await;
    upkeep.abort();
    info!("stopped");
    damage.map_or(Ok(()), |damage| Err(damage.into()))
}

/// What differs between a server on a store and one that follows another.
pub(super) struct Node {
    pub(super) doors: Doors,
    pub(super) rescind: Rescind,
    pub(super) users: Users,
    pub(super) providers: Option<Providers>,
    /// The store, where applications ask for revocations inside of their own transactions.
    pub(super) inbox: Option<Arc<PostgresStore>>,
    pub(super) feed: Feed,
    pub(super) feed_token: FeedToken,
    pub(super) admin_token: AdminToken,
}

/// Both listeners, and where they really are.
pub(super) struct Doors {
    listener: TcpListener,
    admin_listener: TcpListener,
    pub(super) address: SocketAddr,
    admin_address: SocketAddr,
}

impl Doors {
    /// Opens both.
    pub(super) fn open(config: &Config) -> Result<Self, BoxError> {
        let listener = bind(config.listen, "listen")?;
        let admin_listener = bind(config.admin_listen, "admin_listen")?;
        let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);
        Ok(Self { listener, admin_listener, address, admin_address })
    }
}

/// A server on a store.
async fn issuing(config: &Config, data: &DataDir) -> Result<Node, BoxError> {
    let given = given_root_secret(data)?;
    // Before the listeners: a second process is told of the data directory, whatever its addresses.
    let Opened { store, inbox } = store::open(&config.store, config.durability).await?;
    let users = users(config, &store).await?;
    let root = match given {
        Some(root) => root,
        None => new_root_secret(data, &*store).await?,
    };
    let admin_token = AdminToken::load_or_create(&data.admin_token())?;
    let feed_token = match &config.feed_token {
        Some(given) => FeedToken::given(given.expose()),
        None => FeedToken::load_or_create(&data.feed_token())?,
    };
    if feed_token.opens_admin(&admin_token) {
        let source = if config.feed_token.is_some() { environment::FEED_TOKEN } else { "the file feed-token" };
        return Err(format!(
            "{source} is the admin token: whoever follows could revoke and sign in as anyone. Give those who follow another, \
             such as `openssl rand -hex 32` prints, or leave it out: feed-token in the data directory is then made"
        )
        .into());
    }
    let doors = Doors::open(config)?;
    let issuer = config.issuer.clone().unwrap_or_else(|| format!("http://{}", doors.address));
    let audience = config.audience.clone().unwrap_or_else(|| issuer.clone());
    let jwks_uri = format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'));
    let mut builder = Rescind::builder(issuer, audience);
    if !doors.address.ip().is_unspecified() {
        // Where it listens on every address, none of them is known to lead here.
        builder = builder.address(format!("http://{}", doors.address));
    }
    if let Some(node) = &config.node {
        builder = builder.node(node);
    }
    let rescind = builder
        .store(Arc::clone(&store))
        .root_secret(root)
        .algorithm(config.algorithm)
        .settings(config.engine.clone())
        .high_water(data.high_water())
        .welcome(users.clone())
        .build()
        .await?;
    // After the engine has found store, root secret and high-water mark to fit: until then nothing is written.
    if config.dev() {
        users.add_demo().await?;
    }
    let providers = providers::ready(&config.providers, &rescind, &users)?;
    let log = Arc::new(move || Arc::clone(&store));
    let feed = Feed::new(log, Arc::new(SystemClock), config.engine.staleness_bound, jwks_uri);
    Ok(Node { doors, rescind, users, providers, inbox, feed, feed_token, admin_token })
}

/// Asked before anything is made: with `--production`, a user whose password is known to all is a mistake of the past.
async fn users(config: &Config, store: &Arc<dyn Store>) -> Result<Users, BoxError> {
    let demo = if config.dev() { Demo::Welcome } else { Demo::ShutOut };
    let users = Users::new(Arc::clone(store), Arc::new(SystemClock), demo);
    if config.stage == Stage::Production && users.has_demo().await? {
        return Err(
            "setting production: the store holds user demo of --dev, whose password is known to all; name another \
             --data, or start once without --production and run `rescind users disable demo`"
                .into(),
        );
    }
    Ok(users)
}

/// From the environment where an orchestrator gives it there, else from its file; `None` where there is neither.
fn given_root_secret(data: &DataDir) -> Result<Option<RootSecret>, BoxError> {
    if let Some(secret) = environment::root_secret()? {
        return Ok(Some(secret));
    }
    match RootSecret::load(data.root_key()) {
        Err(RootSecretError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        loaded => Ok(loaded.map(Some)?),
    }
}

/// Makes the root secret's file, unless the store has keys already: they are sealed with the one that is missing.
async fn new_root_secret(data: &DataDir, store: &dyn Store) -> Result<RootSecret, BoxError> {
    let path = data.root_key();
    if store.records(RecordKind::KEYS, None, 1).await?.is_empty() {
        return Ok(RootSecret::load_or_create(path)?);
    }
    let problem = "is missing, and the database has keys that only this root secret opens";
    let remedy = "put it back from where you keep it, or start with another data directory (--data)";
    Err(format!("{}: {problem}; {remedy}", path.display()).into())
}

fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, BoxError> {
    listening(address).map_err(|error| format!("setting {setting}: cannot listen on {address}: {error}").into())
}

fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait until the connections of the last run are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Standard output is for whoever started it: where the server is. The public URL stands first and alone on its line.
fn announce(app: &App, address: SocketAddr, admin: SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "http://{address}")?;
    writeln!(out, "admin http://{admin}")?;
    if app.config.dev() {
        writeln!(
            out,
            "Open the first in a browser; sign in as demo with password demo. Only for trying out: anyone on this machine can do the same."
        )?;
    }
    out.flush()?;
    if app.config.proxy_is_unnamed() {
        warn!(
            "the issuer is https://, but trusted_proxies names no proxy: failed sign-ins of all clients count as one's"
        );
    }
    info!(%address, %admin, issuer = app.rescind.issuer(), "listening");
    Ok(())
}

async fn upkeep(app: App, inbox: Option<Arc<PostgresStore>>) {
    let metrics = async {
        let mut every = tokio::time::interval(UPKEEP);
        loop {
            every.tick().await;
            app.metrics.run_upkeep();
            if let Some(inbox) = &inbox {
                metrics::counter!("rescind_inbox_refused_total").absolute(inbox.inbox_refused());
            }
        }
    };
    let requests = async {
        if let Some(inbox) = &inbox {
            inbox.serve_inbox(&app.rescind).await;
        }
    };
    tokio::join!(metrics, requests);
}
