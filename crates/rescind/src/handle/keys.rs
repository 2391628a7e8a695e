//! The key ring of the handle: kept in the store, sealed; changed by compare-and-set. What a rotation does is the
//! ring's own matter.

use std::sync::Arc;

use super::error::{BuildError, Error, NotFound};
use super::{Inner, Rescind};
use crate::id::KeyId;
use crate::keys::{Algorithm, KeyRing, KeyState, RootSecret};
use crate::log::{Entry, Scope, Text};
use crate::random::Random;
use crate::store::{Put, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// The ring as it stands in the store at a version.
pub(super) struct Ring {
    pub(super) keys: KeyRing,
    pub(super) version: u64,
    /// The JWK Set, made once a version.
    pub(super) jwks: Arc<str>,
}

const ID: &str = "ring";
const ATTEMPTS: usize = 16;

/// A signing key, as an operator sees it.
#[derive(Debug, Clone)]
pub struct KeyStatus {
    /// Its name.
    pub kid: KeyId,
    /// The one algorithm that it is bound to.
    pub algorithm: Algorithm,
    /// Where it stands in its life, and since when.
    pub state: KeyState,
}

impl Rescind {
    /// The signing keys, newest last.
    pub fn keys(&self) -> Vec<KeyStatus> {
        let ring = self.0.ring.load();
        let status = |key: &crate::keys::RingKey| KeyStatus {
            kid: key.id().clone(),
            algorithm: key.algorithm(),
            state: key.state(),
        };
        ring.keys.keys().iter().map(status).collect()
    }

    /// The public keys as a JWK Set (RFC 7517 §5): next, current and retired ones, no symmetric and no revoked ones.
    pub fn jwks(&self) -> Arc<str> {
        Arc::clone(&self.0.ring.load().jwks)
    }

    /// Makes the next key the current one and a new one next. Tokens of the key before stay valid until they expire.
    ///
    /// # Errors
    /// [`Error::Store`] where the ring could not be written; nothing has changed then.
    pub async fn rotate_keys(&self) -> Result<KeyId, Error> {
        self.to_the_end(|inner| async move {
            let random = Arc::clone(&inner.random);
            inner
                .change_ring(move |ring, now| {
                    ring.rotate(ring.current().algorithm(), now, &*random).map(Some).map_err(internal)
                })
                .await?;
            Ok(inner.ring.load().keys.current().id().clone())
        })
        .await
    }

    /// Revokes a key: it leaves the ring and the JWK Set, and every token that it signed is dead.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such key; [`Error::Store`] where it is not known to be durable.
    pub async fn revoke_key(&self, kid: &KeyId, reason: Text, actor: Text) -> Result<Entry, Error> {
        self.revoke(super::Revoke { scope: Scope::Key(kid.clone()), reason, actor }).await
    }
}

impl Inner {
    /// Takes a key out of the ring for good; where it was current, its successor is at once.
    pub(super) async fn drop_key(&self, kid: &KeyId) -> Result<(), Error> {
        self.change_ring(|ring, now| match ring.find(kid.as_str()) {
            None => Err(NotFound::Key(kid.clone()).into()),
            Some(_) => ring.revoke(kid, now, &*self.random).map(Some).map_err(internal),
        })
        .await
    }

    /// Lets retired keys go whose last token has expired, and takes over what another node has changed.
    pub(super) async fn tend_ring(&self) -> Result<(), Error> {
        self.change_ring(|ring, now| {
            let tended = ring.expire(now, self.retention);
            Ok((tended.keys().len() != ring.keys().len()).then_some(tended))
        })
        .await
    }

    /// Reads the ring, lets `change` say what it should be, and writes it where it is still the same.
    async fn change_ring(
        &self,
        change: impl Fn(&KeyRing, Timestamp) -> Result<Option<KeyRing>, Error>,
    ) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let (present, version) = self.read_ring().await?;
            let Some(keys) = change(&present, self.clock.wall())? else {
                self.adopt(present, version);
                return Ok(());
            };
            let document = keys.to_document(&self.root, &*self.random).map_err(internal)?;
            match self.store.put_record(RecordKind::KEYS, ID, version, document).await? {
                Put::Written(version) => {
                    self.adopt(keys, version);
                    return Ok(());
                }
                Put::Stale => {}
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", "the key ring was changed by others every time")
            .into())
    }

    async fn read_ring(&self) -> Result<(KeyRing, u64), Error> {
        let record = self.store.record(RecordKind::KEYS, ID).await?;
        let record =
            record.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "record", "record keys/ring is gone"))?;
        let keys = KeyRing::from_document(&record.body, &self.root).map_err(internal)?;
        Ok((keys, record.version))
    }

    fn adopt(&self, keys: KeyRing, version: u64) {
        if version > self.ring.load().version {
            self.ring.store(Arc::new(Ring::new(keys, version)));
        }
    }
}

impl Ring {
    pub(super) fn new(keys: KeyRing, version: u64) -> Self {
        let jwks = Arc::from(keys.jwks());
        Self { keys, version, jwks }
    }

    /// Reads the ring at start, or makes it where the store has none.
    pub(super) async fn load_or_create(
        store: &dyn Store,
        root: &RootSecret,
        algorithm: Algorithm,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, BuildError> {
        for _ in 0..ATTEMPTS {
            let record = store.record(RecordKind::KEYS, ID).await?;
            let version = record.as_ref().map_or(0, |record| record.version);
            let keys = match record {
                None => KeyRing::new(&[algorithm], random)?,
                Some(record) => {
                    let keys = KeyRing::from_document(&record.body, root)?;
                    if keys.current().algorithm() == algorithm {
                        return Ok(Self::new(keys, version));
                    }
                    keys.with_algorithms(&[algorithm], now, random)?
                }
            };
            let document = keys.to_document(root, random)?;
            if let Put::Written(version) = store.put_record(RecordKind::KEYS, ID, version, document).await? {
                return Ok(Self::new(keys, version));
            }
        }
        Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", "other nodes wrote the key ring every time")
            .into())
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}
