//! A token as presented: its shape is known, nothing in it is to be believed. Owns the order of the checks up to the
//! signature; no claim can be read from it.

use std::fmt;

use super::compact::{Compact, SignatureBytes, decode};
use super::expectations::{Expectations, Expiry};
use super::header::{TypRule, read_header};
use super::verified::Verified;
use crate::keys::{KeyRing, VerifyingKey};
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// A token that was cut into its parts.
///
/// A refusal is always the first that applies, in the order: shape, header, key, algorithm, signature, claims, times.
/// So nothing is said of the claims of a token that we did not sign (CVE-2024-51744).
#[derive(Clone, Copy)]
pub struct Unverified<'a> {
    parts: Compact<'a>,
}

/// Where verifying keys come from. One source belongs to one issuer.
pub(crate) trait KeySource {
    /// The key under which exactly this header segment is issued.
    fn by_header(&self, segment: &str) -> Option<&VerifyingKey>;

    /// The key of this `kid`.
    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection>;
}

impl<'a> Unverified<'a> {
    /// Cuts a text into its parts.
    ///
    /// **Cost:** no allocation; a text above 16 KiB is not looked at.
    ///
    /// # Errors
    /// [`Rejection::TooLong`], [`Rejection::NotAccessToken`] for a refresh token, [`Rejection::WrongPartCount`].
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        if text.len() <= super::TOKEN_MAX && text.starts_with("rrt_") {
            return Err(Rejection::NotAccessToken);
        }
        Ok(Self { parts: Compact::split(text)? })
    }

    /// Checks signature, claims and times.
    ///
    /// **Cost:** one signature check and at most 2 µs.
    ///
    /// # Errors
    /// The first [`Rejection`] that applies.
    pub fn verify(self, expected: &Expectations, keys: &KeyRing, now: Timestamp) -> Result<Verified, Rejection> {
        let (payload, key) = self.authenticate(TypRule::Access, keys)?;
        Verified::read(payload, key, expected, now, Expiry::Matters)
    }

    /// Checks all but `exp`. **Only to revoke what the token names**, as in a logout with an expired token: the result
    /// says who held it once, not who may do something now.
    ///
    /// # Errors
    /// The first [`Rejection`] that applies; never [`Rejection::Expired`].
    pub fn verify_for_revocation(
        self,
        expected: &Expectations,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Result<Verified, Rejection> {
        let (payload, key) = self.authenticate(TypRule::Access, keys)?;
        Verified::read(payload, key, expected, now, Expiry::Ignored)
    }

    /// The `kid` that the header names, believed or not; `None` where the header is none of an access token.
    pub(crate) fn named_kid(&self) -> Option<String> {
        let json = String::from_utf8(decode(self.parts.header).ok()?).ok()?;
        read_header(&json, TypRule::Access).ok()?.kid.map(std::borrow::Cow::into_owned)
    }

    /// Checks header, key and signature; returns the payload that was signed and the key that signed it.
    pub(super) fn authenticate<K: KeySource>(
        self,
        rule: TypRule,
        keys: &K,
    ) -> Result<(String, &VerifyingKey), Rejection> {
        let parts = self.parts;
        // A header that we issue ourselves needs no reading: equal bytes, equal meaning.
        let key = match keys.by_header(parts.header) {
            Some(key) => key,
            None => Self::named_key(parts.header, rule, keys)?,
        };
        let payload = decode(parts.payload)?;
        let signature = SignatureBytes::decode(parts.signature)?;
        if !key.verifies(parts.signed.as_bytes(), signature.as_slice()) {
            return Err(Rejection::BadSignature);
        }
        String::from_utf8(payload).map(|payload| (payload, key)).map_err(|_| Rejection::BadJson)
    }

    fn named_key<'k, K: KeySource>(segment: &str, rule: TypRule, keys: &'k K) -> Result<&'k VerifyingKey, Rejection> {
        let json = String::from_utf8(decode(segment)?).map_err(|_| Rejection::BadJson)?;
        let header = read_header(&json, rule)?;
        let key = keys.by_kid(&header.kid.ok_or(Rejection::UnknownKey)?)?;
        // RFC 8725 §3.1: the key says which algorithm is used, the header may only agree.
        if key.algorithm() == header.algorithm { Ok(key) } else { Err(Rejection::WrongAlgorithm) }
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unverified(redacted)")
    }
}
