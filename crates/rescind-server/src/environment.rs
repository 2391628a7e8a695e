//! The one secret that may stand in the environment, where an orchestrator keeps it. Never a flag: others see those.

use std::env::{self, VarError};

use rescind::keys::{RootSecret, RootSecretError};
use zeroize::Zeroizing;

/// The root secret in place of `root.key`: 64 hexadecimal digits, also after `rescind-root-v1:`, or base64 of 32 bytes.
pub(crate) const ROOT_SECRET: &str = "RESCIND_ROOT_SECRET";

/// Reads the root secret; `None` where it is not there.
///
/// # Errors
/// What is wrong with it, without a word of it, and the remedy.
pub(crate) fn root_secret() -> Result<Option<RootSecret>, String> {
    let wrong = |error: RootSecretError| {
        format!("{ROOT_SECRET}: {error}; correct it, or unset it to use root.key in the data directory")
    };
    match env::var(ROOT_SECRET).map(Zeroizing::new) {
        Ok(text) => RootSecret::from_text(&text).map(Some).map_err(wrong),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(wrong(RootSecretError::Text)),
    }
}
