//! Rescind's engine: revocable JWTs. No HTTP, no SQL; time and randomness come in as arguments.

pub mod access_token;
pub mod id;
pub mod keys;
pub mod log;
pub mod position;
pub mod random;
pub mod refresh_token;
pub mod rejection;
pub mod session;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod view;
