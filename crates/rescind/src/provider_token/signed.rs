//! The signature of a provider's token: header, key, algorithm, signature, in this order. Owns how the key is chosen;
//! gives the payload only when the provider has signed it. What needs no key can be asked alone.

use super::Refused;
use super::claims::Claims;
use crate::access_token::{Compact, SignatureBytes, TypRule, decode, read_header};
use crate::keys::{Algorithm, ProviderKeys};
use crate::rejection::Rejection;

/// The claims that the provider signed, and the algorithm that it signed them with.
pub(super) struct Signed {
    pub(super) claims: Claims,
    pub(super) algorithm: Algorithm,
}

impl Signed {
    /// Checks header, key and signature, and reads the claims.
    pub(super) fn read(text: &str, keys: &ProviderKeys, rule: TypRule) -> Result<Self, Refused> {
        let Unsigned { signed, algorithm, kid, payload, signature } = Unsigned::read(text, rule)?;
        let key = match &kid {
            Some(kid) => keys.named(kid).ok_or(Rejection::UnknownKey)?,
            None => keys.only(algorithm).ok_or(Refused::NoKeyFits)?,
        };
        // RFC 8725 §3.1: the key says which algorithm is used, the header may only agree.
        if key.algorithm() != algorithm {
            return Err(Rejection::WrongAlgorithm.into());
        }
        if !key.verifies(signed.as_bytes(), signature.as_slice()) {
            return Err(if kid.is_some() { Rejection::BadSignature.into() } else { Refused::NoKeyFits });
        }
        Ok(Self { claims: Claims::read(payload)?, algorithm })
    }
}

/// What can be told of a token without any key.
pub(super) struct Unsigned<'a> {
    /// What the signature is over.
    signed: &'a str,
    algorithm: Algorithm,
    kid: Option<String>,
    payload: Vec<u8>,
    signature: SignatureBytes,
}

impl<'a> Unsigned<'a> {
    /// Checks shape and header.
    pub(super) fn read(text: &'a str, rule: TypRule) -> Result<Self, Refused> {
        let parts = Compact::split(text)?;
        let json = String::from_utf8(decode(parts.header)?).map_err(|_| Rejection::BadJson)?;
        let header = read_header(&json, rule)?;
        let algorithm = header.algorithm;
        // Whoever can verify such a token could have made it; also where no key is named.
        if algorithm.is_symmetric() {
            return Err(Rejection::WrongAlgorithm.into());
        }
        let (payload, signature) = (decode(parts.payload)?, SignatureBytes::decode(parts.signature)?);
        Ok(Self { signed: parts.signed, algorithm, kid: header.kid.map(Into::into), payload, signature })
    }
}
