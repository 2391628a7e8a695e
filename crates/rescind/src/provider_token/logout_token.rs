//! The logout token of a back-channel logout (OpenID Connect Back-Channel Logout §2.4, §2.6). Owns its rules. Whether it
//! was used before is for whoever keeps that.

use std::time::Duration;

use super::signed::{Signed, Unsigned};
use super::{ProviderClaim, Refused};
use crate::access_token::TypRule;
use crate::keys::ProviderKeys;
use crate::time::Timestamp;

/// The event that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a logout token has to fulfil.
#[derive(Debug, Clone, Copy)]
pub struct LogoutTokenRules<'a> {
    /// Its `iss`, exactly.
    pub issuer: &'a str,
    /// The client id that the provider knows us by.
    pub client_id: &'a str,
    /// How long ago it may have been issued.
    pub max_age: Duration,
    /// How far the provider's clock and ours may differ.
    pub skew: Duration,
}

/// A logout token that is genuine, for us, and in time.
#[derive(Debug, Clone)]
pub struct LogoutToken {
    /// Its own name: it counts once.
    pub jti: String,
    /// Whose sessions end; there is a subject or a session or both.
    pub subject: Option<String>,
    /// The provider's session that ended.
    pub sid: Option<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From when on it is refused by its age alone, so that its name need not be kept any longer.
    pub refused_from: Timestamp,
}

impl LogoutToken {
    /// Whether a text could be a logout token at all. Anybody can send one, so this is asked before keys are fetched for
    /// it; says nothing of who has signed it.
    ///
    /// # Errors
    /// [`Refused::Form`], [`Refused::WrongKind`]: those that need no key.
    pub fn check_form(text: &str) -> Result<(), Refused> {
        Unsigned::read(text, TypRule::Logout).map(drop)
    }

    /// Verifies a text.
    ///
    /// `typ` may be left out or be `JWT`, as providers before the final specification send it; the event that is asked
    /// for and the nonce that is refused keep ID tokens out.
    ///
    /// # Errors
    /// The first [`Refused`] that applies.
    pub fn verify(
        text: &str,
        keys: &ProviderKeys,
        rules: &LogoutTokenRules<'_>,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let Signed { claims, .. } = Signed::read(text, keys, TypRule::Logout)?;
        claims.issued_by(rules.issuer)?;
        claims.meant_for(rules.client_id)?;
        if claims.has(ProviderClaim::Nonce) {
            return Err(Refused::HasNonce);
        }
        let event = claims.object(ProviderClaim::Events)?.and_then(|events| events.get(EVENT));
        if !event.is_some_and(serde_json::Value::is_object) {
            return Err(Refused::NoLogoutEvent);
        }
        let (issued_at, _) = claims.in_time(now, rules.max_age, rules.skew)?;
        let subject = claims.name(ProviderClaim::Sub)?.map(str::to_owned);
        let sid = claims.name(ProviderClaim::Sid)?.map(str::to_owned);
        if subject.is_none() && sid.is_none() {
            return Err(Refused::NamesNobody);
        }
        let jti = claims.required_text(ProviderClaim::Jti)?.to_owned();
        if jti.is_empty() {
            return Err(Refused::BadClaim(ProviderClaim::Jti));
        }
        let refused_from = issued_at.plus(rules.max_age).plus(rules.skew);
        Ok(Self { jti, subject, sid, issued_at, refused_from })
    }
}
