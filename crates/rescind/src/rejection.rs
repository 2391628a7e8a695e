//! Why a token is refused. Owns the list of reasons and what the caller may learn of each; knows no HTTP status.
//! Faults of ours are not in it: those are [`StoreError`](crate::store::StoreError) and `Stale`.

use std::fmt;

use crate::log::ScopeKind;

/// A claim that a rejection can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `iss`
    Iss,
    /// `sub`
    Sub,
    /// `aud`
    Aud,
    /// `client_id`
    ClientId,
    /// `iat`
    Iat,
    /// `exp`
    Exp,
    /// `nbf`
    Nbf,
    /// `jti`
    Jti,
    /// `sid`
    Sid,
    /// `seq`
    Seq,
    /// `auth_time`
    AuthTime,
    /// `scope`
    Scope,
}

impl Claim {
    /// The claim's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud => "aud",
            Self::ClientId => "client_id",
            Self::Iat => "iat",
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Seq => "seq",
            Self::AuthTime => "auth_time",
            Self::Scope => "scope",
        }
    }
}

/// Why a presented token is refused: the caller's matter, never a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No token was presented.
    Missing,
    /// The text is longer than 16 KiB; nothing of it was decoded.
    TooLong,
    /// The text has not exactly three parts.
    WrongPartCount,
    /// A part is not strict base64url: padding, blanks, stray characters or bits.
    BadEncoding,
    /// A part is not a JSON object in UTF-8.
    BadJson,
    /// A JSON object names a member twice (RFC 7515 §4, RFC 7519 §4).
    DuplicateMember,
    /// A refresh token, or another kind of JWT, was presented as access token.
    NotAccessToken,
    /// Something else was presented as refresh token.
    NotRefreshToken,
    /// The header has a member that this verifier refuses: `crit`, or a key or a link to one.
    ForbiddenHeader,
    /// The header's `alg` is not the one that its key is bound to; `none` in any spelling is among these.
    WrongAlgorithm,
    /// The `kid` is missing or names no key of this issuer.
    UnknownKey,
    /// The `kid` names a key that was revoked.
    KeyRevoked,
    /// The signature is wrong.
    BadSignature,
    /// A required claim is missing.
    MissingClaim(Claim),
    /// A claim has the wrong JSON type or is out of range.
    BadClaim(Claim),
    /// The token comes from another issuer.
    WrongIssuer,
    /// The token is for another audience.
    WrongAudience,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet.
    NotYetValid,
    /// `iat` is further ahead than skew allows.
    IssuedInFuture,
    /// `exp - iat` is above the configured maximum.
    LifetimeTooLong,
    /// A cut-off on this scope covers the token.
    Revoked(ScopeKind),
    /// The application's own check said no.
    AlsoCheck,
    /// The refresh token's MAC is wrong or its key unknown.
    BadMac,
    /// No such session, or it was swept long after its end.
    SessionUnknown,
    /// The session was not used for longer than its idle lifetime.
    SessionIdle,
    /// The session reached its absolute lifetime.
    SessionExpired,
    /// A spent refresh token came outside of grace; its session is ended.
    Reused,
    /// The refresh token was issued to another client, or the client did not prove itself.
    WrongClient,
    /// More scope was asked than the session has (RFC 6749 §6).
    ScopeExceeded,
    /// The subject may no longer sign in.
    SubjectUnwelcome,
    /// The token lacks a scope that the route requires.
    InsufficientScope,
    /// The sign-in behind the token is older than the route allows.
    NotFresh,
}

impl Rejection {
    /// A stable word for logs, metrics and tests. Not for the wire: it tells revoked from expired.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::WrongPartCount => "wrong_part_count",
            Self::BadEncoding => "bad_encoding",
            Self::BadJson => "bad_json",
            Self::DuplicateMember => "duplicate_member",
            Self::NotAccessToken => "not_access_token",
            Self::NotRefreshToken => "not_refresh_token",
            Self::ForbiddenHeader => "forbidden_header",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "key_revoked",
            Self::BadSignature => "bad_signature",
            Self::MissingClaim(_) => "missing_claim",
            Self::BadClaim(_) => "bad_claim",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::Revoked(kind) => match kind {
                ScopeKind::Token => "revoked_token",
                ScopeKind::Session => "revoked_session",
                ScopeKind::Subject => "revoked_subject",
                ScopeKind::Client => "revoked_client",
                ScopeKind::Key => "revoked_key",
                ScopeKind::All => "revoked_all",
            },
            Self::AlsoCheck => "also_check",
            Self::BadMac => "bad_mac",
            Self::SessionUnknown => "session_unknown",
            Self::SessionIdle => "session_idle",
            Self::SessionExpired => "session_expired",
            Self::Reused => "refresh_reuse",
            Self::WrongClient => "wrong_client",
            Self::ScopeExceeded => "scope_exceeded",
            Self::SubjectUnwelcome => "subject_unwelcome",
            Self::InsufficientScope => "insufficient_scope",
            Self::NotFresh => "not_fresh",
        }
    }

    /// What the caller may learn.
    ///
    /// **Source:** RFC 6750 §3.1: one code for expired, revoked and malformed alike.
    pub const fn public(self) -> Public {
        match self {
            Self::Missing => Public::NoCredentials,
            Self::InsufficientScope => Public::InsufficientScope,
            Self::NotFresh => Public::NotFresh,
            Self::ScopeExceeded => Public::InvalidScope,
            Self::NotRefreshToken
            | Self::BadMac
            | Self::SessionUnknown
            | Self::SessionIdle
            | Self::SessionExpired
            | Self::Reused
            | Self::WrongClient
            | Self::SubjectUnwelcome => Public::InvalidGrant,
            _ => Public::InvalidToken,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingClaim(claim) | Self::BadClaim(claim) => write!(f, "{} {}", self.reason(), claim.name()),
            _ => f.write_str(self.reason()),
        }
    }
}

impl std::error::Error for Rejection {}

/// What a caller is told about a [`Rejection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Public {
    /// No token came; no error code is sent (RFC 6750 §3.1).
    NoCredentials,
    /// `invalid_token`: whatever is wrong with an access token.
    InvalidToken,
    /// `insufficient_scope`
    InsufficientScope,
    /// `insufficient_user_authentication` (RFC 9470 §3): sign in again.
    NotFresh,
    /// `invalid_grant`: whatever is wrong with a refresh token.
    InvalidGrant,
    /// `invalid_scope`
    InvalidScope,
}
