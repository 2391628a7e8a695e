//! Passwords: Argon2id off the async threads, few at once so that memory stays bounded, and as slow for a name that
//! does not exist as for one that does. OWASP Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1.

use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use rescind::random::{Random, SystemRandom};
use tokio::sync::{Semaphore, TryAcquireError};
use zeroize::Zeroizing;

use super::UserError;

/// Hashes at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// A hash's memory is asked for in one piece of at least so many blocks of 1 KiB, of which it touches what it needs.
/// Above 32 MiB glibc takes a piece from the kernel and gives it back at once; smaller ones stay with each thread that
/// ever hashed, which would make 60 MB of every such thread.
const ROOM: usize = 33 * 1024;
/// **Units:** bytes.
const SALT: usize = 16;
/// **Units:** bytes.
const DIGEST: usize = 32;
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
        let mut salt = [0; SALT];
        SystemRandom.fill(&mut salt).map_err(|_| UserError::Busy)?;
        let hash = self.run(move || phc(password.as_bytes(), &salt)).await?;
        hash.ok_or(UserError::Invalid("the password cannot be hashed"))
    }

    /// Whether `hash` is of this password. `None` takes as long and is always false.
    ///
    /// # Errors
    /// [`UserError::Busy`].
    pub(super) async fn verify(&self, password: Zeroizing<String>, hash: Option<String>) -> Result<bool, UserError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let matches = self.run(move || is_of(password.as_bytes(), &hash));
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

fn phc(password: &[u8], salt: &[u8]) -> Option<String> {
    let params = Params::new(19 * 1024, 2, 1, Some(DIGEST)).ok()?;
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(digest(password, salt, params, DIGEST)?),
    };
    Some(hash.to_string())
}

fn is_of(password: &[u8], hash: &str) -> bool {
    let compared = PasswordHash::new(hash).ok().filter(|hash| hash.algorithm == ARGON2ID_IDENT).and_then(|hash| {
        let (salt, expected) = (hash.salt?, hash.hash?);
        let params = Params::try_from(&hash).ok()?;
        // `Output` compares in constant time.
        Some(digest(password, &salt, params, expected.len())? == expected)
    });
    compared == Some(true)
}

fn digest(password: &[u8], salt: &[u8], params: Params, length: usize) -> Option<Output> {
    let needed = params.block_count();
    let mut memory: Vec<Block> = Vec::with_capacity(needed.max(ROOM));
    memory.resize(needed, Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = vec![0; length];
    argon2.hash_password_into_with_memory(password, salt, &mut out, &mut memory).ok()?;
    Output::new(&out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_and_nobody_has_one() {
        let hash = phc(b"correct horse", &[7; SALT]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_of(b"correct horse", &hash) && !is_of(b"wrong", &hash));
        assert!(PasswordHash::new(NOBODY).is_ok(), "it costs what any other costs");
        assert!(!is_of(b"", NOBODY) && !is_of(b"x", "no hash"));
        assert!(!is_of(b"correct horse", &hash.replace("argon2id", "argon2d")));
    }
}
