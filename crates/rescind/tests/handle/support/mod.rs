//! What the handle's tests share: a handle over a store in memory that fails when told to, with a clock that stands
//! still until told to move. Knows no rule of the handle's own.
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part of it")]

pub(crate) mod cluster;
pub(crate) mod logs;
pub(crate) mod refresh_race;
pub(crate) mod split;
pub(crate) mod swap;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rescind::id::SessionId;
use rescind::keys::{Algorithm, RootSecret};
use rescind::log::{Entry, Scope, Text};
use rescind::refresh_token::ClientClass;
use rescind::store::{FailingStore, Fault, Gate, MemoryStore, Operation, Store, Which};
use rescind::testing::{ManualClock, SeededRandom, client, subject};
use rescind::{Builder, Error, Live, OpenSession, Refresh, Refreshed, Rejection, Rescind, Revoke, Settings, TokenPair};

/// Our issuer.
pub(crate) const ISSUER: &str = "https://login.example";
/// Our audience.
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The root secret of every test.
pub(crate) const ROOT: [u8; 32] = [7; 32];

/// Clocks may be wrong by so much.
pub(crate) const CLOCK_MARGIN: Duration = secs(24 * 3600);

/// The store of the tests.
pub(crate) type TestStore = FailingStore<MemoryStore>;

/// A handle, and what it was given.
pub(crate) struct House {
    pub(crate) rescind: Rescind,
    pub(crate) store: Arc<TestStore>,
    pub(crate) clock: Arc<ManualClock>,
}

/// An empty store that tells the time by `clock`; `seed` decides its incarnation.
pub(crate) fn new_store(clock: &Arc<ManualClock>, seed: u64) -> Arc<TestStore> {
    let memory = MemoryStore::with(Arc::clone(clock) as _, &SeededRandom::new(seed)).unwrap();
    Arc::new(FailingStore::new(Arc::new(memory)))
}

/// An empty store for several handles, which tells the time by `clock`. Each handle wraps it for itself.
pub(crate) fn shared_store(clock: &Arc<ManualClock>) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with(Arc::clone(clock) as _, &SeededRandom::new(1)).unwrap().shared())
}

/// A builder with all that a test does not care for.
pub(crate) fn builder(store: Arc<dyn Store>, clock: &Arc<ManualClock>, seed: u64) -> Builder {
    Rescind::builder(ISSUER, AUDIENCE)
        .store(store)
        .clock(Arc::clone(clock) as _)
        .random(Arc::new(SeededRandom::new(seed)))
        .root_secret(RootSecret::from_bytes(ROOT))
}

impl House {
    /// With default settings.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// With settings of the test's own.
    pub(crate) async fn set(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        Self::with(|builder| builder.settings(settings)).await
    }

    /// With an algorithm.
    pub(crate) async fn of(algorithm: Algorithm) -> Self {
        Self::with(|builder| builder.algorithm(algorithm)).await
    }

