//! A key that verifies, parsed once and bound to one algorithm by its type. A public key can never serve as an HMAC
//! secret: the two are different variants with different constructors. Owns the use of the verifying primitives.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{hmac, signature};

use super::rsa::RsaPublic;
use super::{Algorithm, KID_MAX, KeyError};
use crate::access_token::header_segment;
use crate::id::KeyId;

/// A key that verifies signatures of one algorithm.
pub struct VerifyingKey {
    id: KeyId,
    algorithm: Algorithm,
    check: Check,
    /// The header that we issue under this key, in base64url: a token with exactly these bytes needs no JSON reading.
    header: Box<str>,
}

enum Check {
    Public { key: ParsedPublicKey, public: Public },
    Secret(Box<hmac::Key>),
}

/// The numbers that a JWK shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Public {
    /// RFC 8037 §2: the 32 bytes of RFC 8032.
    Ed25519([u8; 32]),
    /// The uncompressed point: 4, x, y.
    P256([u8; 65]),
    /// Modulus and exponent.
    Rsa(RsaPublic),
}

impl VerifyingKey {
    /// Takes a public key for an asymmetric algorithm.
    pub(super) fn public(id: KeyId, algorithm: Algorithm, public: Public) -> Result<Self, KeyError> {
        let malformed = KeyError::Malformed(algorithm);
        let key = match (algorithm, &public) {
            (Algorithm::EdDSA, Public::Ed25519(bytes)) => ParsedPublicKey::new(&ED25519, bytes),
            (Algorithm::Es256, Public::P256(point)) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
            (Algorithm::Rs256, Public::Rsa(rsa)) => parse_rsa(rsa, &RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::Ps256, Public::Rsa(rsa)) => parse_rsa(rsa, &RSA_PSS_2048_8192_SHA256),
            _ => return Err(malformed),
        }
        .map_err(|_| malformed)?;
        Self::new(id, algorithm, Check::Public { key, public })
    }

    /// Takes a secret for HS256. `secret` has passed the checks of [`SigningKey`](super::SigningKey).
    pub(super) fn secret(id: KeyId, secret: Box<hmac::Key>) -> Result<Self, KeyError> {
        Self::new(id, Algorithm::Hs256, Check::Secret(secret))
    }

    fn new(id: KeyId, algorithm: Algorithm, check: Check) -> Result<Self, KeyError> {
        if id.as_str().len() > KID_MAX {
            return Err(KeyError::Kid);
        }
        let header = header_segment(algorithm, &id).into_boxed_str();
        Ok(Self { id, algorithm, check, header })
    }

    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The one algorithm that it verifies.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's for `message`.
    ///
    /// **Cost:** the bare primitive; HS256 compares in constant time.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::Public { key, .. } => key.verify_sig(message, signature).is_ok(),
            Check::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    /// The header segment that we issue under this key.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// The numbers that may be published; `None` for HS256.
    pub(super) const fn public_part(&self) -> Option<&Public> {
        match &self.check {
            Check::Public { public, .. } => Some(public),
            Check::Secret(_) => None,
        }
    }
}

fn parse_rsa(
    rsa: &RsaPublic,
    parameters: &'static signature::RsaParameters,
) -> Result<ParsedPublicKey, aws_lc_rs::error::KeyRejected> {
    RsaPublicKeyComponents { n: &*rsa.n, e: &*rsa.e }.to_parsed_public_key(parameters)
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
