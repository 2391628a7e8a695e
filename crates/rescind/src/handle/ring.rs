//! The key ring as it stands in the store: sealed, changed by compare-and-set, and held here for signing and checking.
//! What a rotation does is the ring's own matter.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use async_trait::async_trait;
use tokio::sync::Mutex;

use super::error::{BoxError, BuildError, Error};
use crate::keys::{Algorithm, KeyRing, RootSecret};
use crate::random::Random;
use crate::store::{Put, Record, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::{Clock, Timestamp};
use crate::view::Renew;

/// The ring as it stands in the store at a version.
pub(super) struct Ring {
    pub(super) keys: KeyRing,
    version: u64,
    /// The JWK Set, made once a version.
    pub(super) jwks: Arc<str>,
}

/// Holds the ring, and writes it.
pub(super) struct KeptRing {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    root: RootSecret,
    held: ArcSwap<Ring>,
    /// One change at a time in this process, so that what is held never goes back to what was read before.
    changing: Mutex<()>,
}

const ID: &str = "ring";
const ATTEMPTS: usize = 16;

impl KeptRing {
    /// Reads the ring at start, or makes it where the store has none.
    pub(super) async fn load_or_create(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        root: RootSecret,
        algorithm: Algorithm,
    ) -> Result<Self, BuildError> {
        for _ in 0..ATTEMPTS {
            let record = store.record(RecordKind::KEYS, ID).await?;
            let version = record.as_ref().map_or(0, |record| record.version);
            let present = record.map(|record| KeyRing::from_document(&record.body, &root)).transpose()?;
            let signs = present.as_ref().is_some_and(|keys| keys.current().algorithm() == algorithm);
            let (keys, version) = match present {
                Some(keys) if signs => (keys, version),
                present => {
                    let keys = match present {
                        Some(keys) => keys.with_algorithms(&[algorithm], clock.wall(), &*random)?,
                        None => KeyRing::new(&[algorithm], &*random)?,
                    };
                    let document = keys.to_document(&root, &*random)?;
                    match store.put_record(RecordKind::KEYS, ID, version, document).await? {
                        Put::Written(version) => (keys, version),
                        Put::Stale => continue,
                    }
                }
            };
            let held = ArcSwap::from_pointee(Ring::new(keys, version));
            return Ok(Self { store, clock, random, root, held, changing: Mutex::new(()) });
        }
        Err(contended().into())
    }

    /// The ring as it was last read or written.
    pub(super) fn load(&self) -> Guard<Arc<Ring>> {
        self.held.load()
    }

    /// The root secret that seals it.
    pub(super) const fn root(&self) -> &RootSecret {
        &self.root
    }

    /// Reads the ring, lets `change` say what it should be, and writes it where it is still the same. Afterwards this
    /// process holds what the store has.
    pub(super) async fn change(
        &self,
        change: impl Fn(&KeyRing, Timestamp) -> Result<Option<KeyRing>, Error>,
    ) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let record = self.store.record(RecordKind::KEYS, ID).await?;
            let (present, version) = self.read(record)?;
            let Some(keys) = change(&present, self.clock.wall())? else {
                self.hold(present, version);
                return Ok(());
            };
            let document = keys.to_document(&self.root, &*self.random).map_err(internal)?;
            match self.store.put_record(RecordKind::KEYS, ID, version, document).await? {
                Put::Written(version) => {
                    self.hold(keys, version);
                    return Ok(());
                }
                Put::Stale => {}
            }
        }
        Err(contended().into())
    }

    /// The ring of a record; where the store lost it, the one that is held, to be written again.
    fn read(&self, record: Option<Record>) -> Result<(KeyRing, u64), Error> {
        let Some(record) = record else { return Ok((self.load().keys.clone(), 0)) };
        let keys = KeyRing::from_document(&record.body, &self.root).map_err(internal)?;
        Ok((keys, record.version))
    }

    /// Versions are not compared by size: those of a store that was put back to an older copy are lower.
    fn hold(&self, keys: KeyRing, version: u64) {
        if version != self.load().version {
            self.held.store(Arc::new(Ring::new(keys, version)));
        }
    }
}

#[async_trait]
impl Renew for KeptRing {
    /// Revokes every key: an older copy of the store may bring back one that was revoked since, and whoever stole it
    /// could sign tokens of any position.
    async fn renew(&self) -> Result<(), BoxError> {
        let renewed = self.change(|ring, now| {
            let mut renewed = ring.clone();
            for key in ring.keys() {
                renewed = renewed.revoke(key.id(), now, &*self.random).map_err(internal)?;
            }
            Ok(Some(renewed))
        });
        renewed.await.map_err(Into::into)
    }

    async fn take_over(&self) -> Result<(), BoxError> {
        self.change(|_, _| Ok(None)).await.map_err(Into::into)
    }
}

impl Ring {
    fn new(keys: KeyRing, version: u64) -> Self {
        let jwks = Arc::from(keys.jwks());
        Self { keys, version, jwks }
    }
}

fn contended() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "put_record", "the key ring was changed by others every time")
}

pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}