    /// With a builder of the test's own.
    pub(crate) async fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = new_store(&clock, 1);
        Self::over(store, clock, change).await
    }

    /// Over a store and a clock that are there already.
    pub(crate) async fn over(
        store: Arc<TestStore>,
        clock: Arc<ManualClock>,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let rescind = change(builder(Arc::clone(&store) as _, &clock, 2)).build().await.unwrap();
        Self { rescind, store, clock }
    }

    /// Asks while the view is stale and the store hangs, and lets `span` pass before the store answers.
    pub(crate) async fn while_it_waits<T>(&self, asking: impl Future<Output = T>, span: Duration) -> T {
        let gate = Gate::new();
        self.store.inject(Operation::After, Which::Every, Fault::HangBefore(gate.clone()));
        gate.reached().await;
        self.clock.advance(secs(3));
        let meanwhile = async {
            self.clock.advance(span);
            self.store.clear();
            gate.release();
        };
        // It waits by the time that the other begins.
        tokio::join!(biased; asking, meanwhile).0
    }

    /// One of several nodes on a store; `seed` tells them apart.
    pub(crate) async fn node(
        store: &Arc<MemoryStore>,
        clock: &Arc<ManualClock>,
        seed: u64,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let store = Arc::new(FailingStore::new(Arc::clone(store)));
        let rescind = change(builder(Arc::clone(&store) as _, clock, seed)).build().await.unwrap();
        Self { rescind, store, clock: Arc::clone(clock) }
    }

    /// Over a store and a clock that are there already, with a high-water file.
    pub(crate) async fn marked(store: &Arc<TestStore>, clock: &Arc<ManualClock>, file: &Path, seed: u64) -> Self {
        let rescind = builder(Arc::clone(store) as _, clock, seed).high_water(file).build().await.unwrap();
        Self { rescind, store: Arc::clone(store), clock: Arc::clone(clock) }
    }

    /// Opens a session of `name` in a browser through the client `app`.
    pub(crate) async fn login(&self, name: &str) -> TokenPair {
        self.login_as(name, ClientClass::Browser).await
    }

    /// Opens a session of a class.
    pub(crate) async fn login_as(&self, name: &str, class: ClientClass) -> TokenPair {
        self.rescind.open_session(OpenSession { class, ..opening(name) }).await.unwrap()
    }

    /// Lets time pass, and the view catch up with it.
    pub(crate) async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        self.rescind.sync().await.unwrap();
    }

    /// Refreshes with nothing of the client's own.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Refreshed, Error> {
        self.rescind.refresh(token, Refresh::default()).await
    }

    /// Refreshes with a token that must be good.
    pub(crate) async fn refreshed(&self, token: &str) -> TokenPair {
        self.refresh(token).await.unwrap().pair
    }

    /// Checks an access token.
    pub(crate) async fn check(&self, token: &str) -> Result<Live, Error> {
        self.rescind.check(token).await
    }

    /// Cuts a scope off.
    pub(crate) async fn revoke(&self, scope: Scope) -> Entry {
        self.rescind.revoke(revocation(scope)).await.unwrap()
    }

    /// Whether both tokens of a pair pass. The refresh token is looked at, not spent.
    pub(crate) async fn lives(&self, pair: &TokenPair) -> (bool, bool) {
        let access = match self.check(&pair.access_token).await {
            Ok(_) => true,
            Err(Error::Rejected(_)) => false,
            Err(other) => panic!("no answer: {other}"),
        };
        let refresh = self.rescind.inspect(&pair.refresh_token).await;
        assert_eq!(refresh.fault, None);
        (access, refresh.refused.is_none())
    }

    /// The name of the key that signs.
    pub(crate) fn current_kid(&self) -> rescind::id::KeyId {
        let is_current = |key: &&rescind::KeyStatus| matches!(key.state, rescind::keys::KeyState::Current);
        self.rescind.keys().iter().find(is_current).unwrap().kid.clone()
    }
}

/// A session of `name` through the client `app`.
pub(crate) fn opening(name: &str) -> OpenSession {
    OpenSession::new(subject(name), client("app"))
}

/// A cut-off on a scope, by the tests.
pub(crate) fn revocation(scope: Scope) -> Revoke {
    Revoke { scope, reason: text("test"), actor: text("tester") }
}

/// A short text.
pub(crate) fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}

/// Why a call was refused; panics where it was not.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>) -> Rejection {
    match result {
        Err(Error::Rejected(rejection)) => rejection,
        Err(other) => panic!("not refused but failed: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

/// The claims of an access token, unverified.
pub(crate) fn payload(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Which of a subject's sessions may still be used.
pub(crate) async fn live_sessions(house: &House, name: &str) -> Vec<SessionId> {
    let live = house.rescind.live_sessions_of(&subject(name), usize::MAX).await.unwrap();
    live.into_iter().map(|loaded| loaded.session.id).collect()
}

/// Waits until a condition holds, and fails the test where it does not within ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(), "{what}");
}

/// Seconds.
pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Milliseconds.
pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
