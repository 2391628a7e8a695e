//! How the server ends: on SIGTERM or SIGINT, readiness first, then the listeners, then requests under way, then the engine.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal as on};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::app::App;

/// Between "not ready" and closed doors: the time in which a load balancer looks. Nobody balances a trial run.
const LEAD: Duration = Duration::from_secs(1);

/// Waits until the process is told to stop.
///
/// # Errors
/// Where the signals cannot be listened to.
pub(super) async fn signal() -> io::Result<()> {
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Ends it in order.
pub(super) async fn in_order(app: &App, stop: &watch::Sender<bool>, listeners: [JoinHandle<()>; 2]) {
    info!("told to stop: no longer ready");
    app.drain();
    if !app.config.dev() {
        tokio::time::sleep(LEAD.min(app.config.limits.drain_timeout)).await;
    }
    stop.send_replace(true);
    for listener in listeners {
        if let Err(error) = listener.await {
            warn!(%error, "a listener ended by itself");
        }
    }
    app.rescind.shutdown().await;
}
