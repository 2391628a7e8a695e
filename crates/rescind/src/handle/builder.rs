//! Building a handle: what is required, in which order things start, and what is refused. Nothing is answered before
//! the view has loaded completely.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::catch_up::Looks;
use super::counters::Counters;
use super::error::BuildError;
use super::issue_time::{KnownLead, read_lead};
use super::key_material::KeyMaterial;
use super::lifetimes::{HEARD_WITHIN, KnownLifetimes, retention};
use super::published::FetchKeys;
use super::registry::{Me, Registry};
use super::ring::KeptRing;
use super::roster::refuse_other_issuer;
use super::settings::Settings;
use super::shared::{Lifetimes, Registered};
use super::upkeep::Upkeep;
use super::{AlsoCheck, Inner, OnEvent, Rescind, Welcome, shared};
use crate::access_token::{Expectations, ForeignIssuer, TokenCache};
use crate::high_water::HighWaterFile;
use crate::keys::{Algorithm, RootSecret};
use crate::random::{Random, SystemRandom};
use crate::refresh_token::RefreshTokens;
use crate::store::{IntoStore, Store};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::view::{Follower, NoPeers, Peers, Progress, Retention, View};

/// The MAC key of refresh tokens that is in use; derived from the root secret by this number.
const REFRESH_KEY: u32 = 1;

/// Collects what a handle needs.
#[must_use = "nothing happens before `build`"]
pub struct Builder {
    issuer: String,
    audience: String,
    store: Option<Arc<dyn Store>>,
    root: Option<RootSecret>,
    published: Option<Box<dyn FetchKeys>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    algorithm: Algorithm,
    settings: Settings,
    high_water: Option<PathBuf>,
    /// The same file, where it is flushed.
    flushed: Option<PathBuf>,
    welcome: Option<Box<dyn Welcome>>,
    also_check: Option<Box<dyn AlsoCheck>>,
    on_event: Option<Box<dyn OnEvent>>,
    foreign: Vec<ForeignIssuer>,
    node: Option<String>,
    address: Option<String>,
}

impl Builder {
    pub(super) fn new(issuer: String, audience: String) -> Self {
        Self {
            issuer,
            audience,
            store: None,
            root: None,
            published: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            algorithm: Algorithm::EdDSA,
            settings: Settings::default(),
            high_water: None,
            flushed: None,
            welcome: None,
            also_check: None,
            on_event: None,
            foreign: Vec::new(),
            node: None,
            address: None,
        }
    }

    /// Where sessions, log and keys live. Required.
    ///
    /// Takes a store, or an [`Arc`] of one that something else uses, too.
    pub fn store(mut self, store: impl IntoStore) -> Self {
        self.store = Some(store.into_store());
        self
    }

    /// The one secret that an operator guards. Required; the same on every node that shares the store.
    pub fn root_secret(mut self, root: RootSecret) -> Self {
        self.root = Some(root);
        self
    }

    /// Verifies by the keys that the issuer publishes, in place of a root secret. The handle then only checks: to open,
    /// refresh or revoke is [`Error::Store`](super::Error::Store). Its store is one that follows another's log, and
    /// [`Settings::max_access_lifetime`] must be the largest of the issuer's nodes.
    pub fn published_keys(mut self, keys: impl FetchKeys) -> Self {
        self.published = Some(Box::new(keys));
        self
    }

    /// Tells the time in place of the machine's clocks.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Gives randomness in place of the operating system.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Signs new tokens with this algorithm. Default `EdDSA`.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Lifetimes, bounds and policies.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rescind::{OnStale, Rescind, Settings};
    ///
    /// let builder = Rescind::builder("https://login.example", "https://api.example").settings(Settings {
    ///     access_lifetime: Duration::from_secs(300),
    ///     on_stale: OnStale::Ask,
    ///     ..Settings::default()
    /// });
    /// ```
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// A file of this node alone, in which it keeps the newest position that it has seen: a store that is put back to
    /// an older copy is then found at the next start, not only while this process lives.
    pub fn high_water(mut self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        (self.high_water, self.flushed) = (Some(file.clone()), Some(file));
        self
    }

