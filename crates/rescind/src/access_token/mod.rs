//! Access tokens: issued, and verified as far as the token alone tells (RFC 7515, 7519, 9068). Owns the compact
//! JWS layer. Whether a token was revoked is the log's matter, not decided here.
//!
//! A text becomes [`Unverified`] (its shape only; no claim can be read), then [`Verified`] (signature first, claims
//! after it). `Verified` is constructed in one file, and there is no other way to claims.

mod cache;
mod claims;
mod compact;
mod expectations;
mod foreign;
mod header;
mod issue;
mod strict_json;
mod unverified;
mod verified;
#[cfg(test)]
mod wycheproof;

pub use claims::RESERVED;
pub use compact::TOKEN_MAX;
pub use expectations::{Expectations, ExpectationsInvalid};
pub use foreign::{ForeignInvalid, ForeignIssuer, ForeignSettings, ForeignVerified};
pub use header::TypPolicy;
pub use issue::{AccessTokenSpec, CLAIMS_MAX, IssueError, issue, validate_claims};
pub use unverified::{KeySource, Unverified};
pub use verified::Verified;

pub(crate) use cache::{TokenCache, Weighed};
pub(crate) use compact::{Compact, SignatureBytes, decode};
pub(crate) use header::{TypRule, header_segment, read_header};
pub(crate) use strict_json::without_duplicates;
