//! The ring of signing keys: `next → current → retired → gone`, or `revoked`. Owns every move as a function from one
//! ring to the next, with the time passed in; keeps nothing and stores nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::jwk::PublicJwk;
use super::{Algorithm, KID_MAX, KeyError, SigningKey, VerifyingKey};
use crate::access_token::KeySource;
use crate::id::KeyId;
use crate::random::Random;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, signs nothing yet: verifiers that read the JWKS seldom know it when it becomes current.
    Next,
    /// Signs.
    Current,
    /// Signs no more; verifies until the last token that it signed has expired.
    Retired {
        /// When it signed last, at the latest.
        at: Timestamp,
    },
    /// Verifies nothing. Its private part is gone.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// A key in the ring.
#[derive(Debug, Clone)]
pub struct RingKey {
    id: KeyId,
    algorithm: Algorithm,
    state: KeyState,
    /// `None` once revoked.
    pair: Option<Arc<Pair>>,
}

#[derive(Debug)]
struct Pair {
    signing: SigningKey,
    verifying: VerifyingKey,
}

impl RingKey {
    pub(super) fn new(signing: SigningKey, state: KeyState) -> Result<Self, KeyError> {
        let verifying = signing.verifying_key()?;
        let (id, algorithm) = (signing.id().clone(), signing.algorithm());
        Ok(Self { id, algorithm, state, pair: Some(Arc::new(Pair { signing, verifying })) })
    }

    pub(super) const fn revoked(id: KeyId, algorithm: Algorithm, at: Timestamp) -> Self {
        Self { id, algorithm, state: KeyState::Revoked { at }, pair: None }
    }

    pub(super) fn fresh(algorithm: Algorithm, state: KeyState, random: &dyn Random) -> Result<Self, KeyError> {
        let mut bytes = [0; 8];
        random.fill(&mut bytes)?;
        // Digits only: an id that began with `-` would be read as a flag on the command line.
        let id = KeyId::new(format!("{:016x}", u64::from_be_bytes(bytes)))?;
        Self::new(SigningKey::generate(algorithm, id, random)?, state)
    }

    pub(super) fn moved(&self, state: KeyState) -> Self {
        let pair = if matches!(state, KeyState::Revoked { .. }) { None } else { self.pair.clone() };
        Self { state, pair, ..self.clone() }
    }

    fn is(&self, algorithm: Algorithm, state: KeyState) -> bool {
        self.algorithm == algorithm && self.state == state
    }

    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Where it stands in its life.
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// The key that verifies; `None` once revoked.
    pub fn verifying(&self) -> Option<&VerifyingKey> {
        self.pair.as_ref().map(|pair| &pair.verifying)
    }

    pub(super) fn signing(&self) -> Option<&SigningKey> {
        self.pair.as_ref().map(|pair| &pair.signing)
    }
}

/// The signing keys of this issuer: per configured algorithm one current and one next, and those that once were.
///
/// A value: every move returns a new ring, and the old one stays as it was. Clones share the keys.
#[derive(Debug, Clone)]
pub struct KeyRing {
    algorithms: Vec<Algorithm>,
    keys: Vec<RingKey>,
    by_kid: BTreeMap<Box<str>, usize>,
    current: Arc<Pair>,
}

