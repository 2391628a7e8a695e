//! The ring as a document for the store: JSON whose private parts are sealed under the root secret. Owns the
//! document's shape; a store's reader learns ids and states, never a key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::ring::{KeyRing, KeyState, RingKey};
use super::sealed::{open, seal};
use super::{Algorithm, KeyError, RootSecret, SigningKey};
use crate::id::KeyId;
use crate::random::Random;
use crate::time::Timestamp;

const VERSION: u32 = 1;

/// A ring document that cannot be read. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RingDocumentError {
    /// No ring document.
    #[error("the store's record `keys` is no key ring; restore the store from a backup")]
    Shape,
    /// Written by a newer version.
    #[error("the store's key ring has version {0}, this program reads version {VERSION}; use a newer program")]
    Newer(u32),
    /// Sealed under another root secret.
    #[error(
        "the store's key ring was sealed under another root secret (fingerprint {theirs}, ours is {ours}); start with \
         the root secret that belongs to this store"
    )]
    WrongRootSecret {
        /// The fingerprint of the secret that sealed it.
        theirs: String,
        /// The fingerprint of the secret at hand.
        ours: String,
    },
    /// The root secret is right, but a key was changed.
    #[error("key {0} of the store's key ring does not open: the record was altered; restore the store from a backup")]
    Altered(usize),
    /// The keys do not make a ring.
    #[error("the store's key ring is incomplete: {0}")]
    Ring(KeyError),
}

#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    root: String,
    algorithms: Vec<String>,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    kid: KeyId,
    alg: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Next,
    Current,
    RetiredAt(Timestamp),
    RevokedAt(Timestamp),
}

impl KeyRing {
    /// Writes the ring down for a store, private parts sealed.
    ///
    /// **Shape:** JSON; each private part under AES-256-GCM with the key's id and algorithm as context.
    ///
    /// # Errors
    /// [`KeyError`] where sealing fails.
    pub fn to_document(&self, root: &RootSecret, random: &dyn Random) -> Result<Vec<u8>, KeyError> {
        let sealing = root.sealing_key();
        let keys = self.keys().iter().map(|key| {
            let sealed = match key.signing() {
                None => None,
                Some(signing) => {
                    let context = context(key.algorithm(), key.id());
                    let sealed = seal(&sealing, &context, &signing.export_secret()?, random)?;
                    Some(URL_SAFE_NO_PAD.encode(sealed))
                }
            };
            let state = match key.state() {
                KeyState::Next => State::Next,
                KeyState::Current => State::Current,
                KeyState::Retired { at } => State::RetiredAt(at),
                KeyState::Revoked { at } => State::RevokedAt(at),
            };
            Ok(Key { kid: key.id().clone(), alg: key.algorithm().name().to_owned(), state, sealed })
        });
        let document = Document {
            version: VERSION,
            root: root.fingerprint(),
            algorithms: self.algorithms().iter().map(|algorithm| algorithm.name().to_owned()).collect(),
            keys: keys.collect::<Result<_, KeyError>>()?,
        };
        serde_json::to_vec(&document).map_err(|_| KeyError::Crypto)
    }

    /// Reads a ring that [`to_document`](Self::to_document) wrote.
    ///
    /// # Errors
    /// [`RingDocumentError`]; another root secret is told from an altered document.
    pub fn from_document(document: &[u8], root: &RootSecret) -> Result<Self, RingDocumentError> {
        let shape = |_| RingDocumentError::Shape;
        let Versioned { version } = serde_json::from_slice(document).map_err(shape)?;
        if version > VERSION {
            return Err(RingDocumentError::Newer(version));
        }
        let document: Document = serde_json::from_slice(document).map_err(shape)?;
        let ours = root.fingerprint();
        if document.root != ours {
            return Err(RingDocumentError::WrongRootSecret { theirs: document.root, ours });
        }
        let algorithm = |name: &str| Algorithm::from_name(name).ok_or(RingDocumentError::Shape);
        let algorithms = document.algorithms.iter().map(|name| algorithm(name)).collect::<Result<_, _>>()?;
        let sealing = root.sealing_key();
        let mut keys = Vec::with_capacity(document.keys.len());
        for (index, key) in document.keys.into_iter().enumerate() {
            let algorithm = algorithm(&key.alg)?;
            let state = match key.state {
                State::Next => KeyState::Next,
                State::Current => KeyState::Current,
                State::RetiredAt(at) => KeyState::Retired { at },
                State::RevokedAt(at) => {
                    keys.push(RingKey::revoked(key.kid, algorithm, at));
                    continue;
                }
            };
            let private = key
                .sealed
                .and_then(|sealed| URL_SAFE_NO_PAD.decode(sealed).ok())
                .and_then(|sealed| open(&sealing, &context(algorithm, &key.kid), &sealed))
                .ok_or(RingDocumentError::Altered(index))?;
            let signing = SigningKey::import(algorithm, key.kid, &private).map_err(RingDocumentError::Ring)?;
            keys.push(RingKey::new(signing, state).map_err(RingDocumentError::Ring)?);
        }
        Self::build(algorithms, keys).map_err(RingDocumentError::Ring)
    }
}

/// An algorithm's name has no NUL, so the context reads one way only.
fn context(algorithm: Algorithm, kid: &KeyId) -> Vec<u8> {
    [b"rescind ring v1\0", algorithm.name().as_bytes(), b"\0", kid.as_str().as_bytes()].concat()
}
