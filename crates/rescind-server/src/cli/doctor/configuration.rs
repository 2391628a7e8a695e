//! The doctor's look at the configuration: the file and the environment as `rescind serve` would read them, and what
//! follows for where things are.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches};
use rescind_stores::redis::Durability;

use super::Finding;
use crate::config::{ADMIN_PORT, Allowed, Config, DATA_DIR, ProviderConfig, ServerUrl, Settings, StoreUrl, read_file};
use crate::environment;

const PART: &str = "configuration";

/// Reads the configuration. A `data` that was named on the command line counts as it does for `rescind serve`.
pub(super) fn look(file: Option<&Path>, data: Option<&Path>) -> (Vec<Finding>, Option<Config>) {
    match read(file, data) {
        Ok(config) => {
            let from = file.map_or_else(|| "environment and defaults".to_owned(), |file| file.display().to_string());
            let mut findings = vec![Finding::ok(PART, format!("{from}; data in {}", config.data.display()))];
            findings.extend(exposed(&config));
            findings.extend(unnamed_proxy(&config));
            findings.extend(config.providers.iter().map(|provider| sign_in_with(provider, &config)));
            (findings, Some(config))
        }
        Err(problem) => {
            let remedy =
                "correct it: the server does not start like this. Files were looked for in their default places";
            (vec![Finding::fail(PART, problem, remedy)], None)
        }
    }
}

fn read(file: Option<&Path>, data: Option<&Path>) -> Result<Config, String> {
    let nothing: [&str; 0] = [];
    let matches = Settings::augment_args(Command::new("serve").no_binary_name(true)).try_get_matches_from(nothing);
    let given = matches.and_then(|matches| Settings::from_arg_matches(&matches));
    let mut settings = given.map_err(|error| format!("environment: {}", one_line(&error.to_string())))?;
    if let Some(file) = file {
        settings = settings.or(read_file(file).map_err(|error| one_line(&error.to_string()))?);
    }
    settings.secrets = environment::provider_secrets().map_err(|error| format!("environment: {error}"))?;
    if let Some(data) = data {
        settings.data = Some(data.to_owned());
    }
    Config::resolve(settings).map_err(|error| one_line(&error.to_string()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The admin listener speaks plain HTTP and has one token: everyone on its network may try.
fn exposed(config: &Config) -> Option<Finding> {
    (!config.admin_listen.ip().is_loopback()).then(|| {
        Finding::warn(
            PART,
            format!("admin_listen {} is reachable from other machines, in plain http", config.admin_listen),
            "listen on 127.0.0.1 and tunnel to it, or keep the address on a network of its own",
        )
    })
}

fn unnamed_proxy(config: &Config) -> Option<Finding> {
    config.proxy_is_unnamed().then(|| {
        Finding::warn(
            PART,
            "the issuer is https://, but no proxy is named: failed sign-ins of all its clients count as one client's",
            "name the TLS proxy's address with trusted_proxies",
        )
    })
}

/// What the provider's console has to know, and who may come in.
fn sign_in_with(provider: &ProviderConfig, config: &Config) -> Finding {
    let base = config.issuer.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let who = match &provider.allow {
        Allowed::Nobody => {
            return Finding::warn(
                "provider",
                format!(
                    "{} ({}): nobody new may sign in, since nothing is in its `allow`",
                    provider.name, provider.issuer
                ),
                "name who may, such as @example.com, or add accounts with `rescind users add --issuer URL --subject SUB`",
            );
        }
        Allowed::Everyone => "everyone with an account there may sign in".to_owned(),
        Allowed::Listed(entries) => format!("{} may sign in", entries.join(", ")),
    };
    let redirect = format!("its redirect URI is {base}/login/{}/callback", provider.name);
    Finding::ok("provider", format!("{} ({}): {who}; {redirect}", provider.name, provider.issuer))
}

/// Where sessions and the log are kept.
pub(super) enum Kept {
    InFile(PathBuf),
    InRedis(ServerUrl, Durability),
    InMemory,
}

impl Kept {
    fn of(config: Config) -> Self {
        match config.store {
            StoreUrl::Sqlite(path) => Self::InFile(path),
            StoreUrl::Redis(url) => Self::InRedis(url, config.durability),
            StoreUrl::Memory => Self::InMemory,
        }
    }

    /// The database's file, where it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::InFile(path) => Some(path),
            _ => None,
        }
    }
}

/// Where things are, as far as that is known.
pub(super) struct Found {
    pub(super) data: PathBuf,
    pub(super) store: Kept,
    pub(super) admin_listen: SocketAddr,
}

impl Found {
    /// By the configuration, or by the defaults where it cannot be read.
    pub(super) fn new(config: Option<Config>, data: Option<&Path>) -> Self {
        if let Some(config) = config {
            let (data, admin_listen) = (config.data.clone(), config.admin_listen);
            return Self { data, store: Kept::of(config), admin_listen };
        }
        let data = data.unwrap_or(Path::new(DATA_DIR)).to_owned();
        let store = Kept::InFile(data.join("rescind.db"));
        Self { data, store, admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)) }
    }
}