impl KeyRing {
    /// Makes a ring with a current and a next key for each algorithm. New tokens are signed with the first.
    ///
    /// **Cost:** see [`SigningKey::generate`]; RSA takes a good part of a second.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::NoAlgorithm`] where none is named.
    pub fn new(algorithms: &[Algorithm], random: &dyn Random) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for algorithm in distinct(algorithms) {
            keys.push(RingKey::fresh(algorithm, KeyState::Current, random)?);
            keys.push(RingKey::fresh(algorithm, KeyState::Next, random)?);
        }
        Self::build(distinct(algorithms), keys)
    }

    /// Puts a ring together where each algorithm has exactly one current and one next key, and no id occurs twice.
    pub(super) fn build(algorithms: Vec<Algorithm>, keys: Vec<RingKey>) -> Result<Self, KeyError> {
        let default = *algorithms.first().ok_or(KeyError::NoAlgorithm)?;
        let count = |algorithm, state| keys.iter().filter(|key| key.is(algorithm, state)).count();
        for key in &keys {
            let signs = matches!(key.state, KeyState::Current | KeyState::Next);
            if signs && !algorithms.contains(&key.algorithm) {
                return Err(KeyError::NotConfigured(key.algorithm));
            }
        }
        for algorithm in algorithms.iter().copied() {
            if count(algorithm, KeyState::Current) != 1 || count(algorithm, KeyState::Next) != 1 {
                return Err(KeyError::NotConfigured(algorithm));
            }
        }
        let by_kid: BTreeMap<Box<str>, usize> =
            keys.iter().enumerate().map(|(at, key)| (Box::from(key.id.as_str()), at)).collect();
        if by_kid.len() != keys.len() {
            return Err(KeyError::Kid);
        }
        let current = keys.iter().find(|key| key.is(default, KeyState::Current)).and_then(|key| key.pair.clone());
        Ok(Self { algorithms, keys, by_kid, current: current.ok_or(KeyError::NotConfigured(default))? })
    }

    /// Moves an algorithm on: its next key signs, its current one retires, and a fresh one waits as next.
    ///
    /// # Errors
    /// [`KeyError::NotConfigured`], or where no key could be made.
    pub fn rotate(&self, algorithm: Algorithm, now: Timestamp, random: &dyn Random) -> Result<Self, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::NotConfigured(algorithm));
        }
        let mut keys: Vec<RingKey> = self.keys.iter().map(|key| key.turned(algorithm, now)).collect();
        keys.push(RingKey::fresh(algorithm, KeyState::Next, random)?);
        Self::build(self.algorithms.clone(), keys)
    }

    /// Takes a key out at once: it verifies nothing from now on and leaves the JWKS. If it was current, the next one
    /// signs; a fresh one takes the free place. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`KeyError::NoSuchKey`], or where no key could be made.
    pub fn revoke(&self, kid: &KeyId, now: Timestamp, random: &dyn Random) -> Result<Self, KeyError> {
        let gone = self.find(kid.as_str()).ok_or(KeyError::NoSuchKey)?;
        let algorithm = gone.algorithm;
        let mut ring = match gone.state {
            KeyState::Revoked { .. } => return Ok(self.clone()),
            KeyState::Current => self.rotate(algorithm, now, random)?,
            KeyState::Next | KeyState::Retired { .. } => self.clone(),
        };
        let mut keys = std::mem::take(&mut ring.keys);
        if gone.state == KeyState::Next {
            keys.push(RingKey::fresh(algorithm, KeyState::Next, random)?);
        }
        for key in keys.iter_mut().filter(|key| key.id == *kid) {
            *key = RingKey::revoked(key.id.clone(), key.algorithm, now);
        }
        Self::build(ring.algorithms, keys)
    }

    /// Forgets retired and revoked keys whose last token has expired.
    ///
    /// `keep` is the longest time from a token's issue to the last moment at which any node accepts it: maximum
    /// lifetime, leeway and skew.
    #[must_use]
    pub fn expire(&self, now: Timestamp, keep: Duration) -> Self {
        let stays = |key: &&RingKey| match key.state {
            KeyState::Retired { at } | KeyState::Revoked { at } => now < at.plus(keep),
            KeyState::Next | KeyState::Current => true,
        };
        let keys: Vec<RingKey> = self.keys.iter().filter(stays).cloned().collect();
        // Neither current nor next left, so the ring stays whole.
        Self::build(self.algorithms.clone(), keys).unwrap_or_else(|_| self.clone())
    }

    /// Fits the ring to a configuration: algorithms that are new get keys, those that are gone retire, the first signs.
    ///
    /// # Errors
    /// [`KeyError::NoAlgorithm`], or where no key could be made.
    pub fn with_algorithms(
        &self,
        algorithms: &[Algorithm],
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, KeyError> {
        let mut keys: Vec<RingKey> = Vec::new();
        for key in &self.keys {
            match key.state {
                KeyState::Current if !algorithms.contains(&key.algorithm) => {
                    keys.push(key.moved(KeyState::Retired { at: now }));
                }
                KeyState::Next if !algorithms.contains(&key.algorithm) => {}
                _ => keys.push(key.clone()),
            }
        }
        for algorithm in distinct(algorithms) {
            if !self.algorithms.contains(&algorithm) {
                keys.push(RingKey::fresh(algorithm, KeyState::Current, random)?);
                keys.push(RingKey::fresh(algorithm, KeyState::Next, random)?);
            }
        }
        Self::build(distinct(algorithms), keys)
    }

    /// The configured algorithms; the first signs.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The key that signs new tokens.
    pub fn current(&self) -> &SigningKey {
        &self.current.signing
    }

    /// The key that signs new tokens with this algorithm, where it is configured.
    pub fn current_for(&self, algorithm: Algorithm) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.is(algorithm, KeyState::Current)).and_then(RingKey::signing)
    }

    /// Finds a key by a `kid`, which may be hostile: it is only ever compared.
    pub fn find(&self, kid: &str) -> Option<&RingKey> {
        if kid.len() > KID_MAX {
            return None;
        }
        self.by_kid.get(kid).and_then(|at| self.keys.get(*at))
    }

    /// Whether a `kid` has the shape of those that rings make.
    pub(crate) fn is_kid_of_ours(kid: &str) -> bool {
        kid.len() == 16 && kid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// Every key, revoked ones included.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The JWK Set to publish: next, current and retired keys, nothing symmetric, nothing revoked.
    ///
    /// **Shape:** RFC 7517 §5, `{"keys":[…]}`.
    pub fn jwks(&self) -> String {
        let mut text = String::from("{\"keys\":[");
        let shown = self.keys.iter().filter_map(RingKey::verifying).filter_map(PublicJwk::of);
        for (at, jwk) in shown.filter_map(|jwk| serde_json::to_string(&jwk).ok()).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _never = write!(text, "{comma}{jwk}");
        }
        text.push_str("]}");
        text
    }
}

impl RingKey {
    fn turned(&self, algorithm: Algorithm, now: Timestamp) -> Self {
        match self.state {
            KeyState::Next if self.algorithm == algorithm => self.moved(KeyState::Current),
            KeyState::Current if self.algorithm == algorithm => self.moved(KeyState::Retired { at: now }),
            _ => self.clone(),
        }
    }
}

impl KeySource for KeyRing {
    fn by_header(&self, segment: &str) -> Option<&VerifyingKey> {
        self.keys.iter().filter_map(RingKey::verifying).find(|key| key.header() == segment)
    }

    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection> {
        self.find(kid).ok_or(Rejection::UnknownKey)?.verifying().ok_or(Rejection::KeyRevoked)
    }
}

fn distinct(algorithms: &[Algorithm]) -> Vec<Algorithm> {
    let mut distinct = Vec::with_capacity(algorithms.len());
    for algorithm in algorithms {
        if !distinct.contains(algorithm) {
            distinct.push(*algorithm);
        }
    }
    distinct
}
