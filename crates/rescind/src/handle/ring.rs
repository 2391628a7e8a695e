//! The key ring as it stands in the store: sealed, changed by compare-and-set, and held here for signing and checking.
//! What a rotation does is the ring's own matter.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use async_trait::async_trait;
use tokio::sync::Mutex;

use super::error::{BoxError, BuildError, Error};
use crate::id::KeyId;
use crate::keys::{Algorithm, KeyRing, RootSecret};
use crate::random::Random;
use crate::store::{Put, Record, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::{BootTime, Clock};
use crate::view::Renew;

/// The ring as it stands in the store.
pub(super) struct Ring {
    pub(super) keys: KeyRing,
    /// The document that it was read from or written to: another document is another ring.
    document: Vec<u8>,
    /// The JWK Set, made once.
    pub(super) jwks: Arc<str>,
}

/// Holds the ring, and writes it.
pub(super) struct KeptRing {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    root: RootSecret,
    held: ArcSwap<Ring>,
    /// What was held before: what is held may have been read from a store that had just lost history.
    before: ArcSwapOption<Ring>,
    /// One change at a time in this process, so that what is held never goes back to what was read before.
    changing: Mutex<()>,
    /// When the last reading began. **Units:** milliseconds since boot.
    read_at: AtomicU64,
    /// Held by whoever reads the ring for all who wait.
    pub(super) reading: Mutex<()>,
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
            let began = clock.boot();
            let record = store.record(RecordKind::KEYS, ID).await?;
            let version = record.as_ref().map_or(0, |record| record.version);
            let present = match record {
                Some(record) => Some(Ring::new(KeyRing::from_document(&record.body, &root)?, record.body)),
                None => None,
            };
            let signs = present.as_ref().is_some_and(|ring| ring.keys.current().algorithm() == algorithm);
            let ring = match present {
                Some(ring) if signs => ring,
                present => {
                    let keys = match present {
                        // By the store's clock, as the others judge when a key that retires may go.
                        Some(ring) => ring.keys.with_algorithms(&[algorithm], store.health().await?.now, &*random)?,
                        None => KeyRing::new(&[algorithm], &*random)?,
                    };
                    let document = keys.to_document(&root, &*random)?;
                    match store.put_record(RecordKind::KEYS, ID, version, document.clone(), None).await? {
                        Put::Written(_) => Ring::new(keys, document),
                        Put::Stale => continue,
                    }
                }
            };
            let held = ArcSwap::from_pointee(ring);
            let before = ArcSwapOption::empty();
            let (changing, reading, read_at) = (Mutex::new(()), Mutex::new(()), AtomicU64::new(began.as_millis()));
            return Ok(Self { store, clock, random, root, held, before, changing, read_at, reading });
        }
        Err(contended().into())
    }

    /// The ring as it was last read or written.
    pub(super) fn load(&self) -> Guard<Arc<Ring>> {
        self.held.load()
    }

    /// Whether it is held as it stood at a moment, or later.
    pub(super) fn is_known_of(&self, moment: BootTime) -> bool {
        BootTime::from_millis(self.read_at.load(Ordering::Acquire)) >= moment
    }

    /// The root secret that seals it.
    pub(super) const fn root(&self) -> &RootSecret {
        &self.root
    }

    /// The key that signs, as the store has it now; what is held stays as it is.
    pub(super) async fn current_in_store(&self) -> Result<KeyId, Error> {
        let present = self.read(self.store.record(RecordKind::KEYS, ID).await?)?;
        Ok(present.keys.current().id().clone())
    }

    /// Reads the ring, lets `change` say what it should be, and writes it where it is still the same. Afterwards this
    /// process holds what the store has.
    pub(super) async fn change(
        &self,
        change: impl Fn(&KeyRing) -> Result<Option<KeyRing>, Error>,
    ) -> Result<(), Error> {
        self.write(Loss::News, change).await
    }

    async fn write(
        &self,
        loss: Loss,
        change: impl Fn(&KeyRing) -> Result<Option<KeyRing>, Error>,
    ) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let began = self.clock.boot();
            let record = self.store.record(RecordKind::KEYS, ID).await?;
            let version = record.as_ref().map_or(0, |record| record.version);
            let present = self.read(record)?;
            let keys = match (change(&present.keys)?, &present) {
                (Some(keys), _) => keys,
                (None, Present::Stored(ring)) => {
                    self.hold(Arc::clone(ring), began);
                    return Ok(());
                }
                (None, Present::Lost(ring)) => ring.keys.clone(),
            };
            let document = keys.to_document(&self.root, &*self.random).map_err(internal)?;
            if let Put::Written(_) =
                self.store.put_record(RecordKind::KEYS, ID, version, document.clone(), None).await?
            {
                if let (Loss::News, Present::Lost(_)) = (loss, &present) {
                    tracing::error!("ALARM: the store had lost this node's key ring; it is written again");
                }
                self.hold(Arc::new(Ring::new(keys, document)), began);
                return Ok(());
            }
        }
        Err(contended().into())
    }

    /// Holds what a reading that began at `began` came to.
    fn hold(&self, ring: Arc<Ring>, began: BootTime) {
        if self.held.load().document != ring.document {
            self.before.store(Some(self.held.swap(ring)));
        }
        self.read_at.fetch_max(began.as_millis(), Ordering::AcqRel);
    }

    /// The ring of a record, or what stands in its place where the store lost a newer one: before the loss is found in the
    /// log, or where nothing else was lost with it.
    ///
    /// Documents are compared, never versions: a store that was put back may give a version a second time.
    fn read(&self, record: Option<Record>) -> Result<Present, Error> {
        let held = self.held.load_full();
        let Some(record) = record else { return Ok(Present::Lost(held)) };
        if record.body == held.document {
            return Ok(Present::Stored(held));
        }
        let stored = KeyRing::from_document(&record.body, &self.root).map_err(internal)?;
        let stands = held.keys.in_place_of(&stored, self.clock.wall(), &*self.random).map_err(internal)?;
        Ok(match stands {
            None => Present::Stored(Arc::new(Ring::new(stored, record.body))),
            Some(keys) => Present::Lost(Arc::new(Ring::new(keys, Vec::new()))),
        })
    }
}

