//! What every handler of both listeners shares. Owns the state's shape and that the engine can be taken from it;
//! decides nothing.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use metrics_exporter_prometheus::PrometheusHandle;
use rescind::Rescind;
use rescind_axum::oidc::Providers;
use tokio::sync::watch;

use crate::config::Config;
use crate::data_dir::{AdminToken, FeedToken};
use crate::http::admin::Feed;
use crate::pages::Offer;
use crate::users::{Throttle, UserError, Users};

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
    /// Reads feed and snapshot, and nothing else.
    pub(crate) feed_token: FeedToken,
    /// The log for those who follow this node.
    pub(crate) feed: Feed,
    /// Renders `GET /metrics`.
    pub(crate) metrics: PrometheusHandle,
    /// Turned when the process was told to stop: readiness goes first.
    pub(crate) draining: watch::Sender<bool>,
}

impl App {
    /// Shares these parts.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Asks the users; and where they would refuse by what was read of the store, once more behind the proof that it is the
    /// one that all nodes write to.
    ///
    /// # Errors
    /// Those of `ask`; [`UserError::Store`] also where that cannot be proven.
    pub(crate) async fn proven<T, F>(&self, ask: impl Fn() -> F) -> Result<T, UserError>
    where
        F: Future<Output = Result<T, UserError>>,
    {
        match ask().await {
            Err(UserError::Taken | UserError::Unknown) => {
                self.rescind.prove().await?;
                ask().await
            }
            answer => answer,
        }
    }

    /// Whether the process was told to stop.
    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the process is told to stop.
    pub(crate) async fn drained(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as `self`.
        let _told = draining.wait_for(|draining| *draining).await.is_ok();
    }

    /// From now on readiness says no, and whoever follows goes elsewhere.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
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
