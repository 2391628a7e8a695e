//! The reader of a store's URL, without a server: for tests that feed it what no operator would write. Behind the feature
//! `testing`; no product code uses it.

use rescind::store::StoreError;

use super::settings::Settings;

/// Reads a store's URL; returns servers and database as messages name them.
///
/// # Errors
/// [`StoreError`] that says what is wrong with it, without its password.
pub fn url(text: &str) -> Result<String, StoreError> {
    let settings = Settings::parse(text).map_err(|fault| fault.error("open", "nowhere"))?;
    // What is dialled is cut from what was read: one configuration for each server.
    drop(settings.servers());
    Ok(settings.server)
}