/// What is known of a loss when the ring is found to be lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// Nobody has been told of one.
    News,
    /// The log was lost, too, and is being healed, with an alarm.
    Known,
}

/// The ring as it should be now.
enum Present {
    /// The store has it.
    Stored(Arc<Ring>),
    /// The store has it no more: it is to be written again.
    Lost(Arc<Ring>),
}

impl Deref for Present {
    type Target = Ring;

    fn deref(&self) -> &Ring {
        match self {
            Self::Stored(ring) | Self::Lost(ring) => ring,
        }
    }
}

#[async_trait]
impl Renew for KeptRing {
    /// Revokes every key: an older copy of the store may bring back one that was revoked since, and whoever stole it
    /// could sign tokens of any position.
    async fn renew(&self) -> Result<(), BoxError> {
        let now = self.clock.wall();
        let renewed = self.write(Loss::Known, |ring| {
            let mut renewed = ring.clone();
            for key in ring.keys() {
                renewed = renewed.revoke(key.id(), now, &*self.random).map_err(internal)?;
            }
            Ok(Some(renewed))
        });
        renewed.await.map_err(Into::into)
    }

    /// What is held and what the store has, put together, and none of it revoked for the loss alone: tokens that nobody
    /// cut off go on to pass.
    async fn unite(&self, revoked: &[KeyId]) -> Result<(), BoxError> {
        let (held, before) = (self.held.load_full(), self.before.load_full());
        let now = self.store.health().await?.now;
        let united = self.write(Loss::Known, |ring| {
            let known = before.as_ref().map_or(&held, |before| before);
            let known = known.keys.united_with(&held.keys, revoked, now, &*self.random).map_err(internal)?;
            let united = known.united_with(ring, revoked, now, &*self.random).map_err(internal)?;
            Ok((!united.same_as(ring)).then_some(united))
        });
        united.await.map_err(Into::into)
    }

    async fn take_over(&self) -> Result<(), BoxError> {
        self.write(Loss::Known, |_| Ok(None)).await.map_err(Into::into)
    }

    async fn keep_up(&self) -> Result<(), BoxError> {
        self.change(|_| Ok(None)).await.map_err(Into::into)
    }
}

impl Ring {
    fn new(keys: KeyRing, document: Vec<u8>) -> Self {
        let jwks = Arc::from(keys.jwks());
        Self { keys, document, jwks }
    }
}

fn contended() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "put_record", "the key ring was changed by others every time")
}

pub(super) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(error.into())
}
