//! What a refused request is answered, by meaning: why it is refused, and whose matter that is. How it looks on the wire
//! stands in `wire`.

mod wire;

use std::fmt;
use std::time::Duration;

use rescind::id::InvalidId;
use rescind::rejection::Rejection;
use rescind::{Error, Invalid};

pub(crate) use self::wire::Told;
pub use self::wire::plain;
use crate::cookies::TooLong;
use crate::{Malformed, Missing, Unreadable};

/// Why a handler did not run, or a ready-made route did nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// No token came: 401 without an error code (RFC 6750 §3.1).
    Missing(Missing),
    /// The token that stands for the caller is refused: 401, or 403 where a scope is missing.
    Rejected(Rejection),
    /// No single token can be found in the request: 400.
    Malformed(Malformed),
    /// The token is good, but its claims are not those that the handler reads: 403.
    OtherClaims,
    /// A cookie came at the word of another site, to change something: 403.
    CrossSite,
    /// The refresh token is refused where it was to be exchanged: 400 `invalid_grant` or `invalid_scope` (RFC 6749 §5.2).
    Grant(Rejection),
    /// No refresh token came where one was to be exchanged: 400.
    NoRefreshToken,
    /// The user did not prove who they are: 401 `invalid_grant`. For a sign-in of the application's own; one answer for
    /// an unknown name, a wrong password and a user who may not come in.
    WrongCredentials,
    /// The body or a parameter cannot be read: 400, 408 or 413.
    Unreadable(Unreadable),
    /// No such session, or it is somebody else's: 404.
    NotFound,
    /// The answer cannot be given at the moment: 503. Says nothing about the token.
    Unavailable {
        /// When to come again.
        retry_after: Duration,
        /// What failed.
        source: Error,
    },
}

/// How long a client should wait after a fault of ours.
const RETRY: Duration = Duration::from_secs(1);

impl Refusal {
    /// A stable word for logs and metrics. Not for the wire: it tells revoked from expired.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Rejected(rejection) | Self::Grant(rejection) => rejection.reason(),
            Self::Malformed(_) => "malformed",
            Self::OtherClaims => "other_claims",
            Self::CrossSite => "cross_site",
            Self::NoRefreshToken => "no_refresh_token",
            Self::WrongCredentials => "wrong_credentials",
            Self::Unreadable(_) => "unreadable",
            Self::NotFound => "not_found",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// An id that a client has chosen, and that can be none.
impl From<InvalidId> for Refusal {
    fn from(invalid: InvalidId) -> Self {
        Unreadable::invalid(format!("a name {invalid}")).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => Self::Rejected(rejection),
            Error::NotFound(_) => Self::NotFound,
            Error::Invalid(Invalid::Unwelcome) => Self::WrongCredentials,
            // A client may have named them, and to come again with the same helps nobody.
            Error::Invalid(invalid @ (Invalid::Scope | Invalid::Device)) => {
                Unreadable::invalid(invalid.to_string()).into()
            }
            Error::Stale { retry_after } => Self::Unavailable { retry_after, source: error },
            source => Self::Unavailable { retry_after: RETRY, source },
        }
    }
}

/// The application's claims are too many, which is not the caller's matter.
impl From<TooLong> for Refusal {
    fn from(too_long: TooLong) -> Self {
        Error::Internal(too_long.into()).into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("no token was presented"),
            Self::Rejected(rejection) => write!(f, "the token is refused: {rejection}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::OtherClaims => {
                f.write_str("the access token is good, but its claims are not those that are read here")
            }
            Self::CrossSite => f.write_str("the request comes from another site"),
            Self::Grant(rejection) => write!(f, "the refresh token is refused: {rejection}"),
            Self::NoRefreshToken => f.write_str("no refresh token was presented"),
            Self::WrongCredentials => f.write_str("the user did not prove who they are"),
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::NotFound => f.write_str("no such session"),
            Self::Unavailable { .. } => f.write_str("the request could not be answered, whatever its token"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) | Self::Grant(rejection) => Some(rejection),
            Self::Malformed(malformed) => Some(malformed),
            Self::Unreadable(unreadable) => Some(unreadable),
            Self::Unavailable { source, .. } => Some(source),
            Self::Missing(_)
            | Self::OtherClaims
            | Self::CrossSite
            | Self::NoRefreshToken
            | Self::WrongCredentials
            | Self::NotFound => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_session_can_have_is_the_caller_s_matter_and_not_a_fault_to_wait_out() {
        for invalid in [Invalid::Device, Invalid::Scope] {
            let text = invalid.to_string();
            let refusal = Refusal::from(Error::Invalid(invalid));
            assert_eq!((refusal.status().as_u16(), refusal.to_string()), (400, text));
        }
        // Claims are the application's own words.
        let reserved = rescind::access_token::validate_claims(r#"{"sub":"mallory"}"#).unwrap_err();
        assert_eq!(Refusal::from(Error::Invalid(Invalid::Claims(reserved))).status().as_u16(), 503);
        assert_eq!(Refusal::from(Error::Invalid(Invalid::Unwelcome)).status().as_u16(), 401);
    }

    #[test]
    fn a_refusal_is_an_error_that_names_its_cause() {
        let refusal: Box<dyn std::error::Error + Send + Sync> = Refusal::Rejected(Rejection::Expired).into();
        assert_eq!(refusal.to_string(), "the token is refused: expired");
        assert_eq!(refusal.source().map(ToString::to_string), Some("expired".to_owned()));
    }
}
