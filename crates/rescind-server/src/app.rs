//! What every handler of both listeners shares. Owns the state's shape and that the engine can be taken from it;
//! decides nothing.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::FromRef;
use metrics_exporter_prometheus::PrometheusHandle;
use rescind::Rescind;
use rescind_axum::oidc::Providers;

use crate::config::Config;
use crate::data_dir::AdminToken;
use crate::pages::Offer;
use crate::users::{Throttle, Users};

/// The state of both routers. Clones share it.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What the state holds.
pub(crate) struct Parts {
    pub(crate) rescind: Rescind,
    pub(crate) config: Config,
    pub(crate) users: Users,
    /// The providers at which people may sign in; `None` where none is configured.
    pub(crate) providers: Option<Providers>,
    /// The same, as pages name them.
    pub(crate) offers: Vec<Offer>,
    /// Counts failed sign-ins.
    pub(crate) throttle: Throttle,
    pub(crate) admin_token: AdminToken,
    /// Renders `GET /metrics`.
    pub(crate) metrics: PrometheusHandle,
    /// Turned when the process was told to stop: readiness goes first.
    pub(crate) draining: AtomicBool,
}

impl App {
    /// Shares these parts.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Whether the process was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on readiness says no.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<App> for Rescind {
    fn from_ref(app: &App) -> Self {
        app.rescind.clone()
    }
}
