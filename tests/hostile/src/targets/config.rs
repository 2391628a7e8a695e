//! The server's configuration: its file, its flags, and the URLs of stores. What is refused is refused by name; nothing of
//! a URL is repeated that may be a password.

use clap::Parser;
use rescind::time::Timestamp;

use crate::config::{Config, Settings};

/// The flags as the command line takes them. A variable of the environment goes through the same readers.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

/// Flags, one a line, up to a line `---`; behind it the file.
pub(super) fn config(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    // It reads the files that a configuration names, and a device would have no end.
    if text.contains("/dev") || text.contains("/proc") || text.contains("/sys") || text.contains("\\u") {
        return;
    }
    let (flags, file) = text.split_once("---\n").unwrap_or(("", text));
    let Ok(file) = toml::from_str::<Settings>(file) else { return };
    let Ok(Flags { settings }) = Flags::try_parse_from(flags.lines()) else { return };
    match Config::resolve(settings.or(file)) {
        Ok(config) => {
            assert!(config.engine.validate().is_ok(), "what the engine refuses is refused by name");
            assert!(!config.dev() || config.listen.ip().is_loopback() && config.admin_listen.ip().is_loopback());
            // All that follows from a configuration is computed with spans of its own choosing.
            let _far = Timestamp::from_millis(u64::MAX).plus(config.engine.absolute);
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("setting ") || text.starts_with("environment: "), "{text}");
        }
    }
}

/// The URL of a Postgres and of a Redis store. A secret that is no part of the host is never shown.
pub(super) fn store_urls(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    // Where a password stands: before the `@` of what is in front of the first `/`.
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let is_secret = authority.contains("hunter2hunter2@") && text.matches("hunter2hunter2").count() == 1;
    let hidden = |shown: &str| assert!(!is_secret || !shown.contains("hunter2hunter2"), "{shown}");
    match rescind_stores::redis::testing::url(text) {
        Ok(place) => hidden(&place),
        Err(error) => hidden(&error),
    }
    match rescind_stores::postgres::testing::url(text) {
        Ok(place) => hidden(&place),
        Err(error) => hidden(&error.to_string()),
    }
}
