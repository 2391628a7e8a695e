//! How the server ends: on SIGTERM or SIGINT, readiness first, then the listeners, then requests under way, then the engine.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal as on};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::app::App;

/// Between "not ready" and closed doors: the time in which a load balancer looks.
const LEAD: Duration = Duration::from_secs(1);
/// The same in a trial run, which somebody waits for.
const DEV_LEAD: Duration = Duration::from_millis(300);

/// The signals that tell the process to stop. From its making on they no longer end the process by themselves.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to them.
    ///
    /// # Errors
    /// Where they cannot be listened to.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Ends it in order.
pub(super) async fn in_order(app: &App, stop: &watch::Sender<bool>, listeners: [JoinHandle<()>; 2]) {
    info!("told to stop: no longer ready");
    app.drain();
    let lead = if app.config.dev() { DEV_LEAD } else { LEAD };
    tokio::time::sleep(lead.min(app.config.limits.drain_timeout)).await;
    stop.send_replace(true);
    for listener in listeners {
        if let Err(error) = listener.await {
            warn!(%error, "a listener ended by itself");
        }
    }
    app.rescind.shutdown().await;
}
