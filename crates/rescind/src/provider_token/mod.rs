//! Tokens of an OpenID provider that are no access tokens: the ID token of a sign-in (OpenID Connect Core §2, §3.1.3.7)
//! and the logout token of a back-channel logout (Back-Channel Logout §2.4). Owns what is checked of each; fetches no
//! keys, keeps nothing, and does not know what a sign-in is.
//!
//! A text, the provider's keys, rules and the time go in; claims or a [`Refused`] come out. A refusal is always the
//! first that applies, in the order shape, header, key, algorithm, signature, claims, times: nothing is said of the
//! claims of a token that the provider did not sign.
//!
//! The kinds exclude each other (RFC 8725 §3.12): neither takes an access token (`at+jwt`); an ID token has no `typ`
//! or `JWT` and must have the nonce of its sign-in; a logout token must have the logout event and must not have a nonce.

mod claims;
mod id_token;
mod logout_token;
mod refused;
mod signed;

pub use id_token::{IdToken, IdTokenRules};
pub use logout_token::{LogoutToken, LogoutTokenRules};
pub use refused::{ProviderClaim, Refused};
