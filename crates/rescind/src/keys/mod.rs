//! Keys: what signs and verifies access tokens, the ring that they turn in, and the root secret that guards them.
//! Owns the primitives' use (through AWS-LC) and the JWK shapes (RFC 7517, 7518 §6, 8037); knows no claims and no store.

mod algorithm;
mod cookie_seal;
mod error;
mod jwk;
mod provider;
mod ring;
mod ring_document;
mod ring_union;
mod root_secret;
mod rsa;
mod sealed;
mod signing;
mod verifying;

pub use algorithm::Algorithm;
pub use cookie_seal::CookieSeal;
pub use error::KeyError;
pub use jwk::{JwkSet, JwkSetError};
pub use provider::ProviderKeys;
pub use ring::{KeyRing, KeyState, RingKey};
pub use ring_document::RingDocumentError;
pub use root_secret::{DerivedKey, RootSecret, RootSecretError};
pub use signing::SigningKey;
pub use verifying::VerifyingKey;

/// Longest `kid` that is looked up at all.
///
/// **Units:** bytes.
pub const KID_MAX: usize = 128;
