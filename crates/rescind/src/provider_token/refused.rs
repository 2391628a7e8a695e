//! Why a provider's token is refused. Owns the list of reasons and their names; knows no HTTP status.

use std::fmt;

use crate::rejection::Rejection;

/// A claim that a refusal can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderClaim {
    /// `iss`
    Iss,
    /// `sub`
    Sub,
    /// `aud`
    Aud,
    /// `azp`
    Azp,
    /// `exp`
    Exp,
    /// `iat`
    Iat,
    /// `nbf`
    Nbf,
    /// `nonce`
    Nonce,
    /// `auth_time`
    AuthTime,
    /// `at_hash`
    AtHash,
    /// `jti`
    Jti,
    /// `sid`
    Sid,
    /// `events`
    Events,
}

impl ProviderClaim {
    /// The claim's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud => "aud",
            Self::Azp => "azp",
            Self::Exp => "exp",
            Self::Iat => "iat",
            Self::Nbf => "nbf",
            Self::Nonce => "nonce",
            Self::AuthTime => "auth_time",
            Self::AtHash => "at_hash",
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Events => "events",
        }
    }
}

/// Why a provider's token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// Shape, header, algorithm, named key or signature are wrong.
    Form(Rejection),
    /// The `typ` says that it is a token of another kind.
    WrongKind,
    /// It names no key, and not exactly one key of the set fits, or the one that fits does not verify it.
    NoKeyFits,
    /// A required claim is missing.
    MissingClaim(ProviderClaim),
    /// A claim has the wrong JSON type or is out of range.
    BadClaim(ProviderClaim),
    /// It comes from another issuer.
    WrongIssuer,
    /// It is for another client.
    WrongAudience,
    /// It was issued to another client, or to several without saying to which.
    WrongAuthorizedParty,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet.
    NotYetValid,
    /// `iat` is further ahead than skew allows.
    IssuedInFuture,
    /// `iat` is longer ago than a token of this kind is looked at.
    TooOld,
    /// The nonce is of another sign-in.
    WrongNonce,
    /// It came with another access token.
    WrongAccessToken,
    /// A logout token has a nonce: it may be an ID token in disguise.
    HasNonce,
    /// A logout token has no logout event.
    NoLogoutEvent,
    /// A logout token names neither a subject nor a session.
    NamesNobody,
}

impl Refused {
    /// A stable word for logs, metrics and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Form(rejection) => rejection.reason(),
            Self::WrongKind => "wrong_kind",
            Self::NoKeyFits => "no_key_fits",
            Self::MissingClaim(_) => "missing_claim",
            Self::BadClaim(_) => "bad_claim",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongAuthorizedParty => "wrong_authorized_party",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::TooOld => "too_old",
            Self::WrongNonce => "wrong_nonce",
            Self::WrongAccessToken => "wrong_access_token",
            Self::HasNonce => "has_nonce",
            Self::NoLogoutEvent => "no_logout_event",
            Self::NamesNobody => "names_nobody",
        }
    }

    /// Whether newer keys could make it pass: the provider may have rotated since they were fetched.
    pub const fn asks_for_newer_keys(self) -> bool {
        matches!(self, Self::Form(Rejection::UnknownKey) | Self::NoKeyFits)
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            // The header's reader knows of a wrong `typ` only that it is wrong.
            Rejection::NotAccessToken => Self::WrongKind,
            rejection => Self::Form(rejection),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingClaim(claim) | Self::BadClaim(claim) => write!(f, "{} {}", self.reason(), claim.name()),
            _ => f.write_str(self.reason()),
        }
    }
}

impl std::error::Error for Refused {}
