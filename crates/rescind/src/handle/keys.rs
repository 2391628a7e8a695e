//! The signing keys, as an operator sees and moves them. How the ring is kept stands in `ring`.

use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, NotFound};
use super::key_material::Held;
use super::ring::internal;
use super::{Inner, Rescind};
use crate::id::KeyId;
use crate::keys::{Algorithm, KeyRing, KeyState, RingKey};
use crate::log::{Entry, Scope, Text};
use crate::time::Timestamp;

/// Nothing is signed by a ring that was read longer ago: a little more than the longest rhythm in which it is read.
const KNOWN_FOR: Duration = Duration::from_secs(6);

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
    /// The signing keys, newest last; none where the handle only checks.
    pub fn keys(&self) -> Vec<KeyStatus> {
        let Ok(ring) = self.0.ring() else { return Vec::new() };
        let ring = ring.load();
        let status =
            |key: &RingKey| KeyStatus { kid: key.id().clone(), algorithm: key.algorithm(), state: key.state() };
        ring.keys.keys().iter().map(status).collect()
    }

    /// The public keys as a JWK Set (RFC 7517 §5): next, current and retired ones, no symmetric and no revoked ones.
    pub fn jwks(&self) -> Arc<str> {
        match self.0.keys.held() {
            Held::Own(ring) => Arc::clone(&ring.jwks),
            Held::Published(keys) => Arc::clone(&keys.text),
        }
    }

    /// Makes the next key the current one and a new one next. Tokens of the key before stay valid until they expire.
    /// Calls at the same time, on whichever nodes, make one key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
    /// let before = rescind.check(&pair.access_token).await?.key_id().clone();
    /// let current = rescind.rotate_keys().await?;
    /// assert_ne!(current, before);
    /// assert!(rescind.check(&pair.access_token).await.is_ok());
    /// assert!(rescind.jwks().contains(before.as_str()), "other services verify the old token still");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`] where the ring could not be written; nothing has changed then.
    pub async fn rotate_keys(&self) -> Result<KeyId, Error> {
        self.to_the_end(|inner| async move {
            let kept = inner.ring()?;
            // From the current key as it is now, and only from that one: whoever loses a race has got what it asked for.
            let from = kept.current_in_store().await?;
            let now = inner.ring_time();
            let rotate = |ring: &KeyRing| {
                let current = ring.current();
                if *current.id() != from {
                    return Ok(None);
                }
                ring.rotate(current.algorithm(), now, &*inner.random).map(Some).map_err(internal)
            };
            kept.change(rotate).await?;
            Ok(kept.load().keys.current().id().clone())
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
    /// Takes keys out of the ring for good, all or none; where one was current, its successor is at once.
    pub(super) async fn drop_keys(&self, kids: &[KeyId]) -> Result<(), Error> {
        let now = self.ring_time();
        let drop = |ring: &KeyRing| {
            if let Some(unknown) = kids.iter().find(|kid| ring.find(kid.as_str()).is_none()) {
                return Err(NotFound::Key(unknown.clone()).into());
            }
            let without = |ring: KeyRing, kid| ring.revoke(kid, now, &*self.random);
            kids.iter().try_fold(ring.clone(), without).map(Some).map_err(internal)
        };
        self.ring()?.change(drop).await
    }

    /// Makes sure that the ring is known as it stood a moment ago: a node that was away would sign by a key that the others
    /// let go before its tokens expire.
    ///
    /// **Cost:** none while this node reads the ring in its rhythm; else one read, however many ask.
    pub(super) async fn know_ring(&self) -> Result<(), Error> {
        let Ok(ring) = self.ring() else { return Ok(()) };
        let is_known = || ring.is_known_of(self.clock.boot().minus(KNOWN_FOR));
        if !self.store.is_shared() || is_known() {
            return Ok(());
        }
        let _reading = ring.reading.lock().await;
        if is_known() { Ok(()) } else { self.read_ring().await }
    }

    /// Takes over what another node has changed in the ring.
    pub(super) async fn read_ring(&self) -> Result<(), Error> {
        self.ring()?.change(|_| Ok(None)).await
    }

    /// The time by which keys retire and are let go: the store's, so that a node whose own clock is behind retires none for
    /// another one to let go too early.
    fn ring_time(&self) -> Timestamp {
        self.registry.times.now(self.clock.boot())
    }

    /// Lets retired keys go whose last token has expired.
    pub(super) async fn tend_ring(&self) -> Result<(), Error> {
        let now = self.ring_time();
        let tend = |ring: &KeyRing| {
            // A node that has not heard of the rotation signs with it for as long as that.
            let tended = ring.expire(now, self.lifetimes.kept.access().saturating_add(KNOWN_FOR));
            Ok((tended.keys().len() != ring.keys().len()).then_some(tended))
        };
        self.ring()?.change(tend).await
    }
}
