//! What a verifier expects of every token: issuer, audience, lifetime, and how far clocks may differ. Owns the rules
//! of RFC 7519 §4.1 on them. Nothing here has a default that trusts.

use std::sync::Arc;
use std::time::Duration;

use super::claims::Claims;
use crate::rejection::{Claim, Rejection};
use crate::time::Timestamp;

/// Clocks that differ by more are out of order; a larger setting counts as this one.
const TOLERANCE_MAX: Duration = Duration::from_mins(1);

/// What every token must fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectations {
    issuer: Arc<str>,
    audiences: Vec<Arc<str>>,
    max_lifetime: Duration,
    leeway: Duration,
    skew: Duration,
}

/// Expectations that cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationsInvalid {
    /// The issuer is empty or has blanks or control characters.
    #[error("the issuer is empty or has blanks; it is a URL such as https://login.example")]
    Issuer,
    /// An audience is empty or has control characters.
    #[error("an audience is empty or has control characters; name the service that the tokens are for")]
    Audience,
    /// The maximum lifetime is below a second.
    #[error("the maximum lifetime is below one second; 15 minutes is usual")]
    Lifetime,
}

/// Whether `exp` is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Matters,
    Ignored,
}

/// When a token was issued and until when it is good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) iat: Timestamp,
    pub(super) exp: Timestamp,
    pub(super) nbf: Option<Timestamp>,
}

impl Expectations {
    /// Expects this issuer and this audience, no leeway, 10 s of skew.
    ///
    /// # Errors
    /// [`ExpectationsInvalid`].
    pub fn new(issuer: &str, audience: &str, max_lifetime: Duration) -> Result<Self, ExpectationsInvalid> {
        if issuer.is_empty() || issuer.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(ExpectationsInvalid::Issuer);
        }
        if max_lifetime < Duration::from_secs(1) {
            return Err(ExpectationsInvalid::Lifetime);
        }
        let (leeway, skew) = (Duration::ZERO, Duration::from_secs(10));
        Self { issuer: issuer.into(), audiences: Vec::new(), max_lifetime, leeway, skew }.or_audience(audience)
    }

    /// Takes tokens for this audience as well.
    ///
    /// # Errors
    /// [`ExpectationsInvalid::Audience`].
    pub fn or_audience(mut self, audience: &str) -> Result<Self, ExpectationsInvalid> {
        if audience.is_empty() || audience.chars().any(char::is_control) {
            return Err(ExpectationsInvalid::Audience);
        }
        self.audiences.push(audience.into());
        Ok(self)
    }

    /// Takes a token until this long after its `exp`. At most 60 s.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway: leeway.min(TOLERANCE_MAX), ..self }
    }

    /// Takes a token whose `iat` or `nbf` is at most this far ahead. At most 60 s.
    #[must_use]
    pub fn with_skew(self, skew: Duration) -> Self {
        Self { skew: skew.min(TOLERANCE_MAX), ..self }
    }

    /// Takes a token whose `exp - iat` is at most this.
    #[must_use]
    pub(crate) fn with_max_lifetime(self, max_lifetime: Duration) -> Self {
        Self { max_lifetime, ..self }
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The longest `exp - iat`.
    pub const fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    /// How long after `exp` a token still passes.
    pub const fn leeway(&self) -> Duration {
        self.leeway
    }

    /// How far ahead `iat` may be.
    pub const fn skew(&self) -> Duration {
        self.skew
    }

    /// The longest time from a token's issue to the last moment at which it passes anywhere.
    pub fn longest_life(&self) -> Duration {
        self.max_lifetime.saturating_add(self.leeway).saturating_add(self.skew)
    }

    /// Checks who issued the token and for whom; returns which of our audiences it is for.
    pub(super) fn origin(&self, claims: &Claims<'_>) -> Result<Arc<str>, Rejection> {
        if claims.required_text(Claim::Iss)? != &*self.issuer {
            return Err(Rejection::WrongIssuer);
        }
        let audience = claims.audience()?;
        self.audiences.iter().find(|name| audience.names(name)).cloned().ok_or(Rejection::WrongAudience)
    }

    /// Reads the times, and checks what does not depend on the present.
    pub(super) fn span(&self, claims: &Claims<'_>) -> Result<Span, Rejection> {
        let (iat, exp) = (claims.required_time(Claim::Iat)?, claims.required_time(Claim::Exp)?);
        let nbf = claims.integer(Claim::Nbf)?.map(Timestamp::from_secs);
        if exp < iat {
            return Err(Rejection::BadClaim(Claim::Exp));
        }
        if exp.since(iat) > self.max_lifetime {
            return Err(Rejection::LifetimeTooLong);
        }
        Ok(Span { iat, exp, nbf })
    }

    /// Checks the times against the present.
    pub(super) fn time(&self, span: Span, now: Timestamp, expiry: Expiry) -> Result<(), Rejection> {
        let ahead = now.plus(self.skew);
        if span.iat > ahead {
            return Err(Rejection::IssuedInFuture);
        }
        if span.nbf.is_some_and(|nbf| nbf > ahead) {
            return Err(Rejection::NotYetValid);
        }
        // RFC 7519 §4.1.4: "on or after".
        if expiry == Expiry::Matters && now >= span.exp.plus(self.leeway) {
            return Err(Rejection::Expired);
        }
        Ok(())
    }
}
