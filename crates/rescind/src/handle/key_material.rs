//! Where the handle's keys come from: the ring of a node that issues, or what an issuer publishes, for a node that only
//! checks. Owns that split; each side is a file of its own.

use std::sync::Arc;

use arc_swap::Guard;

use super::error::{BuildError, Error};
use super::published::{FetchKeys, Kid, Published, PublishedKeys, Renewal};
use super::ring::{KeptRing, Ring};
use super::{Inner, Rescind};
use crate::access_token::KeySource;
use crate::keys::{RootSecret, VerifyingKey};
use crate::random::Random;
use crate::refresh_token::RefreshTokens;
use crate::rejection::Rejection;
use crate::store::{StoreError, StoreErrorKind};
use crate::time::Clock;
use crate::view::Renew;

/// What a handle signs and verifies with.
pub(super) enum KeyMaterial {
    /// Everything that issuing takes.
    Own { ring: Arc<KeptRing>, refresh_tokens: Box<RefreshTokens> },
    /// Only what others may know. The secret is of this process alone and opens nothing of the issuer's.
    Published { keys: Arc<PublishedKeys>, secret: RootSecret },
}

/// The verifying keys of one moment.
pub(super) enum Held {
    Own(Guard<Arc<Ring>>),
    Published(Guard<Arc<Published>>),
}

impl KeyMaterial {
    /// Fetches the keys that an issuer publishes.
    pub(super) async fn published(
        source: Box<dyn FetchKeys>,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, BuildError> {
        let keys = Arc::new(PublishedKeys::load(source, clock).await?);
        let mut secret = [0; 32];
        random.fill(&mut secret)?;
        Ok(Self::Published { keys, secret: RootSecret::from_bytes(secret) })
    }

    /// The verifying keys as they are now.
    pub(super) fn held(&self) -> Held {
        match self {
            Self::Own { ring, .. } => Held::Own(ring.load()),
            Self::Published { keys, .. } => Held::Published(keys.held()),
        }
    }

    /// How the keys are renewed after the store lost its history.
    pub(super) fn renewal(&self) -> Arc<dyn Renew> {
        match self {
            Self::Own { ring, .. } => Arc::clone(ring) as _,
            Self::Published { keys, .. } => Arc::new(Renewal(Arc::clone(keys))),
        }
    }

    /// A word on how they are.
    pub(super) fn describe(&self) -> String {
        match self.held() {
            Held::Own(ring) => format!("current {}", ring.keys.current().id()),
            Held::Published(keys) => format!("{} published", keys.len()),
        }
    }

    /// The secret from which a server derives the keys of its cookies.
    pub(super) fn root(&self) -> &RootSecret {
        match self {
            Self::Own { ring, .. } => ring.root(),
            Self::Published { secret, .. } => secret,
        }
    }
}

impl KeySource for Held {
    fn by_header(&self, segment: &str) -> Option<&VerifyingKey> {
        match self {
            Self::Own(ring) => ring.keys.by_header(segment),
            Self::Published(keys) => keys.by_header(segment),
        }
    }

    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection> {
        match self {
            Self::Own(ring) => ring.keys.by_kid(kid),
            Self::Published(keys) => keys.by_kid(kid),
        }
    }
}

impl Rescind {
    /// Whether this handle only checks: it was built with [`published_keys`](super::Builder::published_keys), opens,
    /// refreshes and revokes nothing, and follows the log of another.
    pub fn only_checks(&self) -> bool {
        matches!(self.0.keys, KeyMaterial::Published { .. })
    }
}

impl Inner {
    /// The ring of signing keys.
    pub(super) fn ring(&self) -> Result<&KeptRing, Error> {
        match &self.keys {
            KeyMaterial::Own { ring, .. } => Ok(ring),
            KeyMaterial::Published { .. } => Err(signs_nothing("keys")),
        }
    }

    /// What mints and reads refresh tokens.
    pub(super) fn refresh_tokens(&self) -> Result<&RefreshTokens, Error> {
        match &self.keys {
            KeyMaterial::Own { refresh_tokens, .. } => Ok(refresh_tokens),
            KeyMaterial::Published { .. } => Err(signs_nothing("refresh")),
        }
    }

    /// Fetches published keys, because a token names one that is not held.
    pub(super) async fn fetch_keys(&self, keys: &Arc<PublishedKeys>, kid: Kid) -> Result<(), Error> {
        let bound = self.settings.staleness_bound;
        let newer = async {
            match kid {
                // Half of the bound is left for the answer.
                Kid::LikeOurs => keys.from_now(bound / 2).await,
                Kid::Otherwise => keys.newer().await,
            }
        };
        let looked = tokio::time::timeout(bound, newer).await;
        match looked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::new(StoreErrorKind::Unavailable, "keys", error).into()),
            Err(late) => Err(StoreError::new(StoreErrorKind::Unavailable, "keys", late).into()),
        }
    }
}

/// Says nothing about any token: another node can do what was asked.
fn signs_nothing(op: &'static str) -> Error {
    let problem = "this node follows another and has no secret; open, refresh and revoke at the issuer's own nodes";
    StoreError::new(StoreErrorKind::Unavailable, op, problem).into()
}
