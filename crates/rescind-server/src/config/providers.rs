//! The OpenID providers at which people may sign in: the preset `google`, one by flags or environment, and any number by
//! `[[providers]]` in the file. Owns their names, what is refused about them, and who may come in; asks none of them.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rescind_axum::oidc::{Allow, EntryInvalid};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ConfigError, Settings, Stage, wrong};
use crate::environment::{GOOGLE_CLIENT_SECRET, OIDC_CLIENT_SECRET};

/// The preset's name, in its routes and in the file.
pub(crate) const GOOGLE: &str = "google";
/// What the preset's ID tokens carry as `iss`.
pub(crate) const GOOGLE_ISSUER: &str = "https://accounts.google.com";
/// What is asked for where nothing is said: the e-mail address decides who may come in.
const SCOPES: &str = "openid email profile";
/// A name stands in a path and on a button.
const NAME_LIMIT: usize = 32;

/// One `[[providers]]` row of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderRow {
    /// Its name in `/login/NAME`.
    name: String,
    /// Its issuer's URL; the preset `google` needs none.
    issuer: Option<String>,
    /// Under which name it knows this server.
    client_id: String,
    /// The file that holds the client's secret. Without one this server is a public client.
    secret_file: Option<PathBuf>,
    /// What is asked for.
    scopes: Option<String>,
    /// Who may come in.
    #[serde(default)]
    allow: Vec<String>,
}

/// A client's secret at a provider. It has no text but through [`expose`](Self::expose).
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

/// The clients' secrets that stand in the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    pub(crate) feed: Option<Secret>,
    pub(crate) google: Option<Secret>,
    pub(crate) oidc: Option<Secret>,
}

/// A provider, free of contradictions.
#[derive(Debug, Clone)]
pub(crate) struct ProviderConfig {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) secret: Option<Secret>,
    pub(crate) scopes: String,
    pub(crate) allow: Allowed,
}

/// Who may come in who has not been added by an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Nothing is said, so nobody.
    Nobody,
    /// Whoever has an account at the provider.
    Everyone,
    /// By verified e-mail address, by its domain, or by the provider's `sub`.
    Listed(Vec<String>),
}

/// Where a provider's settings come from, to name them in an error.
struct Origin {
    name: &'static str,
    issuer: &'static str,
    client_id: &'static str,
    secret_file: &'static str,
    scopes: &'static str,
    allow: &'static str,
}

const ROW: Origin = Origin {
    name: "providers.name",
    issuer: "providers.issuer",
    client_id: "providers.client_id",
    secret_file: "providers.secret_file",
    scopes: "providers.scopes",
    allow: "providers.allow",
};
const BY_GOOGLE: Origin =
    Origin { client_id: "google_client_id", secret_file: "google_client_secret_file", allow: "google_allow", ..ROW };
const BY_OIDC: Origin = Origin {
    name: "oidc_name",
    issuer: "oidc_issuer",
    client_id: "oidc_client_id",
    secret_file: "oidc_client_secret_file",
    scopes: "oidc_scopes",
    allow: "oidc_allow",
};

impl Secret {
    /// A secret as it stands in a file or in the environment, of which a line's end is no part.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['\r', '\n']);
        (!text.is_empty()).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret itself, for the provider's token endpoint and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl ProviderConfig {
    /// The name as people read it: on a button, and in a sentence.
    pub(crate) fn title(&self) -> String {
        let mut letters = self.name.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }
}

/// All providers that are set, in the order in which they are offered.
///
/// # Errors
/// [`ConfigError::Setting`], naming the setting and the remedy. Reads the secret files.
pub(super) fn read(settings: &Settings, stage: Stage) -> Result<Vec<ProviderConfig>, ConfigError> {
    let mut providers: Vec<ProviderConfig> = Vec::new();
    let rows = settings.providers.iter().cloned().map(|row| (row, None, &ROW));
    let flags = [google(settings)?, oidc(settings)?].into_iter().flatten();
    for (row, secret, from) in flags.chain(rows) {
        let provider = provider(row, secret, from, stage)?;
        if providers.iter().any(|other| other.name == provider.name) {
            return Err(wrong(from.name, format!("{} is there twice; leave one out", provider.name)));
        }
        // An account is the issuer's name for somebody, so two of one issuer would share their accounts.
        if let Some(other) = providers.iter().find(|other| other.issuer == provider.issuer) {
            let problem = format!("{} is the issuer of {} already; leave one out", provider.issuer, other.name);
            return Err(wrong(from.issuer, problem));
        }
        providers.push(provider);
    }
    if !providers.is_empty() {
        check_way_back(settings)?;
    }
    Ok(providers)
}

