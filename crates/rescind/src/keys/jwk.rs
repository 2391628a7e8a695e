//! JSON Web Keys: our public keys out, a foreign issuer's set in (RFC 7517, RFC 7518 §6, RFC 8037). Strict on what
//! could verify; what another algorithm or use needs is passed over (RFC 7517 §5). Fetches nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::rsa::RsaPublic;
use super::verifying::Public;
use super::{Algorithm, KeyError, VerifyingKey};
use crate::access_token::without_duplicates;
use crate::id::KeyId;

/// A foreign issuer's public keys.
#[derive(Debug)]
pub struct JwkSet {
    pub(crate) keys: Vec<VerifyingKey>,
}

/// A JWK Set that is not taken. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    /// Not `{"keys": [...]}` with members of the right types, or a member named twice.
    #[error("not a JWK Set: an object with an array `keys`, no member twice; fetch the issuer's jwks_uri again")]
    Shape,
    /// A key has a private or symmetric part, which no public set has.
    #[error("key {0} of the set has a secret part; a public set has none, so do not trust this one")]
    Secret(usize),
    /// A key without `kid`.
    #[error("key {0} of the set has no usable `kid`; name it (1 to 128 bytes)")]
    Kid(usize),
    /// Two keys have the same `kid`.
    #[error("key {0} of the set has the `kid` of an earlier key; which of the two signs cannot be told")]
    DuplicateKid(usize),
    /// An RSA key without `alg`, where both RSA algorithms are allowed.
    #[error("key {0} of the set is RSA without `alg`; allow only one of RS256 and PS256 for this issuer")]
    Ambiguous(usize),
    /// A key that is malformed or weak.
    #[error("key {0} of the set: {1}")]
    Key(usize, KeyError),
    /// No key is left that an allowed algorithm can use.
    #[error("the set has no key for an allowed algorithm; allow the issuer's algorithm or fetch its set again")]
    Empty,
}

#[derive(Deserialize)]
pub(super) struct RawSet {
    pub(super) keys: Vec<RawJwk>,
}

#[derive(Deserialize)]
pub(super) struct RawJwk {
    kty: String,
    pub(super) kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    p: Option<serde::de::IgnoredAny>,
    q: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl JwkSet {
    /// Reads a set, keeping the keys that one of `allowed` can use.
    ///
    /// # Errors
    /// [`JwkSetError`], with the index of the key where one is at fault.
    pub fn parse(text: &str, allowed: &[Algorithm]) -> Result<Self, JwkSetError> {
        let set = RawSet::read(text)?;
        let mut keys: Vec<VerifyingKey> = Vec::with_capacity(set.keys.len());
        let mut kids = std::collections::BTreeSet::new();
        for (index, jwk) in set.keys.iter().enumerate() {
            if jwk.has_secret_part() {
                return Err(JwkSetError::Secret(index));
            }
            if jwk.kid.as_ref().is_some_and(|kid| !kids.insert(kid.as_str())) {
                return Err(JwkSetError::DuplicateKid(index));
            }
            let Some(algorithm) = jwk.algorithm(allowed).ok_or(JwkSetError::Ambiguous(index))? else {
                continue;
            };
            let kid = jwk.kid.as_deref().ok_or(JwkSetError::Kid(index))?;
            let id = KeyId::new(kid).map_err(|_| JwkSetError::Kid(index))?;
            keys.push(jwk.key(id, algorithm).map_err(|error| JwkSetError::Key(index, error))?);
        }
        if keys.is_empty() { Err(JwkSetError::Empty) } else { Ok(Self { keys }) }
    }
}

impl RawSet {
    /// Reads the shape of a set, keys of any kind.
    pub(super) fn read(text: &str) -> Result<Self, JwkSetError> {
        without_duplicates(text).map_err(|_| JwkSetError::Shape)?;
        serde_json::from_str(text).map_err(|_| JwkSetError::Shape)
    }
}

impl RawJwk {
    pub(super) fn has_secret_part(&self) -> bool {
        self.kty == "oct" || self.d.is_some() || self.p.is_some() || self.q.is_some() || self.k.is_some()
    }

    /// The allowed algorithm that the key serves: `Some(None)` where none, `None` where it cannot be told.
    #[expect(clippy::option_option, reason = "absent and ambiguous are different answers")]
    fn algorithm(&self, allowed: &[Algorithm]) -> Option<Option<Algorithm>> {
        let mut candidates = allowed.iter().copied().filter(|algorithm| self.serves(*algorithm));
        let first = candidates.next();
        if candidates.any(|other| Some(other) != first) { None } else { Some(first) }
    }

    /// Whether the key can verify this algorithm, by its type and by what it says of itself.
    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let fits = match algorithm {
            Algorithm::EdDSA => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
            Algorithm::Es256 => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            Algorithm::Rs256 | Algorithm::Ps256 => self.kty == "RSA",
            Algorithm::Hs256 => false,
        };
        signs && fits && self.alg.as_deref().is_none_or(|name| name == algorithm.name())
    }

    pub(super) fn key(&self, id: KeyId, algorithm: Algorithm) -> Result<VerifyingKey, KeyError> {
        let malformed = KeyError::Malformed(algorithm);
        let part =
            |text: &Option<String>| text.as_deref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(malformed);
        let public = match algorithm {
            Algorithm::EdDSA => Public::Ed25519(part(&self.x)?.try_into().map_err(|_| malformed)?),
            Algorithm::Es256 => {
                let (x, y) = (part(&self.x)?, part(&self.y)?);
                // RFC 7518 §6.2.1.2: the full size of a coordinate, here 32 bytes.
                if x.len() != 32 || y.len() != 32 {
                    return Err(malformed);
                }
                let point = [&[4][..], &x, &y].concat();
                Public::P256(point.try_into().map_err(|_| malformed)?)
            }
            Algorithm::Rs256 | Algorithm::Ps256 => Public::Rsa(RsaPublic::new(&part(&self.n)?, &part(&self.e)?)?),
            Algorithm::Hs256 => return Err(malformed),
        };
        VerifyingKey::public(id, algorithm, public)
    }
}

/// One of our public keys as JWK. Members in a fixed order, so that a set is the same text on every node.
#[derive(Serialize)]
pub(super) struct PublicJwk<'a> {
    kty: &'static str,
    kid: &'a str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl<'a> PublicJwk<'a> {
    /// Shows a key; `None` for HS256, which is never shown.
    pub(super) fn of(key: &'a VerifyingKey) -> Option<Self> {
        let text = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = Self {
            kty: "RSA",
            kid: key.id().as_str(),
            usage: "sig",
            alg: key.algorithm().name(),
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
        };
        match key.public_part()? {
            Public::Ed25519(bytes) => (jwk.kty, jwk.crv, jwk.x) = ("OKP", Some("Ed25519"), text(bytes)),
            Public::P256(point) => {
                let (x, y) = point.get(1..)?.split_at_checked(32)?;
                (jwk.kty, jwk.crv, jwk.x, jwk.y) = ("EC", Some("P-256"), text(x), text(y));
            }
            Public::Rsa(rsa) => (jwk.n, jwk.e) = (text(&rsa.n), text(&rsa.e)),
        }
        Some(jwk)
    }
}
