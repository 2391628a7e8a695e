//! What can be wrong with a provider: it does not answer, or not as it must. Owns the list and the words; knows no page.

use std::fmt;

use http::StatusCode;

/// A provider that did not do its part. Nothing was begun because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderFault {
    /// No connection, or it broke.
    Unreachable,
    /// No whole answer in time.
    Slow,
    /// More requests to it are under way than are allowed at once.
    Busy,
    /// Its keys were fetched a moment ago, and the token names one that was not among them.
    KeysCoolingDown,
    /// It answered with this status.
    Status(u16),
    /// An endpoint of it lies on an address that a public provider must not lead to.
    ForbiddenAddress,
    /// It redirected a request that is never redirected.
    Redirected,
    /// The answer is longer than any that is read.
    TooLong,
    /// The answer is not of a JSON media type, or no JSON of the right shape.
    NotJson,
    /// Its metadata are of another issuer.
    OtherIssuer,
    /// An endpoint in its metadata is missing or no URL that may be asked: not https, or with credentials.
    BadEndpoint,
    /// It signs with no algorithm that is known here.
    NoAlgorithm,
    /// Its keys are not taken.
    BadKeys,
    /// Its token answer lacks what a sign-in needs.
    BadTokenAnswer,
    /// It does not take our client id and secret.
    ClientRefused,
}

impl ProviderFault {
    /// A stable word for logs, metrics and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "provider_unreachable",
            Self::Slow => "provider_slow",
            Self::Busy => "provider_busy",
            Self::KeysCoolingDown => "provider_keys_cooling_down",
            Self::Status(_) => "provider_status",
            Self::ForbiddenAddress => "provider_forbidden_address",
            Self::Redirected => "provider_redirected",
            Self::TooLong => "provider_too_long",
            Self::NotJson => "provider_not_json",
            Self::OtherIssuer => "provider_other_issuer",
            Self::BadEndpoint => "provider_bad_endpoint",
            Self::NoAlgorithm => "provider_no_algorithm",
            Self::BadKeys => "provider_bad_keys",
            Self::BadTokenAnswer => "provider_bad_token_answer",
            Self::ClientRefused => "provider_client_refused",
        }
    }

    /// 503 where trying again may help, 502 where the provider or its configuration has to change first.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unreachable
            | Self::Slow
            | Self::Busy
            | Self::KeysCoolingDown
            | Self::Status(408 | 425 | 429 | 500..=599) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        }
    }
}

impl fmt::Display for ProviderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{} {status}", self.reason()),
            _ => f.write_str(self.reason()),
        }
    }
}

impl std::error::Error for ProviderFault {}
