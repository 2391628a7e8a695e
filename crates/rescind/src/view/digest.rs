//! The 128-bit keys under which the view keeps scopes. Owns how a name becomes a key; keeps no state but its seed.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::layers::Key;
use crate::id::{ClientId, Subject};
use crate::log::{SessionRef, TokenRef};

/// Makes keys. Our own ids are their own 128 bits, so nothing else can have their key. Names are digested under a
/// random key of this process: nobody outside can look for two names with one digest, and by chance two of ten
/// million share one with a probability below 2^-80.
#[derive(Debug)]
pub(super) struct Digests {
    seed: [u64; 2],
}

impl Digests {
    pub(super) const fn new(seed: [u64; 2]) -> Self {
        Self { seed }
    }

    pub(super) fn token(&self, token: &TokenRef) -> Key {
        match token {
            TokenRef::Own(jti) => Key::from_bytes(*jti.as_bytes()),
            TokenRef::Foreign(name) => self.digest(name.as_str()),
        }
    }

    pub(super) fn session(&self, session: &SessionRef) -> Key {
        match session {
            SessionRef::Own(sid) => Key::from_bytes(*sid.as_bytes()),
            SessionRef::Foreign(name) => self.digest(name.as_str()),
        }
    }

    pub(super) fn subject(&self, subject: &Subject) -> Key {
        self.digest(subject.as_str())
    }

    pub(super) fn client(&self, client: &ClientId) -> Key {
        self.digest(client.as_str())
    }

    fn digest(&self, name: &str) -> Key {
        let [a, b] = self.seed;
        let mut hasher = SipHasher13::new_with_keys(a, b);
        hasher.write(name.as_bytes());
        let digest = hasher.finish128();
        Key([digest.h1, digest.h2])
    }
}
