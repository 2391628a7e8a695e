//! Issuing: a session becomes the text of an access token. Owns the payload's shape and what an application may add
//! to it; chooses neither time nor name.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::MapAccess;

use super::TOKEN_MAX;
use super::claims::reserved;
use super::strict_json::{Fault, Members, read_object};
use crate::id::Jti;
use crate::keys::{KeyError, SigningKey};
use crate::position::Seq;
use crate::rejection::{Claim, Rejection};
use crate::session::Session;
use crate::time::Timestamp;

/// Longest text of custom claims: with it a token stays below 16 KiB, whatever else is in it.
///
/// **Units:** bytes.
pub const CLAIMS_MAX: usize = 8 * 1024;

/// What a token is made from.
#[derive(Debug, Clone, Copy)]
pub struct AccessTokenSpec<'a> {
    /// `iss`
    pub issuer: &'a str,
    /// `aud`
    pub audience: &'a str,
    /// Where `sub`, `client_id`, `sid`, `seq`, `auth_time`, `scope` and the application's own claims come from.
    pub session: &'a Session,
    /// `jti`
    pub jti: Jti,
    /// The store's time that was read together with the session's cut-offs, or where the clocks do not agree the clock that
    /// is believed, read before: never the moment of signing.
    pub issued_at: Timestamp,
    /// `exp - iat`; a part of a second is dropped.
    pub lifetime: Duration,
    /// What `lifetime` may be at most.
    pub max_lifetime: Duration,
}

/// Why no token was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The custom claims are no JSON object, or name a member twice.
    #[error("the custom claims are no JSON object, or name a member twice")]
    ClaimsInvalid,
    /// The custom claims set a claim that is ours to set.
    #[error("the custom claims set `{}`, which is reserved; choose another name", .0.name())]
    ReservedClaim(Claim),
    /// The custom claims are longer than [`CLAIMS_MAX`].
    #[error("the custom claims are longer than {CLAIMS_MAX} bytes; keep in the token what every request needs")]
    ClaimsTooLong,
    /// The token would be longer than any verifier takes.
    #[error("the token would be longer than {TOKEN_MAX} bytes; shorten issuer, audience, scope or custom claims")]
    TooLong,
    /// The lifetime is above the maximum.
    #[error("the token's lifetime is above the configured maximum")]
    LifetimeTooLong,
    /// The session's position is beyond what a token can carry.
    #[error("the log's position is beyond 2^53 - 1")]
    Position,
    /// The key did not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Says whether custom claims can go into a token. Called when a session is opened, so that minting cannot fail on
/// them later.
///
/// # Errors
/// [`IssueError::ClaimsInvalid`], [`IssueError::ReservedClaim`], [`IssueError::ClaimsTooLong`].
pub fn validate_claims(claims: &str) -> Result<(), IssueError> {
    if claims.len() > CLAIMS_MAX {
        return Err(IssueError::ClaimsTooLong);
    }
    let mut names = CustomNames { reserved: None };
    read_object(claims, &mut names)
        .map_err(|_| names.reserved.map_or(IssueError::ClaimsInvalid, IssueError::ReservedClaim))
}

struct CustomNames {
    reserved: Option<Claim>,
}

impl<'de> Members<'de> for CustomNames {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, _: &mut A, fault: &Fault) -> Result<Option<u32>, A::Error> {
        self.reserved = reserved(name);
        match self.reserved {
            Some(claim) => fault.stop(Rejection::BadClaim(claim)),
            None => Ok(None),
        }
    }
}

/// Issues a token.
///
/// **Cost:** one signature and at most 2 µs; three allocations.
///
/// # Errors
/// [`IssueError`].
pub fn issue(key: &SigningKey, spec: &AccessTokenSpec<'_>) -> Result<String, IssueError> {
    if spec.lifetime > spec.max_lifetime {
        return Err(IssueError::LifetimeTooLong);
    }
    if spec.session.position > Seq::MAX {
        return Err(IssueError::Position);
    }
    let payload = payload(spec)?;
    let mut token = String::with_capacity(key.header().len() + payload.len() * 4 / 3 + 2 * SIGNATURE_TYPICAL);
    token.push_str(key.header());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
    let mut signature = Vec::with_capacity(SIGNATURE_TYPICAL);
    key.sign(token.as_bytes(), &mut signature)?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
    if token.len() > TOKEN_MAX { Err(IssueError::TooLong) } else { Ok(token) }
}

/// RSA with 2048 bits; the others are shorter.
const SIGNATURE_TYPICAL: usize = 256;

fn payload(spec: &AccessTokenSpec<'_>) -> Result<Vec<u8>, IssueError> {
    let session = spec.session;
    let custom = session.claims.as_deref().map(custom_members).transpose()?.unwrap_or_default();
    let mut json = Vec::with_capacity(512 + custom.len());
    let iat = spec.issued_at.as_secs();
    let exp = iat.saturating_add(spec.lifetime.as_secs());
    for (name, value) in [
        ("{\"iss\":", spec.issuer),
        (",\"sub\":", session.subject.as_str()),
        (",\"aud\":", spec.audience),
        (",\"client_id\":", session.client.as_str()),
    ] {
        json.extend_from_slice(name.as_bytes());
        push_text(&mut json, value);
    }
    // Writing to memory does not fail.
    let _never = write!(
        json,
        ",\"iat\":{iat},\"exp\":{exp},\"jti\":\"{}\",\"sid\":\"{}\",\"seq\":{},\"auth_time\":{}",
        spec.jti,
        session.id,
        session.position,
        session.auth_time.as_secs()
    );
    if let Some(scope) = &session.scope {
        json.extend_from_slice(b",\"scope\":");
        push_text(&mut json, scope);
    }
    if !custom.is_empty() {
        json.push(b',');
        json.extend_from_slice(custom.as_bytes());
    }
    json.push(b'}');
    Ok(json)
}

fn push_text(json: &mut Vec<u8>, text: &str) {
    let _never = serde_json::to_writer(json, text);
}

/// The members between the braces of a checked object. Checked here as well: a row may come from an older version, and
/// a second `sub` in a signed token would be read differently by different readers.
fn custom_members(claims: &str) -> Result<&str, IssueError> {
    validate_claims(claims)?;
    let inner = claims.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.map(str::trim).ok_or(IssueError::ClaimsInvalid)
}
