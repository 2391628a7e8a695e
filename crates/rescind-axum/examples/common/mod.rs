//! What the example programs share: their command line, where they keep their data, and how they serve. Owns nothing of
//! tokens; an application has its own in place of this.
#![allow(dead_code, reason = "each example uses its own part")]
#![allow(clippy::allow_attributes, reason = "an expectation would be unfulfilled in the examples that use everything")]

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use clap::Parser;
use rescind::Rescind;
use rescind::keys::RootSecret;
use rescind::store::{MemoryStore, Store};
use rescind_stores::redis::{Durability, RedisStore};
use rescind_stores::sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What can go wrong in an example, told and ended with.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Any error, in its own words where `main` ends with it: the `Debug` of most says less.
pub(crate) struct Failure(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The command line of every example.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Where to listen [default: 127.0.0.1 and the port of the example's document]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The folder of keys and database, which outlives a restart [default: a folder of the example's own, here]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where sessions and revocations are kept: sqlite:PATH, redis://HOST or memory: [default: the example's own store in the data folder, as a rule SQLite]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// An example that is about to run.
pub(crate) struct Stage {
    /// The listener, bound already: its port is known also where 0 was asked for.
    pub(crate) listener: TcpListener,
    /// Where it is reached: `http://` and the listener's address.
    pub(crate) url: String,
    /// The folder of keys and database.
    pub(crate) data: PathBuf,
    /// Where sessions and revocations are kept.
    pub(crate) store: Arc<dyn Store>,
    /// The one secret.
    pub(crate) root: RootSecret,
}

/// Reads the command line, makes the data folder, opens the store, and binds the listener.
pub(crate) async fn stage(name: &str, port: u16) -> Outcome<Stage> {
    stage_on(name, port, async |data| Ok(SqliteStore::open(data.join("rescind.db")).await?)).await
}

/// The same on a store of the example's own in the data folder, unless the command line names another.
pub(crate) async fn stage_on<S: Store>(
    name: &str,
    port: u16,
    own: impl AsyncFnOnce(&Path) -> Outcome<S>,
) -> Outcome<Stage> {
    let lines = tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::stderr);
    // A log that cannot be written, as on a full disk, must not end a request.
    lines.with_ansi(std::io::stderr().is_terminal()).log_internal_errors(false).init();
    let options = Options::parse();
    let data = options.data.unwrap_or_else(|| PathBuf::from(format!("{name}-data")));
    std::fs::create_dir_all(&data).map_err(|error| format!("--data {}: {error}", data.display()))?;
    let address = options.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listener = TcpListener::bind(address).await.map_err(|error| format!("--listen {address}: {error}"))?;
    Ok(Stage {
        url: format!("http://{}", listener.local_addr()?),
        listener,
        store: match options.store {
            Some(url) => open(&url).await?,
            None => Arc::new(own(&data).await?),
        },
        root: RootSecret::load_or_create(data.join("root.key"))?,
        data,
    })
}

/// The one place that knows which stores there are.
async fn open(url: &str) -> Outcome<Arc<dyn Store>> {
    Ok(match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Arc::new(SqliteStore::open(path).await?),
        Some(("redis" | "rediss" | "redis+sentinel" | "redis+cluster", _)) => {
            Arc::new(RedisStore::open(url, Durability::Strict).await?)
        }
        Some(("memory", "")) => Arc::new(MemoryStore::new()?),
        // The URL itself may hold a password, so it is not repeated.
        _ => return Err("--store: unknown; one of sqlite:PATH, redis://HOST, memory:".into()),
    })
}

/// Serves until the process is told to stop; what is acknowledged is durable before.
pub(crate) async fn serve(listener: TcpListener, app: Router, rescind: Rescind) -> Outcome {
    println!("listening on http://{}", listener.local_addr()?);
    let mut term = signal(SignalKind::terminate())?;
    let told = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = term.recv() => {}
        }
    };
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(told).await?;
    rescind.shutdown().await;
    Ok(())
}
