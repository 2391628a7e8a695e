//! What the tests of the ready-made routes share: handles on real stores that fail when told to, and a client of a router.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly, their helpers too")]
#![allow(clippy::allow_attributes, reason = "an expectation would be unfulfilled in the files that use everything")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::random::SystemRandom;
use rescind::store::{FailingStore, MemoryStore, Store};
use rescind::testing::ManualClock;
use rescind::time::Clock;
use rescind::{OpenSession, Rescind, TokenPair};
use rescind_axum::Cookies;
use rescind_stores::sqlite::SqliteStore;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

pub const JSON: (&str, &str) = ("content-type", "application/json");
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A handle on a store that fails when told to.
pub struct House {
    pub rescind: Rescind,
    pub store: Arc<FailingStore<dyn Store>>,
    pub clock: Arc<ManualClock>,
    _folder: Option<TempDir>,
}

impl House {
    /// One on the memory store.
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with(Arc::clone(&clock) as Arc<dyn Clock>, &SystemRandom).unwrap();
        Self::on(Arc::new(store), clock, None).await
    }

    /// One on each store.
    pub async fn each() -> [Self; 2] {
        let clock = Arc::new(ManualClock::default());
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rescind.db");
        let store = SqliteStore::open_with(path, Arc::clone(&clock) as Arc<dyn Clock>, &SystemRandom).await.unwrap();
        [Self::new().await, Self::on(Arc::new(store), clock, Some(folder)).await]
    }

    async fn on(store: Arc<dyn Store>, clock: Arc<ManualClock>, folder: Option<TempDir>) -> Self {
        let store: Arc<FailingStore<dyn Store>> = Arc::new(FailingStore::new(store));
        let builder = Rescind::builder("https://id.example", "https://api.example")
            .store(Arc::clone(&store) as Arc<dyn Store>)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .root_secret(RootSecret::from_bytes([7; 32]));
        Self { rescind: builder.build().await.unwrap(), store, clock, _folder: folder }
    }

    pub async fn sign_in(&self, subject: &str) -> TokenPair {
        self.open(OpenSession::new(Subject::new(subject).unwrap(), ClientId::new("app").unwrap())).await
    }

    pub async fn open(&self, session: OpenSession) -> TokenPair {
        self.rescind.open_session(session).await.unwrap()
    }

    /// Whether an access token passes.
    pub async fn passes(&self, access: &str) -> bool {
        self.rescind.check(access).await.is_ok()
    }

    /// Time goes by, and the view hears of it.
    pub async fn wait(&self, time: Duration) {
        self.clock.advance(time);
        self.rescind.sync().await.unwrap();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    pub fn text(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies that it sets, with their attributes.
    pub fn set(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The cookies that it sets, as a browser sends them back.
    pub fn jar(&self) -> String {
        let pairs: Vec<_> = self.set().into_iter().filter_map(|cookie| cookie.split(';').next()).collect();
        pairs.join("; ")
    }
}

/// Sends a request to a router.
pub async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "api.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The cookies of a pair, as a browser sends them.
pub fn jar(pair: &TokenPair) -> String {
    let mut headers = HeaderMap::new();
    Cookies::new().set(&mut headers, pair).unwrap();
    Reply { status: StatusCode::OK.as_u16(), headers, body: String::new() }.jar()
}
