//! The handle: everything that a service asks of Rescind. Owns the wiring of keys, tokens, view and store; each call
//! stands in a file of its own.

mod builder;
mod callbacks;
mod catch_up;
mod check;
mod counters;
mod error;
mod event;
mod explain;
mod feed;
mod foreign;
mod health;
mod inspect;
mod issue_time;
mod key_material;
mod keys;
mod lifetimes;
mod logout;
mod node_record;
mod nodes;
mod open;
mod presented;
mod proven;
mod published;
mod refresh;
mod registry;
mod revoke;
mod ring;
mod roster;
mod sessions;
mod settings;
mod shared;
mod status;
mod store_clock;
mod upkeep;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::builder::Builder;
pub use self::callbacks::{AlsoCheck, OnEvent, Welcome};
use self::catch_up::Looks;
use self::check::Known;
pub use self::check::{Live, NoClaims, Policy, ReadClaims};
use self::counters::Counters;
pub use self::counters::Counts;
pub use self::error::{BoxError, BuildError, Error, Invalid, NotFound};
pub use self::event::{Bearer, Event, Minted};
pub use self::feed::KnownLog;
pub use self::foreign::LiveForeign;
pub use self::inspect::{Inspection, Introspection, Kind};
use self::issue_time::KnownLead;
use self::key_material::KeyMaterial;
pub use self::keys::KeyStatus;
use self::lifetimes::KnownLifetimes;
pub use self::logout::{LoggedOut, LogoutScope};
pub use self::nodes::{Everywhere, NodeState, NodeStatus, Reached};
pub use self::open::{OpenSession, TokenPair};
pub use self::published::FetchKeys;
pub use self::refresh::{Refresh, Refreshed, Verdict};
use self::registry::Registry;
pub use self::revoke::Revoke;
pub use self::settings::{Checks, InvalidSetting, MOST_LEEWAY, OnStale, Settings};
pub use self::status::{Readiness, Stats};
use self::upkeep::Upkeep;
use crate::access_token::{Expectations, ForeignIssuer, TokenCache};
use crate::keys::RootSecret;
use crate::random::Random;
use crate::store::{Store, StoreError, StoreErrorKind};
use crate::time::Clock;
use crate::view::{Freshness, Now, Progress, View};

/// A handle to one issuer's tokens. Clones share everything.
///
/// The [manual](crate::manual) has a page per task; it starts with [the first token](crate::manual::first_token).
#[derive(Clone)]
pub struct Rescind(Arc<Inner>);

/// What the clones share.
struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    audience: String,
    issuer: String,
    expectations: ArcSwap<Expectations>,
    keys: KeyMaterial,
    view: Arc<View>,
    progress: Arc<Progress>,
    cache: TokenCache<Known>,
    foreign: Vec<ForeignIssuer>,
    counters: Counters,
    upkeep: Upkeep,
    registry: Arc<Registry>,
    welcome: Option<Box<dyn Welcome>>,
    also_check: Option<Box<dyn AlsoCheck>>,
    on_event: Option<Box<dyn OnEvent>>,
    lifetimes: KnownLifetimes,
    lead: KnownLead,
    looks: Looks,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

impl Rescind {
    /// Starts building a handle for tokens of this issuer and for this audience.
    ///
    /// Both are checked on every token; neither has a default.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> Builder {
        Builder::new(issuer.into(), audience.into())
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The source of randomness.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.0.random
    }

    /// The issuer of the tokens.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The audience of the tokens.
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The root secret, from which a server derives the keys of its cookies. A handle that only checks has none of the
    /// issuer's; it makes one anew at each start.
    pub fn root_secret(&self) -> &RootSecret {
        self.0.keys.root()
    }

    /// Runs work on the store to its end, also when whoever asked for it goes away.
    async fn to_the_end<T, F, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Arc<Inner>) -> F,
    {
        self.0.trust_store().await?;
        self.0.know_lifetimes().await?;
        let task = tokio::spawn(work(Arc::clone(&self.0)));
        task.await.unwrap_or_else(|failed| Err(Error::Internal(failed.into())))
    }
}

impl Inner {
    /// Whether the store has the history that this node knows, as far as the feed can tell. A store that comes back
    /// may be an older copy: what it says of sessions is not believed before its log was found to fit.
    async fn trust_store(&self) -> Result<(), StoreError> {
        // A node that stood still was in touch when it did.
        let is_fresh = self.view.freshness(Now::read(&*self.clock)) == Freshness::Fresh;
        if is_fresh && self.progress.in_touch() {
            return Ok(());
        }
        self.fits_now().await
    }

    /// Whether a round of the feed that begins now finds that history.
    async fn fits_now(&self) -> Result<(), StoreError> {
        if timeout(self.settings.staleness_bound, self.progress.attempt()).await == Ok(true) {
            return Ok(());
        }
        let unknown = "the log cannot be followed, so nothing else that the store says is believed; try again";
        Err(StoreError::new(StoreErrorKind::Unavailable, "after", unknown))
    }
}

impl std::fmt::Debug for Rescind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rescind").field("issuer", &self.issuer()).field("view", &self.0.view).finish_non_exhaustive()
    }
}
