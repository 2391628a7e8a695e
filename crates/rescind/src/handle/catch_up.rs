//! A token may be news: of a key that another node has made current, or of a lifetime that another node has registered,
//! since this node last looked. Owns that the store is asked before such a token is refused, and how seldom.
//!
//! A 401 never comes from a fault of ours: where the store cannot be asked, or cannot prove that it is the one that all
//! write to, nothing is said about the token. It stays cheap for whoever sends random keys' names: all who come at the
//! same time share one reading, one proof and one reading behind it, and between two readings of the ring of one's own
//! store lies [`COOL_DOWN`]; where the last one failed and is no older than that, its failure is the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Inner;
use super::check::Known;
use super::error::Error;
use super::key_material::KeyMaterial;
use super::presented::Presented;
use super::published::Kid;
use crate::access_token::Unverified;
use crate::keys::KeyRing;
use crate::rejection::Rejection;
use crate::store::{StoreError, StoreErrorKind};
use crate::time::BootTime;
use crate::view::Now;

/// Between two readings of the ring for tokens of unknown keys.
const COOL_DOWN: Duration = Duration::from_millis(100);

/// Readings of the ring for tokens of unknown keys.
#[derive(Debug, Default)]
pub(super) struct Looks {
    begun: AtomicU64,
    last: tokio::sync::Mutex<Look>,
}

/// The last reading that ended.
#[derive(Debug, Default)]
struct Look {
    number: u64,
    ended: Option<BootTime>,
    failed: Option<String>,
}

impl Inner {
    /// The verified token, after what this node might not have heard of yet was asked for; and the moment by which it is
    /// to be judged further.
    pub(super) async fn known_by_now(&self, token: &str) -> Result<(Arc<Known>, Now), Error> {
        // By the moment behind the wait: the store may have been waited for, while the token and the view grew older.
        let known_now = || {
            let now = Now::read(&*self.clock);
            self.known(token, now).map(|known| (known, now))
        };
        match known_now() {
            Err(rejection) if self.is_news(token, rejection) => {
                let look = async || {
                    self.catch_up(token, rejection).await?;
                    Ok(known_now()?)
                };
                self.proven(look, is_news_still).await
            }
            known => Ok(known?),
        }
    }

    /// The presented token, after what this node might not have heard of yet was asked for.
    pub(super) async fn presented_by_now(&self, token: &str) -> Result<Presented, Error> {
        match self.presented(token) {
            Err(Error::Rejected(rejection)) if self.is_news(token, rejection) => {
                let look = async || {
                    self.catch_up(token, rejection).await?;
                    self.presented(token)
                };
                self.proven(look, is_news_still).await
            }
            presented => presented,
        }
    }

    /// Whether another node's doing could be why the token does not pass.
    fn is_news(&self, token: &str, rejection: Rejection) -> bool {
        let is_published = matches!(self.keys, KeyMaterial::Published { .. });
        let could_be = match rejection {
            Rejection::UnknownKey => is_published || kid_of(token) == Kid::LikeOurs,
            // The signature is right, so one of us has issued it.
            Rejection::LifetimeTooLong => true,
            _ => false,
        };
        could_be && (is_published || self.store.is_shared())
    }

    async fn catch_up(&self, token: &str, rejection: Rejection) -> Result<(), Error> {
        match &self.keys {
            KeyMaterial::Published { .. } if rejection == Rejection::LifetimeTooLong => self.ask_lifetimes().await,
            KeyMaterial::Published { keys, .. } => self.fetch_keys(keys, kid_of(token)).await,
            KeyMaterial::Own { .. } if rejection == Rejection::LifetimeTooLong => {
                self.know_lifetimes_of(self.clock.boot()).await
            }
            KeyMaterial::Own { .. } => self.look_for_keys().await,
        }
    }

    /// An older copy of the store may bring a key back that was revoked since.
    async fn read_trusted_ring(&self) -> Result<(), Error> {
        self.trust_store().await?;
        self.read_ring().await
    }

    /// Reads the ring, at a moment after the call.
    async fn look_for_keys(&self) -> Result<(), Error> {
        let asked = self.looks.begun.load(Ordering::Acquire);
        let mut last = self.looks.last.lock().await;
        let since = last.ended.map(|ended| self.clock.boot().since(ended));
        let is_recent = since.is_some_and(|since| since < COOL_DOWN);
        if last.number <= asked && !(is_recent && last.failed.is_some()) {
            if is_recent {
                sleep(COOL_DOWN.saturating_sub(since.unwrap_or_default())).await;
            }
            last.number = self.looks.begun.fetch_add(1, Ordering::AcqRel) + 1;
            last.failed = match timeout(self.settings.staleness_bound, self.read_trusted_ring()).await {
                Ok(read) => read.err().map(|error| error.to_string()),
                Err(late) => Some(late.to_string()),
            };
            last.ended = Some(self.clock.boot());
        }
        match &last.failed {
            None => Ok(()),
            Some(why) => {
                let unknown = format!("the key ring cannot be read, so an unknown key may be one of ours: {why}");
                Err(StoreError::new(StoreErrorKind::Unavailable, "record", unknown).into())
            }
        }
    }
}

/// Whether the token is refused by what the store does not have.
const fn is_news_still<T>(known: &Result<T, Error>) -> bool {
    matches!(known, Err(Error::Rejected(Rejection::UnknownKey | Rejection::LifetimeTooLong)))
}

/// What the token names its key.
fn kid_of(token: &str) -> Kid {
    let kid = Unverified::parse(token).ok().and_then(|token| token.named_kid());
    if kid.is_some_and(|kid| KeyRing::is_kid_of_ours(&kid)) { Kid::LikeOurs } else { Kid::Otherwise }
}
