//! Refresh tokens: their text and MAC, the table that decides what a presented one is worth, and the policy of a
//! client's class. Knows no store: whoever calls loads and compares-and-sets.

mod decision;
mod policy;
mod text;

pub use decision::{Decision, decide};
pub use policy::ClientClass;
pub use text::{RefreshClaims, RefreshTokens, looks_like_refresh_token};
