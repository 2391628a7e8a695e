//! Sign-in with a provider, without a browser: a small provider of our own that does everything right. What a real one
//! and a real browser make of it is in `tests/browser`; what a hostile one tries, in `rescind-axum`.
#![cfg(test)]

mod idp;
mod refused;
#[path = "../support/mod.rs"]
mod support;
mod whole;
