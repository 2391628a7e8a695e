//! Why key material is not taken. Owns the reasons; each names its remedy.

use super::{Algorithm, KID_MAX};
use crate::id::InvalidId;
use crate::random::RandomFailed;

/// Key material that is not taken, or a key that could not be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key id is no name, or longer than 128 bytes.
    #[error("the key id is empty, has control characters, or is longer than {KID_MAX} bytes; choose a shorter one")]
    Kid,
    /// The bytes are no key of this algorithm.
    #[error("the bytes are no valid {0} key; export the key again as PKCS#8 (HS256: the raw secret)")]
    Malformed(Algorithm),
    /// RFC 7518 §3.2: an HS256 secret has at least 32 bytes.
    #[error("the HS256 secret is shorter than 32 bytes; make one with a random generator, never from a password")]
    SecretTooShort,
    /// The HS256 secret is a public key in PEM, DER or JWK: anyone could sign.
    #[error("the HS256 secret is a key document (PEM, DER or JWK), which may be public; use 32 random bytes")]
    SecretIsKeyDocument,
    /// The RSA modulus is below 2048 or above 8192 bits.
    #[error("the RSA modulus is below 2048 or above 8192 bits; use 2048, 3072 or 4096")]
    RsaSize,
    /// The RSA exponent is even, 1, or above 33 bits.
    #[error("the RSA public exponent is even, 1 or too large; use 65537")]
    RsaExponent,
    /// The RSA modulus has the structure of CVE-2017-15361, from which the private key can be computed.
    #[error("the RSA key was made by a chip with the ROCA weakness (CVE-2017-15361); make a new key elsewhere")]
    RsaRoca,
    /// The ring has no key of this algorithm.
    #[error("the key ring has no {0} key that signs; configure the algorithm")]
    NotConfigured(Algorithm),
    /// The ring has no key of this id.
    #[error("the key ring has no such key; `rescind keys list` shows the ids")]
    NoSuchKey,
    /// No algorithm was configured.
    #[error("no signature algorithm is configured; name at least one of EdDSA, ES256, RS256, PS256, HS256")]
    NoAlgorithm,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed; nothing was made or signed")]
    Crypto,
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomFailed),
}

impl From<InvalidId> for KeyError {
    fn from(_: InvalidId) -> Self {
        Self::Kid
    }
}
