//! A key that signs, bound to one algorithm by its type. Owns generation, import and export of private parts and
//! what a private part must fulfil; writes no token.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom as AwsRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::rsa::RsaPublic;
use super::verifying::Public;
use super::{Algorithm, KID_MAX, KeyError, VerifyingKey};
use crate::id::KeyId;
use crate::random::Random;

/// A key that signs with one algorithm. Dropped, its private part leaves memory.
pub struct SigningKey {
    id: KeyId,
    secret: Secret,
    header: Box<str>,
}

enum Secret {
    EdDSA(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    Ps256(RsaKeyPair),
    Hs256 { key: Box<hmac::Key>, bytes: Zeroizing<Vec<u8>> },
}

impl SigningKey {
    /// Makes a new key. EdDSA and HS256 take their bytes from `random`, the others from AWS-LC's own generator.
    ///
    /// **Cost:** RSA (2048 bits) takes some hundred milliseconds, the others microseconds.
    ///
    /// # Errors
    /// [`KeyError::Random`], [`KeyError::Crypto`], or [`KeyError::Kid`] where the id is longer than 128 bytes.
    pub fn generate(algorithm: Algorithm, id: KeyId, random: &dyn Random) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        let secret = match algorithm {
            Algorithm::EdDSA => {
                // RFC 8032 §5.1.5: the private key is 32 random bytes.
                random.fill(&mut *seed)?;
                Secret::EdDSA(Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Crypto)?)
            }
            Algorithm::Hs256 => {
                random.fill(&mut *seed)?;
                hs256(&*seed)?
            }
            Algorithm::Es256 => {
                Secret::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::Crypto)?)
            }
            Algorithm::Rs256 => Secret::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Crypto)?),
            Algorithm::Ps256 => Secret::Ps256(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Crypto)?),
        };
        Self::new(id, secret)
    }

    /// Takes a private key.
    ///
    /// **Shape:** PKCS#8 DER; for HS256 the raw secret.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are no key of this algorithm, or a weak one.
    pub fn import(algorithm: Algorithm, id: KeyId, private: &[u8]) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Malformed(algorithm);
        let secret = match algorithm {
            Algorithm::EdDSA => Secret::EdDSA(Ed25519KeyPair::from_pkcs8_maybe_unchecked(private).map_err(malformed)?),
            Algorithm::Es256 => {
                Secret::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map_err(malformed)?)
            }
            Algorithm::Rs256 => Secret::Rs256(RsaKeyPair::from_pkcs8(private).map_err(malformed)?),
            Algorithm::Ps256 => Secret::Ps256(RsaKeyPair::from_pkcs8(private).map_err(malformed)?),
            Algorithm::Hs256 => hs256(private)?,
        };
        Self::new(id, secret)
    }

    /// The private part, in the shape that [`import`](Self::import) takes. For sealing only.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn export_secret(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let crypto = |_| KeyError::Crypto;
        let pkcs8 = match &self.secret {
            Secret::EdDSA(pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
            Secret::Es256(pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
            Secret::Rs256(pair) | Secret::Ps256(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(crypto)?.as_ref().to_vec()
            }
            Secret::Hs256 { bytes, .. } => bytes.to_vec(),
        };
        Ok(Zeroizing::new(pkcs8))
    }

    /// The key that verifies what this one signs.
    ///
    /// # Errors
    /// [`KeyError`] where the public part is weak.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        let algorithm = self.algorithm();
        let malformed = KeyError::Malformed(algorithm);
        let public = match &self.secret {
            Secret::EdDSA(pair) => Public::Ed25519(pair.public_key().as_ref().try_into().map_err(|_| malformed)?),
            Secret::Es256(pair) => Public::P256(pair.public_key().as_ref().try_into().map_err(|_| malformed)?),
            Secret::Rs256(pair) | Secret::Ps256(pair) => {
                Public::Rsa(RsaPublic::from_pkcs1(pair.public_key().as_ref())?)
            }
            Secret::Hs256 { key, .. } => return VerifyingKey::secret(self.id.clone(), key.clone()),
        };
        VerifyingKey::public(self.id.clone(), algorithm, public)
    }

    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The one algorithm that it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        match &self.secret {
            Secret::EdDSA(_) => Algorithm::EdDSA,
            Secret::Es256(_) => Algorithm::Es256,
            Secret::Rs256(_) => Algorithm::Rs256,
            Secret::Ps256(_) => Algorithm::Ps256,
            Secret::Hs256 { .. } => Algorithm::Hs256,
        }
    }

    /// Replaces the content of `signature` by the signature of `message`.
    ///
    /// # Errors
    /// [`KeyError::Crypto`].
    pub fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), KeyError> {
        let crypto = |_| KeyError::Crypto;
        signature.clear();
        match &self.secret {
            Secret::EdDSA(pair) => signature.extend_from_slice(pair.try_sign(message).map_err(crypto)?.as_ref()),
            Secret::Es256(pair) => {
                signature.extend_from_slice(pair.sign(&AwsRandom::new(), message).map_err(crypto)?.as_ref());
            }
            Secret::Rs256(pair) => sign_rsa(pair, &RSA_PKCS1_SHA256, message, signature)?,
            Secret::Ps256(pair) => sign_rsa(pair, &RSA_PSS_SHA256, message, signature)?,
            Secret::Hs256 { key, .. } => signature.extend_from_slice(hmac::sign(key, message).as_ref()),
        }
        Ok(())
    }

    /// The header segment of every token that it signs.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    fn new(id: KeyId, secret: Secret) -> Result<Self, KeyError> {
        if id.as_str().len() > KID_MAX {
            return Err(KeyError::Kid);
        }
        let mut key = Self { id, secret, header: Box::default() };
        // A key whose public part is refused must not sign either.
        key.header = key.verifying_key()?.header().into();
        Ok(key)
    }
}

fn hs256(secret: &[u8]) -> Result<Secret, KeyError> {
    if secret.len() < 32 {
        return Err(KeyError::SecretTooShort);
    }
    if is_key_document(secret) {
        return Err(KeyError::SecretIsKeyDocument);
    }
    Ok(Secret::Hs256 {
        key: Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        bytes: Zeroizing::new(secret.to_vec()),
    })
}

/// Whether the bytes are PEM, JWK, an OpenSSH line, or DER of a public key: the classic confusion (CVE-2026-48526).
/// The shortest such DER has 44 bytes, so a secret of 32 random bytes is never taken for one.
fn is_key_document(secret: &[u8]) -> bool {
    let text = secret.trim_ascii_start();
    let is_der = |bytes: &[u8]| match bytes {
        [0x30, length, ..] if *length < 0x80 => usize::from(*length) + 2 == bytes.len(),
        [0x30, 0x81, length, ..] => usize::from(*length) + 3 == bytes.len(),
        [0x30, 0x82, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) + 4 == bytes.len(),
        _ => false,
    };
    text.starts_with(b"-----BEGIN")
        || (text.starts_with(b"{") && text.windows(5).any(|window| window == b"\"kty\""))
        || text.starts_with(b"ssh-")
        || text.starts_with(b"ecdsa-")
        || (secret.len() >= 44 && is_der(secret))
}

fn sign_rsa(
    pair: &RsaKeyPair,
    padding: &'static dyn RsaEncoding,
    message: &[u8],
    signature: &mut Vec<u8>,
) -> Result<(), KeyError> {
    signature.resize(pair.public_modulus_len(), 0);
    pair.sign(padding, &AwsRandom::new(), message, signature).map_err(|_| KeyError::Crypto)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm())
            .field("secret", &"redacted")
            .finish_non_exhaustive()
    }
}
