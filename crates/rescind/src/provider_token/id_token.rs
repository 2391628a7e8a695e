//! The ID token of a sign-in (OpenID Connect Core §2, §3.1.3.7). Owns its rules, one after the other.

use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256, SHA512};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::signed::Signed;
use super::{ProviderClaim, Refused};
use crate::access_token::TypRule;
use crate::keys::{Algorithm, ProviderKeys};
use crate::time::Timestamp;

/// What an ID token has to fulfil.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenRules<'a> {
    /// Its `iss`, exactly.
    pub issuer: &'a str,
    /// The client id that the provider knows us by.
    pub client_id: &'a str,
    /// The nonce of the sign-in that it answers.
    pub nonce: &'a str,
    /// The access token that came with it, for `at_hash`.
    pub access_token: Option<&'a str>,
    /// How long ago it may have been issued.
    pub max_age: Duration,
    /// How far the provider's clock and ours may differ.
    pub skew: Duration,
}

/// An ID token that is genuine, for us, of this sign-in, and in time.
#[derive(Debug, Clone)]
pub struct IdToken {
    /// Who signed in, in the provider's words: unique under its issuer.
    pub subject: String,
    /// The provider's session.
    pub sid: Option<String>,
    /// When the user proved who they are.
    pub auth_time: Option<Timestamp>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// All claims, as the provider signed them.
    pub claims: Map<String, Value>,
}

impl IdToken {
    /// Verifies a text.
    ///
    /// **Cost:** one signature check.
    ///
    /// # Errors
    /// The first [`Refused`] that applies.
    pub fn verify(text: &str, keys: &ProviderKeys, rules: &IdTokenRules<'_>, now: Timestamp) -> Result<Self, Refused> {
        let Signed { claims, algorithm } = Signed::read(text, keys, TypRule::Id)?;
        claims.issued_by(rules.issuer)?;
        let audiences = claims.meant_for(rules.client_id)?;
        // OpenID Connect Core §3.1.3.7, 4 and 5.
        match claims.text(ProviderClaim::Azp)? {
            Some(azp) if azp != rules.client_id => return Err(Refused::WrongAuthorizedParty),
            None if audiences > 1 => return Err(Refused::WrongAuthorizedParty),
            _ => {}
        }
        if claims.required_text(ProviderClaim::Nonce)? != rules.nonce {
            return Err(Refused::WrongNonce);
        }
        let (issued_at, expires_at) = claims.in_time(now, rules.max_age, rules.skew)?;
        expires_at.ok_or(Refused::MissingClaim(ProviderClaim::Exp))?;
        if let Some(at_hash) = claims.text(ProviderClaim::AtHash)? {
            let came_with = rules.access_token.ok_or(Refused::WrongAccessToken)?;
            if at_hash != half_hash(algorithm, came_with) {
                return Err(Refused::WrongAccessToken);
            }
        }
        let subject = claims.name(ProviderClaim::Sub)?.ok_or(Refused::MissingClaim(ProviderClaim::Sub))?.to_owned();
        let sid = claims.name(ProviderClaim::Sid)?.map(str::to_owned);
        let auth_time = claims.time(ProviderClaim::AuthTime)?;
        Ok(Self { subject, sid, auth_time, issued_at, claims: claims.0 })
    }
}

/// OpenID Connect Core §3.1.3.6: the left half of the hash that belongs to the algorithm.
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDSA => &SHA512,
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Hs256 => &SHA256,
    };
    let digest = digest::digest(hash, text.as_bytes());
    let half = digest.as_ref().get(..digest.as_ref().len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_hash_is_that_of_the_specification() {
        // OpenID Connect Core, A.3.
        assert_eq!(
            half_hash(Algorithm::Rs256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
