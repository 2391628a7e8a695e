//! Builds the server from its configuration and runs it: data directory, listeners, store, engine, users, routers.

use std::env::VarError;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rescind::keys::{RootSecret, RootSecretError};
use rescind::random::SystemRandom;
use rescind::store::{RecordKind, Store};
use rescind::time::SystemClock;
use rescind::{BoxError, Rescind};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;
use zeroize::Zeroizing;

use super::stop;
use crate::app::{App, Parts};
use crate::config::Config;
use crate::data_dir::{AdminToken, DataDir};
use crate::http::{admin, listen, public};
use crate::logs;
use crate::store;
use crate::users::{Throttle, Users};

/// The root secret in place of `root.key`: 64 hexadecimal digits, also after `rescind-root-v1:`, or base64 of 32 bytes. Never a flag: others see those.
const ROOT_SECRET: &str = "RESCIND_ROOT_SECRET";
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
    let given = given_root_secret(&data)?;
    // Before the listeners: a second process is told of the data directory, whatever its addresses.
    let store = store::open(&config.store).await?;
    let root = match given {
        Some(root) => root,
        None => new_root_secret(&data, &*store).await?,
    };
    let admin_token = AdminToken::load_or_create(&data.admin_token())?;
    let listener = bind(config.listen, "listen")?;
    let admin_listener = bind(config.admin_listen, "admin_listen")?;
    let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);
    let users = Users::new(Arc::clone(&store), Arc::new(SystemClock));
    let issuer = config.issuer.clone().unwrap_or_else(|| format!("http://{address}"));
    let audience = config.audience.clone().unwrap_or_else(|| issuer.clone());
    let rescind = Rescind::builder(issuer, audience)
        .store(store)
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
    let metrics = logs::metrics()?;
    let limits = config.limits;
    let throttle = Throttle::new(&limits);
    let app =
        App::new(Parts { rescind, config, users, throttle, admin_token, metrics, draining: AtomicBool::new(false) });
    // Before anybody learns where the server is: whoever is told may stop it at once.
    let mut signals = stop::Signals::listen()?;
    crate::admin_address::publish(&app.config.data, admin_address)?;
    announce(&app, address, admin_address)?;

    let (stop, stopped) = watch::channel(false);
    let upkeep = tokio::spawn(upkeep(app.clone()));
    let public = tokio::spawn(listen::serve(listener, public::routes(app.clone()), limits, stopped.clone()));
    let admin = tokio::spawn(listen::serve(admin_listener, admin::router(app.clone()), limits, stopped));
    signals.told().await;
    stop::in_order(&app, &stop, [public, admin]).await;
    upkeep.abort();
    info!("stopped");
    Ok(())
}

/// From the environment where an orchestrator gives it there, else from its file; `None` where there is neither.
fn given_root_secret(data: &DataDir) -> Result<Option<RootSecret>, BoxError> {
    let wrong = |error: &RootSecretError| {
        let remedy = "correct it, or unset it to use root.key in the data directory";
        BoxError::from(format!("{ROOT_SECRET}: {error}; {remedy}"))
    };
    match std::env::var(ROOT_SECRET).map(Zeroizing::new) {
        Ok(text) => match RootSecret::from_text(&text) {
            Ok(root) => Ok(Some(root)),
            Err(error) => Err(wrong(&error)),
        },
        Err(VarError::NotUnicode(_)) => Err(wrong(&RootSecretError::Text)),
        Err(VarError::NotPresent) => match RootSecret::load(data.root_key()) {
            Err(RootSecretError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            loaded => Ok(loaded.map(Some)?),
        },
    }
}

/// Makes the root secret's file, unless the store has keys already: they are sealed with the one that is missing.
async fn new_root_secret(data: &DataDir, store: &dyn Store) -> Result<RootSecret, BoxError> {
    let path = data.root_key();
    if store.records(RecordKind::KEYS, None, 1).await?.is_empty() {
        return Ok(RootSecret::load_or_create(path, &SystemRandom)?);
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
    info!(%address, %admin, issuer = app.rescind.issuer(), "listening");
    Ok(())
}

async fn upkeep(app: App) {
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        app.metrics.run_upkeep();
    }
}
