//! The service that one signs in to: a handle over a store that fails when told to, with a clock that stands still until
//! told to move, and the provider.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use rescind::id::ClientId;
use rescind::keys::RootSecret;
use rescind::store::{FailingStore, MemoryStore};
use rescind::testing::{ManualClock, SeededRandom};
use rescind::{OpenSession, Rescind, TokenPair};
use rescind_axum::oidc::{
    Allow, Begun, ClientSecret, Finished, Identity, Provider, Providers, RedirectUri, SignInError,
};

use crate::provider::{CLIENT_ID, Idp, SECRET};

pub(crate) type TestStore = FailingStore<MemoryStore>;

pub(crate) struct Stage {
    pub(crate) rescind: Rescind,
    pub(crate) store: Arc<TestStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) idp: Idp,
    pub(crate) providers: Providers,
}

/// The provider as a service configures it.
pub(crate) fn configured(idp: &Idp) -> Provider {
    let provider = Provider::new("idp", &idp.issuer, CLIENT_ID).unwrap();
    provider.secret(ClientSecret::new(SECRET.to_owned())).admit(Allow::everyone())
}

/// A handle over a store.
pub(crate) async fn node(store: &Arc<TestStore>, clock: &Arc<ManualClock>, seed: u64) -> Rescind {
    Rescind::builder("https://login.example", "https://api.example")
        .store(Arc::clone(store))
        .clock(Arc::clone(clock) as _)
        .random(Arc::new(SeededRandom::new(seed)))
        .root_secret(RootSecret::from_bytes([7; 32]))
        .build()
        .await
        .unwrap()
}

pub(crate) fn providers(rescind: &Rescind, configured: Vec<Provider>) -> Providers {
    Providers::new(rescind, RedirectUri::Under("https://app.example/login".to_owned()), configured).unwrap()
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|provider| provider).await
    }

    /// With a provider that is configured in the test's own way.
    pub(crate) async fn with(change: impl FnOnce(Provider) -> Provider) -> Self {
        let clock = Arc::new(ManualClock::default());
        let memory = MemoryStore::with(Arc::clone(&clock) as _, &SeededRandom::new(1)).unwrap();
        let store = Arc::new(FailingStore::new(Arc::new(memory)));
        let rescind = node(&store, &clock, 2).await;
        let idp = Idp::start(&clock).await;
        let providers = providers(&rescind, vec![change(configured(&idp))]);
        Self { rescind, store, clock, idp, providers }
    }

    /// Begins a sign-in, and lets the user agree; returns the callback's query and the browser's cookies.
    pub(crate) async fn agree(&self) -> (String, HeaderMap) {
        let begun = self.providers.begin("idp", Some("/home")).await.unwrap();
        (self.idp.authorize(&begun.location), browser(&begun))
    }

    pub(crate) async fn sign_in(&self) -> Result<Finished, SignInError> {
        let begun = self.providers.begin("idp", Some("/home")).await?;
        self.providers.finish(Some("idp"), &self.idp.authorize(&begun.location), &browser(&begun)).await
    }

    /// Signs in and opens a session.
    pub(crate) async fn session(&self) -> TokenPair {
        let identity = self.sign_in().await.unwrap().identity;
        self.providers.open_session(&identity, opening(&identity)).await.unwrap()
    }

    /// The reason why a sign-in does not come about. The handle must not have opened a session for it.
    pub(crate) async fn refusal(&self) -> &'static str {
        self.sign_in().await.err().map_or("signed in", |error| error.reason())
    }

    pub(crate) async fn is_live(&self, pair: &TokenPair) -> bool {
        self.rescind.check(&pair.access_token).await.is_ok()
    }

    /// Lets time pass, and the view come after.
    pub(crate) async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        self.rescind.sync().await.unwrap();
    }
}

/// What a browser sends back of a sign-in that it began.
pub(crate) fn browser(begun: &Begun) -> HeaderMap {
    cookie(begun.set_cookie.to_str().unwrap().split(';').next().unwrap())
}

pub(crate) fn cookie(pair: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(pair).unwrap())])
}

pub(crate) fn opening(identity: &Identity) -> OpenSession {
    OpenSession::new(identity.account(), ClientId::new("web").unwrap())
}
