//! What all targets stand on: one issuer, one moment, keys that are the same in every run, and a runtime whose time moves
//! only when nothing else does.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::access_token::Expectations;
use rescind::keys::{Algorithm, KeyRing, RootSecret, SigningKey};
use rescind::store::{MemoryStore, RecordKind, Store};
use rescind::testing::{ManualClock, SeededRandom};
use rescind::time::Timestamp;
use rescind::{Builder, Rescind};
use tokio::runtime;

/// The present.
pub const NOW: Timestamp = ManualClock::START;
/// Our issuer.
pub const ISSUER: &str = "https://login.example";
/// Our audience.
pub const AUDIENCE: &str = "https://api.example";

/// The root secret that the keys are sealed under.
pub fn root() -> RootSecret {
    RootSecret::from_bytes([7; 32])
}

/// The file with the ring that signs here.
pub fn keys_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/keys.json"))
}

/// The file's content: read at every start, because AWS-LC's RSA and ECDSA keys cannot be made from a seed.
pub fn keys_document() -> &'static [u8] {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    DOCUMENT.get_or_init(|| std::fs::read(keys_file()).unwrap())
}

/// A ring with two keys of every algorithm.
pub fn ring() -> &'static KeyRing {
    static RING: OnceLock<KeyRing> = OnceLock::new();
    RING.get_or_init(|| KeyRing::from_document(keys_document(), &root()).unwrap())
}

/// The key that signs with this algorithm.
pub fn key(algorithm: Algorithm) -> &'static SigningKey {
    ring().current_for(algorithm).unwrap()
}

/// What is expected of an access token.
pub fn expectations() -> &'static Expectations {
    static EXPECTED: OnceLock<Expectations> = OnceLock::new();
    EXPECTED.get_or_init(|| Expectations::new(ISSUER, AUDIENCE, Duration::from_mins(15)).unwrap())
}

/// Base64url as JWS writes it.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and this payload, signed properly.
pub fn sign(key: &SigningKey, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(payload));
    let mut signature = Vec::new();
    key.sign(signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", base64url(signature))
}

/// An empty store in memory.
pub fn memory(clock: &Arc<ManualClock>) -> MemoryStore {
    MemoryStore::with(Arc::clone(clock) as _, &SeededRandom::new(1)).unwrap()
}

/// A builder over a store, with the clock, and with randomness that is the same in every run.
pub fn builder(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Builder {
    Rescind::builder(ISSUER, AUDIENCE)
        .store(store)
        .clock(Arc::clone(clock) as _)
        .random(Arc::new(SeededRandom::new(2)))
        .root_secret(root())
}

/// A handle over an empty store in memory, with the keys of this ground.
pub async fn house() -> Rescind {
    let clock = Arc::new(ManualClock::default());
    let store = memory(&clock);
    store.put_record(RecordKind::KEYS, "ring", 0, keys_document().to_vec(), None).await.unwrap();
    builder(Arc::new(store), &clock).build().await.unwrap()
}

/// Runs to the end in a runtime of its own: no task outlives it. Where all wait, its time goes on by itself, so nothing
/// here waits in real time.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(work)
}
