//! The secrets that may stand in the environment, where an orchestrator keeps them. Never a flag: others see those.

use std::env::{self, VarError};

use rescind::keys::{RootSecret, RootSecretError};
use zeroize::Zeroizing;

use crate::config::{Secret, Secrets};

/// The root secret in place of `root.key`: 64 hexadecimal digits, also after `rescind-root-v1:`, or base64 of 32 bytes.
pub(crate) const ROOT_SECRET: &str = "RESCIND_ROOT_SECRET";

/// The secret of this server's client at Google, in place of `google_client_secret_file`.
pub(crate) const GOOGLE_CLIENT_SECRET: &str = "RESCIND_GOOGLE_CLIENT_SECRET";
/// The secret of its client at the provider of `oidc_issuer`, in place of `oidc_client_secret_file`.
pub(crate) const OIDC_CLIENT_SECRET: &str = "RESCIND_OIDC_CLIENT_SECRET";

/// The feed token: on a server in place of `feed-token`, on one that follows the token of the node that it follows.
pub(crate) const FEED_TOKEN: &str = "RESCIND_FEED_TOKEN";

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

/// Reads the feed token and the secrets of this server's clients at providers, as far as they are there.
///
/// # Errors
/// Which one is empty or no text, and the remedy.
pub(crate) fn provider_secrets() -> Result<Secrets, String> {
    Ok(Secrets { feed: secret(FEED_TOKEN)?, google: secret(GOOGLE_CLIENT_SECRET)?, oidc: secret(OIDC_CLIENT_SECRET)? })
}

fn secret(name: &str) -> Result<Option<Secret>, String> {
    let wrong = || format!("{name}: is empty or no text; correct it, or unset it");
    match env::var(name).map(Zeroizing::new) {
        Ok(text) => Secret::new(&text).map(Some).ok_or_else(wrong),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(wrong()),
    }
}
