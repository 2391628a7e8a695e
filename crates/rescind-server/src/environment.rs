//! The one secret that may stand in the environment, where an orchestrator keeps it. Never a flag: others see those.

use std::env::{self, VarError};

use rescind::keys::RootSecret;
use zeroize::Zeroizing;

/// The root secret in place of `root.key`: 64 hexadecimal digits, or base64 of 32 bytes.
pub(crate) const ROOT_SECRET: &str = "RESCIND_ROOT_SECRET";

/// Reads the root secret; `None` where it is not there.
///
/// # Errors
/// What is wrong with it, without a word of it.
pub(crate) fn root_secret() -> Result<Option<RootSecret>, String> {
    match env::var(ROOT_SECRET).map(Zeroizing::new) {
        Ok(text) => RootSecret::from_text(&text).map(Some).map_err(|error| format!("{ROOT_SECRET}: {error}")),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{ROOT_SECRET}: is no text")),
    }
}