/// A provider sends a browser back with a code: to `https`, or to this machine.
fn check_way_back(settings: &Settings) -> Result<(), ConfigError> {
    let fits = match &settings.issuer {
        Some(issuer) => issuer.starts_with("https:") || is_local(issuer),
        None => settings.listen.is_none_or(|listen| listen.ip().is_loopback()),
    };
    if fits {
        return Ok(());
    }
    let problem = "a provider sends people back to it, so it must be https:// (a TLS proxy in front will do); http:// is \
        taken for this machine's own addresses only";
    Err(wrong("issuer", problem))
}

/// Whether an `http://` URL leads to this machine.
fn is_local(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok().filter(|uri: &http::Uri| uri.scheme_str() == Some("http"));
    let host = uri.as_ref().and_then(http::Uri::host).map(|host| host.trim_matches(['[', ']']));
    // RFC 6761 §6.3: also what is below it.
    let named = |host: &str| host == "localhost" || host.ends_with(".localhost");
    host.is_some_and(|host| named(host) || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

/// A row, a secret that does not come from its file, and what its settings are called.
type Given = (ProviderRow, Option<Secret>, &'static Origin);

fn google(settings: &Settings) -> Result<Option<Given>, ConfigError> {
    let secret = settings.secrets.google.clone();
    let Some(client_id) = settings.google_client_id.clone() else {
        let lonely = [
            (GOOGLE_CLIENT_SECRET, secret.is_some()),
            ("google_client_secret_file", settings.google_client_secret_file.is_some()),
            ("google_allow", settings.google_allow.is_some()),
        ];
        return match lonely.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(wrong("google_client_id", format!("is not set, but {name} is; set both or none"))),
            None => Ok(None),
        };
    };
    let row = ProviderRow {
        name: GOOGLE.to_owned(),
        issuer: None,
        client_id,
        secret_file: settings.google_client_secret_file.clone(),
        scopes: None,
        allow: settings.google_allow.clone().unwrap_or_default(),
    };
    refuse_both(&row, secret.as_ref(), BY_GOOGLE.secret_file, GOOGLE_CLIENT_SECRET)?;
    Ok(Some((row, secret, &BY_GOOGLE)))
}

fn oidc(settings: &Settings) -> Result<Option<Given>, ConfigError> {
    let secret = settings.secrets.oidc.clone();
    let is_set = [
        ("oidc_name", settings.oidc_name.is_some()),
        ("oidc_issuer", settings.oidc_issuer.is_some()),
        ("oidc_client_id", settings.oidc_client_id.is_some()),
        (OIDC_CLIENT_SECRET, secret.is_some()),
        ("oidc_client_secret_file", settings.oidc_client_secret_file.is_some()),
        ("oidc_scopes", settings.oidc_scopes.is_some()),
        ("oidc_allow", settings.oidc_allow.is_some()),
    ];
    let Some((first, _)) = is_set.into_iter().find(|(_, is_set)| *is_set) else { return Ok(None) };
    let needed = |setting, value: &Option<String>| {
        let missing =
            || wrong(setting, format!("is not set, but {first} is; oidc_issuer and oidc_client_id go together"));
        value.clone().ok_or_else(missing)
    };
    let row = ProviderRow {
        issuer: Some(needed("oidc_issuer", &settings.oidc_issuer)?),
        client_id: needed("oidc_client_id", &settings.oidc_client_id)?,
        name: settings.oidc_name.clone().unwrap_or_else(|| "oidc".to_owned()),
        secret_file: settings.oidc_client_secret_file.clone(),
        scopes: settings.oidc_scopes.clone(),
        allow: settings.oidc_allow.clone().unwrap_or_default(),
    };
    refuse_both(&row, secret.as_ref(), BY_OIDC.secret_file, OIDC_CLIENT_SECRET)?;
    Ok(Some((row, secret, &BY_OIDC)))
}

/// One of two secrets would be wrong without a word.
fn refuse_both(
    row: &ProviderRow,
    secret: Option<&Secret>,
    setting: &'static str,
    variable: &str,
) -> Result<(), ConfigError> {
    if row.secret_file.is_some() && secret.is_some() {
        return Err(wrong(setting, format!("is set, and {variable} is too; leave one out")));
    }
    Ok(())
}

fn provider(
    row: ProviderRow,
    secret: Option<Secret>,
    from: &Origin,
    stage: Stage,
) -> Result<ProviderConfig, ConfigError> {
    let ProviderRow { name, issuer, client_id, secret_file, scopes, allow } = row;
    check_name(&name, from)?;
    let issuer = match issuer {
        None if name == GOOGLE => GOOGLE_ISSUER.to_owned(),
        None => return Err(wrong(from.issuer, format!("provider {name}: is missing; its URL, as in its ID tokens"))),
        Some(issuer) if (name == GOOGLE) != (issuer == GOOGLE_ISSUER) => {
            let problem = format!("provider {name}: {GOOGLE} and {GOOGLE_ISSUER} belong together; choose another name");
            return Err(wrong(from.issuer, problem));
        }
        Some(issuer) => issuer,
    };
    check_issuer(&name, &issuer, from, stage)?;
    if client_id.is_empty() || client_id.chars().any(|c| c.is_control() || c == ' ') {
        let remedy = "is empty or has a blank; copy it from the provider's console";
        return Err(wrong(from.client_id, format!("provider {name}: {remedy}")));
    }
    let secret = match secret_file {
        Some(path) => Some(read_secret(&name, &path, from)?),
        None => secret,
    };
    if name == GOOGLE && secret.is_none() {
        let problem =
            format!("provider {name} has no secret, which Google asks for; set this, or {GOOGLE_CLIENT_SECRET}");
        return Err(wrong(from.secret_file, problem));
    }
    let scopes = scopes.unwrap_or_else(|| SCOPES.to_owned());
    // OpenID Connect Core §3.1.2.1: without `openid` the answer is no ID token.
    if !scopes.split(' ').any(|scope| scope == "openid") || scopes.chars().any(char::is_control) {
        return Err(wrong(from.scopes, format!("provider {name}: openid must be among them; such as {SCOPES:?}")));
    }
    let allow = allowed(&name, allow, from)?;
    Ok(ProviderConfig { name, issuer, client_id, secret, scopes, allow })
}

fn check_name(name: &str, from: &Origin) -> Result<(), ConfigError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(plain) {
        let problem = "stands in /login/NAME: 1 to 32 of a-z, 0-9 and -; correct it";
        return Err(wrong(from.name, problem));
    }
    Ok(())
}

/// OpenID Connect Discovery §3: `https`, no query, no fragment. Plain `http` stays on this machine, and out of production.
fn check_issuer(name: &str, issuer: &str, from: &Origin, stage: Stage) -> Result<(), ConfigError> {
    let fault = |problem: &str| wrong(from.issuer, format!("provider {name}: {problem}"));
    let uri: http::Uri = issuer.parse().map_err(|_| fault("not a URL; such as https://accounts.example.com"))?;
    if uri.host().is_none_or(str::is_empty) || issuer.contains(['?', '#', '@', '|']) {
        return Err(fault("not a URL without query, fragment and user; such as https://accounts.example.com"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if stage == Stage::Production => {
            Err(fault("is http://, which is only fit for trying out; --production needs https://"))
        }
        Some("http") if is_local(issuer) => Ok(()),
        _ => Err(fault("is not https://; http:// is taken for this machine's own addresses only")),
    }
}

fn read_secret(name: &str, path: &Path, from: &Origin) -> Result<Secret, ConfigError> {
    let fault = |problem: &str| wrong(from.secret_file, format!("provider {name}, {}: {problem}", path.display()));
    crate::data_dir::refuse_open_to_others(path).map_err(|error| wrong(from.secret_file, error.to_string()))?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| fault(&error.to_string()))?);
    Secret::new(&text).ok_or_else(|| fault("is empty; write the client's secret into it"))
}

fn allowed(name: &str, entries: Vec<String>, from: &Origin) -> Result<Allowed, ConfigError> {
    let named = entries.iter().filter(|entry| *entry != "*").cloned();
    if let Err(EntryInvalid(entry)) = Allow::listed(named) {
        let problem = format!("provider {name}: {entry:?} is none of *, @domain, name@domain, sub:SUBJECT");
        return Err(wrong(from.allow, problem));
    }
    Ok(match entries.as_slice() {
        [] => Allowed::Nobody,
        entries if entries.iter().any(|entry| entry == "*") => Allowed::Everyone,
        _ => Allowed::Listed(entries),
    })
}
