//! From the configured providers to those of the running server. Owns under which URL they send a browser back, and the
//! warning where nobody new may come in.

use rescind::{BoxError, Rescind};
use rescind_axum::oidc::{Allow, ClientSecret, Provider, Providers, RedirectUri};
use tracing::warn;

use crate::config::{Allowed, GOOGLE, ProviderConfig};
use crate::users::{Door, Users};

/// `None` where none is configured: the issuer may then be any URL. Asks no provider, so one that is down keeps nothing
/// from starting.
///
/// # Errors
/// What is wrong with a provider, or with the issuer as the place to come back to.
pub(super) fn ready(
    configured: &[ProviderConfig],
    rescind: &Rescind,
    users: &Users,
) -> Result<Option<Providers>, BoxError> {
    if configured.is_empty() {
        return Ok(None);
    }
    let made = configured.iter().map(|provider| one(provider, users)).collect::<Result<Vec<_>, BoxError>>()?;
    let redirect = RedirectUri::Under(format!("{}/login", rescind.issuer().trim_end_matches('/')));
    let providers = Providers::new(rescind, redirect, made).map_err(|error| format!("setting issuer: {error}"))?;
    Ok(Some(providers))
}

fn one(configured: &ProviderConfig, users: &Users) -> Result<Provider, BoxError> {
    let ProviderConfig { name, issuer, client_id, secret, scopes, allow } = configured;
    let allow = match allow {
        Allowed::Everyone => Allow::everyone(),
        Allowed::Listed(entries) => Allow::listed(entries.iter().cloned())?,
        Allowed::Nobody => {
            warn!(
                provider = name,
                "nobody new may sign in with it: name in its `allow` who may (@example.com), or add accounts with \
                 `rescind users add --issuer URL --subject SUB`"
            );
            Allow::nobody()
        }
    };
    let provider = if name == GOOGLE { Provider::google(client_id)? } else { Provider::new(name, issuer, client_id)? };
    let provider = provider.scopes(scopes).admit(Door { users: users.clone(), allow });
    Ok(match secret {
        Some(secret) => provider.secret(ClientSecret::new(secret.expose().to_owned())),
        None => provider,
    })
}
