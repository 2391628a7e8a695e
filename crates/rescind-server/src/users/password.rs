//! Passwords: Argon2id off the async threads, few at once so that memory stays bounded, and as slow for a name that
//! does not exist as for one that does. OWASP Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, TryAcquireError};
use zeroize::Zeroizing;

use super::UserError;

/// Hashes at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// Hashes that wait for their turn; further ones are told to come again.
const WAITING: usize = 64;
/// What a name that does not exist is compared with. Nobody has the password: the digest is not one of Argon2.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and compares passwords. Clones share the bound.
#[derive(Clone)]
pub(super) struct Passwords {
    turn: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)) }
    }

    /// The PHC string of a password under a new salt.
    ///
    /// # Errors
    /// [`UserError::Busy`].
    pub(super) async fn hash(&self, password: Zeroizing<String>) -> Result<String, UserError> {
        let hash = self.run(move || argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string())).await?;
        hash.map_err(|_| UserError::Invalid("the password cannot be hashed"))
    }

    /// Whether `hash` is of this password. `None` takes as long and is always false.
    ///
    /// # Errors
    /// [`UserError::Busy`].
    pub(super) async fn verify(&self, password: Zeroizing<String>, hash: Option<String>) -> Result<bool, UserError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let matches = self.run(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(matches.await? && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, UserError> {
        let place = match Arc::clone(&self.queue).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => return Err(UserError::Busy),
        };
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| UserError::Busy)?;
        // Both go with the work: it runs to its end when the request that asked for it is gone.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, turn));
            done
        });
        done.await.map_err(|_| UserError::Busy)
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or(Params::DEFAULT))
}
