//! Following another server in place of a store: what is asked for then, and what contradicts it.

use super::{ConfigError, Secret, Settings, Stage, wrong};
use crate::data_dir::refuse_open_to_others;
use crate::environment::FEED_TOKEN;

/// A shorter one could be guessed.
const SHORTEST: usize = 32;

/// The feed token that is given: of the server that is followed, or where none is, this server's own.
///
/// # Errors
/// [`ConfigError`], naming the setting and the remedy.
pub(super) fn read(settings: &Settings, stage: Stage) -> Result<Option<Secret>, ConfigError> {
    let given = settings.secrets.feed.clone();
    if given.as_ref().is_some_and(|token| !is_token(token.expose())) {
        let problem = format!(
            "{FEED_TOKEN}: must be at least {SHORTEST} characters of a to z, A to Z, 0 to 9 and -._~+/= (RFC 6750 §2.1), such as \
             `openssl rand -hex 32` prints; correct it, or unset it"
        );
        return Err(ConfigError::Environment(problem));
    }
    let Some(url) = &settings.follow else {
        return match settings.feed_token_file {
            Some(_) => Err(wrong(
                "feed_token_file",
                "is the token of a server that is followed; name that with follow, or leave it out",
            )),
            None => Ok(given),
        };
    };
    let uri: Option<http::Uri> = url.parse().ok();
    let web = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none());
    if !web {
        return Err(wrong("follow", "not an http(s) URL; such as http://10.0.0.1:7001, the server's admin listener"));
    }
    let providers = settings.google_client_id.is_some()
        || settings.oidc_issuer.is_some()
        || settings.oidc_client_id.is_some()
        || !settings.providers.is_empty();
    for (setting, is_set, problem) in [
        (
            "store",
            settings.store.is_some(),
            "a server that follows another has no store; leave one of store and follow out",
        ),
        ("dev", stage == Stage::Dev, "a server that follows another signs nobody in; leave one of dev and follow out"),
        ("providers", providers, "a server that follows another signs nobody in; leave them out"),
    ] {
        if is_set {
            return Err(wrong(setting, problem));
        }
    }
    match (given, &settings.feed_token_file) {
        (Some(_), Some(_)) => Err(wrong("feed_token_file", format!("{FEED_TOKEN} is set, too; leave one out"))),
        (Some(token), None) => Ok(Some(token)),
        (None, Some(path)) => {
            let fault = |problem: String| wrong("feed_token_file", format!("{}: {problem}", path.display()));
            refuse_open_to_others(path).map_err(|error| wrong("feed_token_file", error.to_string()))?;
            let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
            let token = Secret::new(text.trim()).ok_or_else(|| fault("is empty".to_owned()))?;
            Ok(Some(token))
        }
        (None, None) => Err(wrong(
            "follow",
            format!(
                "the feed token of that server is missing: it stands in feed-token in its data directory; give it by \
                 feed_token_file, or as {FEED_TOKEN} in the environment"
            ),
        )),
    }
}

/// What a request can carry as a bearer token, and nobody guesses.
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    text.len() >= SHORTEST && text.bytes().all(fits)
}
