//! What no route of an example gives out: sessions that were opened long ago or for somebody else, and tokens with other
//! claims under the example's own signature. Works on the example's data folder, while the example does not run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::keys::{Algorithm, KeyRing, RootSecret};
use rescind::random::SystemRandom;
use rescind::store::{RecordKind, Store};
use rescind::testing::ManualClock;
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind::{OpenSession, Rescind, Settings, TokenPair};
use rescind_stores::sqlite::SqliteStore;
use serde_json::{Value, json};

/// What an example gives to its builder.
#[derive(Clone)]
pub struct Origin {
    pub issuer: &'static str,
    pub audience: &'static str,
    pub algorithm: Algorithm,
    pub settings: Settings,
}

/// The time, in seconds since the epoch.
pub fn now() -> u64 {
    SystemClock.wall().as_secs()
}

/// The example's handle as it was so long ago. A folder's past comes before its present: ask for the oldest first, and
/// [`close`] it before the next one, and before the example starts.
pub async fn at(data: &Path, origin: Origin, ago: Duration) -> Rescind {
    let then = Timestamp::from_secs(now() - ago.as_secs());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(then));
    let store = SqliteStore::open_with(data.join("rescind.db"), Arc::clone(&clock), &SystemRandom).await.unwrap();
    let builder = Rescind::builder(origin.issuer, origin.audience)
        .store(store)
        .root_secret(RootSecret::load_or_create(data.join("root.key")).unwrap())
        .algorithm(origin.algorithm)
        .settings(origin.settings)
        .clock(clock);
    builder.build().await.unwrap()
}

/// Opens a session as the example would have done so long ago; the oldest first.
pub async fn open(data: &Path, origin: Origin, ago: Duration, session: OpenSession) -> TokenPair {
    let rescind = at(data, origin, ago).await;
    let pair = rescind.open_session(session).await.unwrap();
    close(rescind).await;
    pair
}

/// Lets go of the data folder.
pub async fn close(rescind: Rescind) {
    rescind.shutdown().await;
    drop(rescind);
}

/// Signs these claims, as an access token, with the key that the example signs with.
pub async fn sign(data: &Path, payload: &Value) -> String {
    sign_as("at+jwt", data, payload).await
}

/// Signs these claims, as a token of another `typ`, with the key that the example signs with.
pub async fn sign_as(typ: &str, data: &Path, payload: &Value) -> String {
    let store = SqliteStore::open(data.join("rescind.db")).await.unwrap();
    let root = RootSecret::load(data.join("root.key")).unwrap();
    let (_, record) = store.records(RecordKind::KEYS, None, 1).await.unwrap().remove(0);
    let ring = KeyRing::from_document(&record.body, &root).unwrap();
    let key = ring.current();
    let header = json!({ "alg": key.algorithm().to_string(), "typ": typ, "kid": key.id() });
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(payload));
    let mut signature = Vec::new();
    key.sign(signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token that nobody with a key of ours has signed: this header, these claims, an HMAC with a guessed secret.
pub fn forge(header: &Value, payload: &Value) -> String {
    forge_with("secret", header, payload)
}

/// The same with this secret.
pub fn forge_with(secret: &str, header: &Value, payload: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(payload));
    let guessed = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&guessed, signed.as_bytes())))
}
