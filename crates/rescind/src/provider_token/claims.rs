//! The claims of a provider's token, read strictly by type and range, and the rules that ID tokens and logout tokens
//! share (RFC 7519 §4.1). Owns no rule of one kind alone.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{ProviderClaim, Refused};
use crate::access_token::without_duplicates;
use crate::position::Seq;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Longest `sub` and `sid`. OpenID Connect Core §2: "MUST NOT exceed 255 ASCII characters in length".
const NAME_MAX: usize = 255;

/// A signed payload: a JSON object without a member named twice.
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    pub(super) fn read(payload: Vec<u8>) -> Result<Self, Refused> {
        let text = String::from_utf8(payload).map_err(|_| Rejection::BadJson)?;
        without_duplicates(&text)?;
        Ok(Self(serde_json::from_str(&text).map_err(|_| Rejection::BadJson)?))
    }

    fn value(&self, claim: ProviderClaim) -> Option<&Value> {
        self.0.get(claim.name())
    }

    pub(super) fn has(&self, claim: ProviderClaim) -> bool {
        self.value(claim).is_some()
    }

    pub(super) fn text(&self, claim: ProviderClaim) -> Result<Option<&str>, Refused> {
        self.value(claim).map(|value| value.as_str().ok_or(Refused::BadClaim(claim))).transpose()
    }

    pub(super) fn required_text(&self, claim: ProviderClaim) -> Result<&str, Refused> {
        self.text(claim)?.ok_or(Refused::MissingClaim(claim))
    }

    /// A name that is kept: 1 to 255 bytes without control characters.
    pub(super) fn name(&self, claim: ProviderClaim) -> Result<Option<&str>, Refused> {
        let Some(name) = self.text(claim)? else { return Ok(None) };
        let fits = (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
        if fits { Ok(Some(name)) } else { Err(Refused::BadClaim(claim)) }
    }

    /// A time. RFC 7519 §2: seconds; fractions are refused.
    pub(super) fn time(&self, claim: ProviderClaim) -> Result<Option<Timestamp>, Refused> {
        let Some(value) = self.value(claim) else { return Ok(None) };
        let secs = value.as_u64().filter(|secs| *secs <= Seq::MAX.get()).ok_or(Refused::BadClaim(claim))?;
        Ok(Some(Timestamp::from_secs(secs)))
    }

    pub(super) fn object(&self, claim: ProviderClaim) -> Result<Option<&Map<String, Value>>, Refused> {
        self.value(claim).map(|value| value.as_object().ok_or(Refused::BadClaim(claim))).transpose()
    }

    /// Checks that the token is of this issuer, compared as it stands.
    pub(super) fn issued_by(&self, issuer: &str) -> Result<(), Refused> {
        if self.required_text(ProviderClaim::Iss)? == issuer { Ok(()) } else { Err(Refused::WrongIssuer) }
    }

    /// Checks that the token is for this client; returns for how many it is.
    pub(super) fn meant_for(&self, client_id: &str) -> Result<usize, Refused> {
        const AUD: ProviderClaim = ProviderClaim::Aud;
        let audiences = match self.value(AUD).ok_or(Refused::MissingClaim(AUD))? {
            Value::String(one) => vec![one.as_str()],
            Value::Array(many) => {
                many.iter().map(Value::as_str).collect::<Option<Vec<_>>>().ok_or(Refused::BadClaim(AUD))?
            }
            _ => return Err(Refused::BadClaim(AUD)),
        };
        if audiences.contains(&client_id) { Ok(audiences.len()) } else { Err(Refused::WrongAudience) }
    }

    /// Checks `iat`, `exp` and `nbf` against the present; returns `iat`, and `exp` where there is one.
    pub(super) fn in_time(
        &self,
        now: Timestamp,
        max_age: Duration,
        skew: Duration,
    ) -> Result<(Timestamp, Option<Timestamp>), Refused> {
        let iat = self.time(ProviderClaim::Iat)?.ok_or(Refused::MissingClaim(ProviderClaim::Iat))?;
        let exp = self.time(ProviderClaim::Exp)?;
        if exp.is_some_and(|exp| exp < iat) {
            return Err(Refused::BadClaim(ProviderClaim::Exp));
        }
        let ahead = now.plus(skew);
        if iat > ahead {
            return Err(Refused::IssuedInFuture);
        }
        if self.time(ProviderClaim::Nbf)?.is_some_and(|nbf| nbf > ahead) {
            return Err(Refused::NotYetValid);
        }
        // RFC 7519 §4.1.4: "on or after".
        if exp.is_some_and(|exp| now >= exp.plus(skew)) {
            return Err(Refused::Expired);
        }
        if now.since(iat) > max_age.saturating_add(skew) {
            return Err(Refused::TooOld);
        }
        Ok((iat, exp))
    }
}