    /// Never flushes the high-water file that was given, so that no other thread is at work: for simulations, in which no machine dies.
    #[cfg(feature = "testing")]
    pub fn without_flushes(mut self) -> Self {
        self.flushed = None;
        self
    }

    /// Asks the application at every opening and refresh whether the subject may have tokens.
    pub fn welcome(mut self, welcome: impl Welcome) -> Self {
        self.welcome = Some(Box::new(welcome));
        self
    }

    /// Asks the application at every check of a token of ours, after the log; see [`AlsoCheck`].
    pub fn also_check(mut self, also_check: impl AlsoCheck) -> Self {
        self.also_check = Some(Box::new(also_check));
        self
    }

    /// Tells the application what happens: issued, refreshed, revoked, refused and the like, after the fact.
    pub fn on_event(mut self, on_event: impl OnEvent) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Checks tokens of this issuer, too. Its maximum lifetime counts for how long cut-offs are kept.
    pub fn foreign_issuer(mut self, foreign: ForeignIssuer) -> Self {
        self.foreign.push(foreign);
        self
    }

    /// Names this node among those that share the store; every node needs a name of its own. Default: the host's name
    /// and some random digits, new at every start.
    pub fn node(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// Tells operators where this node is reached.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Loads or makes the keys, loads the view completely, and starts the tasks that follow the log and tidy up.
    ///
    /// Needs a Tokio runtime. A store that lost its history is healed here, with an alarm in the log.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing or wrong, and the remedy.
    pub async fn build(self) -> Result<Rescind, BuildError> {
        let store = self.store.ok_or(BuildError::Missing("a store"))?;
        check_issuer(&self.issuer)?;
        self.settings.validate()?;
        let high_water = self.high_water.as_deref().map(HighWaterFile::open).transpose()?;
        let own = Lifetimes { access: self.settings.max_access_lifetime, session: self.settings.absolute };
        let (clock, registered) = (Arc::clone(&self.clock), self.clock.boot());
        let (keys, largest) = match (self.root, self.published) {
            (_, Some(source)) => (KeyMaterial::published(source, Arc::clone(&clock), &*self.random).await?, own),
            (None, None) => return Err(BuildError::Missing("a root secret")),
            (Some(root), None) => {
                let given = (Arc::clone(&clock), Arc::clone(&self.random));
                let keys = own_keys(&store, given, root, (&self.issuer, self.algorithm)).await?;
                // The ring first: where the root secret does not belong to the store, nothing more is written.
                refuse_other_issuer(&*store, &self.issuer).await?;
                (keys, register(&*store, &self.issuer, own).await?)
            }
        };
        let (lead, bound) = (read_lead(&*store).await?, self.settings.staleness_bound);
        let kept = kept(&self.settings, &self.foreign, &largest, lead);
        let view = Arc::new(View::new(seed(&*self.random)?, kept.access(), bound));
        let progress = Arc::new(Progress::new());
        let ((id, start), skew) = (Me::named(self.node, &*self.random)?, self.settings.skew);
        let (started, issuer, address) = (Timestamp::EPOCH, self.issuer.clone(), self.address);
        let me = Me { id, start, started, issuer, address, bound, skew };
        let (registry, peers, tasks) = join(&store, clock, Arc::clone(&view), Arc::clone(&progress), me).await?;
        let mut follower = Follower::new(
            Arc::clone(&store),
            Arc::clone(&view),
            Arc::clone(&progress),
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
            (keys.renewal(), peers),
            high_water,
            Arc::clone(&kept),
            poll_interval(bound),
        );
        if let KeyMaterial::Published { .. } = keys {
            follower.waits_for_healing();
        }
        follower.start().await?;

        let expectations = expectations(&self.issuer, &self.audience, largest.access, &self.settings)?;
        let inner = Arc::new(Inner {
            expectations: ArcSwap::from_pointee(expectations),
            issuer: self.issuer,
            foreign: self.foreign,
            cache: TokenCache::new(self.settings.cache_bytes),
            keys,
            counters: Counters::default(),
            upkeep: Upkeep::new(self.flushed, Arc::clone(&registry.health), self.clock.boot()),
            audience: self.audience,
            settings: self.settings,
            clock: self.clock,
            random: self.random,
            welcome: self.welcome,
            also_check: self.also_check,
            on_event: self.on_event,
            tasks: std::sync::Mutex::new(tasks),
            registry,
            store,
            view,
            progress,
            lifetimes: KnownLifetimes::new(kept, registered),
            lead: KnownLead::new(lead),
            looks: Looks::default(),
        });
        inner.start_tasks(follower);
        Ok(Rescind(inner))
    }
}

/// For how long cut-offs matter, as far as is known at start.
fn kept(settings: &Settings, foreign: &[ForeignIssuer], largest: &Lifetimes, lead: Duration) -> Arc<Retention> {
    let (access, session) = retention(settings, foreign, largest, lead);
    Arc::new(Retention::new(access, session))
}

fn expectations(
    issuer: &str,
    audience: &str,
    longest: Duration,
    settings: &Settings,
) -> Result<Expectations, BuildError> {
    let expectations = Expectations::new(issuer, audience, longest)?;
    Ok(expectations.with_leeway(settings.leeway).with_skew(settings.skew))
}

/// Registers the lifetimes; returns when the nodes that run go by them.
async fn register(store: &dyn Store, issuer: &str, own: Lifetimes) -> Result<Lifetimes, BuildError> {
    match shared::register(store, issuer, own).await? {
        Registered::Larger(largest) if store.is_shared() => {
            tracing::info!("larger lifetimes than the other nodes know of; waiting until they do");
            sleep(HEARD_WITHIN).await;
            Ok(largest)
        }
        Registered::Known(largest) | Registered::Larger(largest) => Ok(largest),
    }
}

/// Takes this node's place among those that share the store, and keeps it.
async fn join(
    store: &Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    view: Arc<View>,
    progress: Arc<Progress>,
    me: Me,
) -> Result<(Arc<Registry>, Arc<dyn Peers>, JoinSet<()>), BuildError> {
    let registry = Registry::join(Arc::clone(store), clock, view, progress, me).await?;
    let mut tasks = JoinSet::new();
    if !store.is_shared() {
        return Ok((registry, Arc::new(NoPeers), tasks));
    }
    // While the view loads already: it is complete only up to the last write.
    tasks.spawn(Arc::clone(&registry).run());
    tasks.spawn(Arc::clone(&registry).look_around());
    Ok((Arc::clone(&registry), registry, tasks))
}

/// The keys of a node that issues.
async fn own_keys(
    store: &Arc<dyn Store>,
    (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
    root: RootSecret,
    (issuer, algorithm): (&str, Algorithm),
) -> Result<KeyMaterial, BuildError> {
    let refresh_tokens = refresh_tokens(&root, issuer);
    let ring = KeptRing::load_or_create(Arc::clone(store), clock, random, root, algorithm).await?;
    Ok(KeyMaterial::Own { ring: Arc::new(ring), refresh_tokens })
}

fn refresh_tokens(root: &RootSecret, issuer: &str) -> Box<RefreshTokens> {
    let secret = root.refresh_mac_key(REFRESH_KEY);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    Box::new(RefreshTokens::new(REFRESH_KEY, key, issuer))
}

/// Often enough that a view is never stale because of the poll alone, and that a clock step is seen soon.
fn poll_interval(bound: Duration) -> Duration {
    (bound / 8).min(Duration::from_millis(100))
}

/// RFC 8414 §2: a URL without query and fragment. `http` is for development; the server's `--production` refuses it.
fn check_issuer(issuer: &str) -> Result<(), BuildError> {
    let host = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"));
    let fits = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && issuer.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\'));
    if fits { Ok(()) } else { Err(BuildError::Issuer(issuer.to_owned())) }
}

fn seed(random: &dyn Random) -> Result<[u64; 4], BuildError> {
    let mut seed = [0; 4];
    for word in &mut seed {
        let mut bytes = [0; 8];
        random.fill(&mut bytes)?;
        *word = u64::from_le_bytes(bytes);
    }
    Ok(seed)
}
