//! The signature of a provider's token: header, key, algorithm, signature, in this order. Owns how the key is chosen;
//! gives the payload only when the provider has signed it.

use super::Refused;
use super::claims::Claims;
use crate::access_token::{Compact, SignatureBytes, TypRule, decode, read_header};
use crate::keys::{Algorithm, ProviderKeys, VerifyingKey};
use crate::rejection::Rejection;

/// The claims that the provider signed, and the algorithm that it signed them with.
pub(super) struct Signed {
    pub(super) claims: Claims,
    pub(super) algorithm: Algorithm,
}

impl Signed {
    /// Checks header, key and signature, and reads the claims.
    pub(super) fn read(text: &str, keys: &ProviderKeys, rule: TypRule) -> Result<Self, Refused> {
        let parts = Compact::split(text)?;
        let json = String::from_utf8(decode(parts.header)?).map_err(|_| Rejection::BadJson)?;
        let header = read_header(&json, rule)?;
        let algorithm = header.algorithm;
        // Whoever can verify such a token could have made it; also where no key is named.
        if algorithm.is_symmetric() {
            return Err(Rejection::WrongAlgorithm.into());
        }
        let key = match &header.kid {
            Some(kid) => keys.named(kid).ok_or(Rejection::UnknownKey)?,
            None => keys.only(algorithm).ok_or(Refused::NoKeyFits)?,
        };
        // RFC 8725 §3.1: the key says which algorithm is used, the header may only agree.
        if key.algorithm() != algorithm {
            return Err(Rejection::WrongAlgorithm.into());
        }
        let payload = decode(parts.payload)?;
        if !verifies(key, parts)? {
            return Err(if header.kid.is_some() { Rejection::BadSignature.into() } else { Refused::NoKeyFits });
        }
        Ok(Self { claims: Claims::read(payload)?, algorithm })
    }
}

fn verifies(key: &VerifyingKey, parts: Compact<'_>) -> Result<bool, Rejection> {
    let signature = SignatureBytes::decode(parts.signature)?;
    Ok(key.verifies(parts.signed.as_bytes(), signature.as_slice()))
}
