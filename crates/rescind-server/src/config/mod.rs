//! The server's configuration: what is set ([`Settings`]), with defaults, and refused where it contradicts itself.
//! Owns every default of the server; the engine owns its own rules. Opens no socket and makes no file.

mod clients;
mod providers;
mod server_url;
mod settings;
mod span;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rescind::OnStale;
use rescind::keys::Algorithm;
use rescind_stores::redis::Durability;

pub(crate) use self::clients::{ClientRow, Clients, Registered};
pub(crate) use self::providers::{Allowed, GOOGLE, ProviderConfig, ProviderRow, Secret, Secrets};
pub(crate) use self::server_url::ServerUrl;
pub(crate) use self::settings::Settings;
pub(crate) use self::span::Span;

/// The directory of everything where none is set.
pub(crate) const DATA_DIR: &str = "rescind-data";
/// The public listener's port where none is set.
pub(crate) const PORT: u16 = 7000;
/// The admin listener's port where none is set.
pub(crate) const ADMIN_PORT: u16 = 7001;

/// Which kind of life the server leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Trying it out: loopback only, demo user, demo page.
    Dev,
    /// Neither.
    Plain,
    /// Refuses whatever is only fit for trying out.
    Production,
}

/// Where sessions and the log live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// An SQLite database; beside the keys where the path is not set.
    Sqlite(PathBuf),
    /// Redis or Valkey. The URL may hold a password.
    Redis(ServerUrl),
    /// Nowhere: gone when the process ends.
    Memory,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a human.
    Text,
}

/// The configuration: complete, and free of contradictions.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) stage: Stage,
    /// `None`: `http://` and the public listener's real address.
    pub(crate) issuer: Option<String>,
    /// `None`: the issuer.
    pub(crate) audience: Option<String>,
    pub(crate) data: PathBuf,
    pub(crate) store: StoreUrl,
    /// Whether a Redis that can forget is accepted.
    pub(crate) durability: Durability,
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: SocketAddr,
    /// `None`: the host's name and random digits.
    pub(crate) node: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) engine: rescind::Settings,
    pub(crate) limits: Limits,
    /// In canonical form: none is an IPv4 address inside of an IPv6 one.
    pub(crate) trusted_proxies: Arc<[IpAddr]>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) clients: Clients,
    pub(crate) providers: Vec<ProviderConfig>,
}

/// What one caller, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: u32,
    pub(crate) connections_per_address: u32,
    pub(crate) head_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    /// From one address.
    pub(crate) failures_per_user: u32,
    pub(crate) failures_per_user_in_all: u32,
    pub(crate) failures_per_address: u32,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read or has an unknown key or a wrong value.
    #[error("configuration file {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// A setting is wrong, or contradicts another.
    #[error("setting {setting}: {problem}")]
    Setting { setting: &'static str, problem: String },
    /// A variable of the environment holds what it must not.
    #[error("environment: {0}")]
    Environment(String),
}

fn wrong(setting: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Setting { setting, problem: problem.into() }
}

/// Reads the TOML file.
///
/// # Errors
/// [`ConfigError::File`], naming line and key.
pub(crate) fn read_file(path: &Path) -> Result<Settings, ConfigError> {
    let fault = |problem: String| ConfigError::File { path: path.to_owned(), problem };
    let text =
        fs::read_to_string(path).map_err(|error| fault(format!("{error}; check --config and its permissions")))?;
    toml::from_str(&text).map_err(|error| fault(error.to_string()))
}

impl Config {
    /// Fills in the defaults and refuses contradictions.
    ///
    /// # Errors
    /// [`ConfigError`], naming the setting and the remedy. Reads the secret files of clients and providers.
    pub(crate) fn resolve(settings: Settings) -> Result<Self, ConfigError> {
        let stage = stage(&settings)?;
        let listen = settings.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        let admin_listen = settings.admin_listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, ADMIN_PORT)));
        for (setting, address) in [("listen", listen), ("admin_listen", admin_listen)] {
            if stage == Stage::Dev && !address.ip().is_loopback() {
                return Err(wrong(
                    setting,
                    format!(
                        "{address} is not loopback, and --dev opens the door to user demo; leave --dev out, or listen on 127.0.0.1"
                    ),
                ));
            }
        }
        let data = settings.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let store = store(settings.store.as_deref(), &data)?;
        let durability = durability(settings.durability.as_deref(), &store)?;
        if stage == Stage::Production && store == StoreUrl::Memory {
            return Err(wrong(
                "store",
                "memory: forgets every revocation when the process ends; --production needs sqlite:PATH",
            ));
        }
        if let Some(issuer) = &settings.issuer {
            check_issuer(issuer, stage)?;
        } else if stage == Stage::Production {
            return Err(wrong("issuer", "--production needs the https:// URL under which the service is reached"));
        }
        if settings.audience.as_deref() == Some("") {
            return Err(wrong("audience", "empty; leave it out to use the issuer"));
        }
        let providers = providers::read(&settings, stage)?;
        Ok(Self {
            stage,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            data,
            store,
            durability,
            listen,
            admin_listen,
            node: settings.node.clone(),
            algorithm: algorithm(settings.algorithm.as_deref())?,
            engine: engine(&settings)?,
            limits: limits(&settings)?,
            trusted_proxies: settings.trusted_proxies.iter().flatten().map(IpAddr::to_canonical).collect(),
            log: settings.log.clone().unwrap_or_else(|| "info".to_owned()),
            log_format: log_format(settings.log_format.as_deref(), stage)?,
            clients: Clients::read(settings.clients)?,
            providers,
        })
    }

    /// What is said aloud where the operator accepts that the store may forget.
    pub(crate) fn relaxed(&self) -> Option<&'static str> {
        (self.durability == Durability::Relaxed).then_some("relaxed: an acknowledged revocation may be forgotten")
    }

    /// Whether the demo page is there, and the demo user may sign in.
    pub(crate) fn dev(&self) -> bool {
        self.stage == Stage::Dev
    }

    /// Whether a proxy must be in front, which alone can speak TLS, but none is named: all clients then look like one.
    pub(crate) fn proxy_is_unnamed(&self) -> bool {
        let tls = self.issuer.as_deref().is_some_and(|issuer| issuer.starts_with("https:"));
        tls && self.trusted_proxies.is_empty()
    }
}

fn stage(settings: &Settings) -> Result<Stage, ConfigError> {
    match (settings.dev.unwrap_or(false), settings.production.unwrap_or(false)) {
        (true, true) => Err(wrong("dev", "--dev and --production exclude each other; leave one out")),
        (true, false) => Ok(Stage::Dev),
        (false, true) => Ok(Stage::Production),
        (false, false) => Ok(Stage::Plain),
    }
}

fn store(url: Option<&str>, data: &Path) -> Result<StoreUrl, ConfigError> {
    match url.map(|url| (url, url.split_once(':'))) {
        None => Ok(StoreUrl::Sqlite(data.join("rescind.db"))),
        Some((_, Some(("memory", "")))) => Ok(StoreUrl::Memory),
        Some((_, Some(("sqlite", path)))) if !path.is_empty() => Ok(StoreUrl::Sqlite(PathBuf::from(path))),
        Some((url, Some((scheme, _)))) if is_redis(scheme) => Ok(StoreUrl::Redis(ServerUrl::new(url))),
        // The URL itself may hold a password, so it is not repeated.
        Some(_) => Err(wrong("store", "unknown; one of sqlite:PATH, redis://HOST, memory:")),
    }
}

/// Alone, with TLS, by Sentinel, as a cluster: `rediss+sentinel`.
fn is_redis(scheme: &str) -> bool {
    let server = scheme.split_once('+').map_or(scheme, |(server, _)| server);
    matches!(server, "redis" | "rediss" | "valkey" | "valkeys")
}

fn durability(word: Option<&str>, store: &StoreUrl) -> Result<Durability, ConfigError> {
    let Some(word) = word else { return Ok(Durability::Strict) };
    let durability = Durability::parse(word).ok_or_else(|| wrong("durability", "one of strict, relaxed"))?;
    if durability == Durability::Relaxed && !matches!(store, StoreUrl::Redis(_)) {
        return Err(wrong("durability", "relaxed is for redis:// stores; others never forget what they acknowledged"));
    }
    Ok(durability)
}

/// RFC 8414 §2: a URL without query and fragment. `https` is asked of `--production` only: a TLS proxy may stand in front.
fn check_issuer(issuer: &str, stage: Stage) -> Result<(), ConfigError> {
    let uri: http::Uri = issuer.parse().map_err(|_| wrong("issuer", "not a URL; such as https://id.example.com"))?;
    let plain = uri.scheme_str() == Some("http");
    if !(plain || uri.scheme_str() == Some("https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong("issuer", "not an http(s) URL; such as https://id.example.com"));
    }
    if uri.query().is_some() || issuer.contains('#') {
        return Err(wrong("issuer", "has a query or a fragment, which RFC 8414 forbids; leave it out"));
    }
    if plain && stage == Stage::Production {
        return Err(wrong("issuer", "is http://; --production needs https:// (a TLS proxy in front will do)"));
    }
    Ok(())
}

fn algorithm(name: Option<&str>) -> Result<Algorithm, ConfigError> {
    name.map_or(Ok(Algorithm::EdDSA), |name| {
        Algorithm::from_name(name)
            .ok_or_else(|| wrong("algorithm", "unknown; one of EdDSA, ES256, RS256, PS256, HS256"))
    })
}

fn engine(settings: &Settings) -> Result<rescind::Settings, ConfigError> {
    let mut engine = rescind::Settings::default();
    let span = |to: &mut Duration, from: Option<Span>| {
        if let Some(Span(span)) = from {
            *to = span;
        }
    };
    span(&mut engine.access_lifetime, settings.access_lifetime);
    span(&mut engine.leeway, settings.leeway);
    span(&mut engine.idle, settings.session_idle);
    span(&mut engine.absolute, settings.session_absolute);
    span(&mut engine.grace, settings.grace);
    span(&mut engine.staleness_bound, settings.staleness_bound);
    if engine.access_lifetime > Duration::from_hours(24) {
        return Err(wrong("access_lifetime", "is above 1d; revocations are kept in memory for so long"));
    }
    engine.max_access_lifetime = engine.access_lifetime;
    if engine.absolute < engine.idle {
        return Err(wrong("session_absolute", "is below session_idle; idle must be the shorter one"));
    }
    if let Some(policy) = settings.on_stale.as_deref() {
        engine.on_stale = match (policy, policy.strip_prefix("allow_for:").map(str::parse::<Span>)) {
            ("refuse", _) => OnStale::Refuse,
            ("ask", _) => OnStale::Ask,
            (_, Some(Ok(Span(span)))) => OnStale::AllowFor(span),
            _ => return Err(wrong("on_stale", "unknown; one of refuse, ask, allow_for:SPAN such as allow_for:30s")),
        };
    }
    if let Some(mib) = settings.token_cache_mib {
        engine.cache_bytes = usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    }
    engine.validate().map_err(|invalid| wrong(invalid.setting, invalid.problem))?;
    Ok(engine)
}

fn limits(settings: &Settings) -> Result<Limits, ConfigError> {
    let span = |set: Option<Span>, default: u64| set.map_or(Duration::from_secs(default), |span| span.0);
    let connections = settings.max_connections.unwrap_or(4096);
    let limits = Limits {
        connections,
        // A quarter is left to everybody else, whatever one address does.
        connections_per_address: settings.max_connections_per_address.unwrap_or(connections - connections / 4),
        head_timeout: span(settings.head_timeout, 15),
        body_timeout: span(settings.body_timeout, 15),
        write_timeout: span(settings.write_timeout, 15),
        drain_timeout: span(settings.drain_timeout, 10),
        failures_per_user: settings.sign_in_failures_per_user.unwrap_or(10),
        failures_per_user_in_all: settings.sign_in_failures_per_user_in_all.unwrap_or(100),
        failures_per_address: settings.sign_in_failures_per_address.unwrap_or(50),
    };
    for (setting, zero) in [
        ("max_connections", limits.connections == 0),
        ("max_connections_per_address", limits.connections_per_address == 0),
        ("head_timeout", limits.head_timeout.is_zero()),
        ("body_timeout", limits.body_timeout.is_zero()),
        ("write_timeout", limits.write_timeout.is_zero()),
        ("sign_in_failures_per_user", limits.failures_per_user == 0),
        ("sign_in_failures_per_user_in_all", limits.failures_per_user_in_all == 0),
        ("sign_in_failures_per_address", limits.failures_per_address == 0),
    ] {
        if zero {
            return Err(wrong(setting, "is zero, so nobody would be served; leave it out for the default"));
        }
    }
    Ok(limits)
}

fn log_format(name: Option<&str>, stage: Stage) -> Result<LogFormat, ConfigError> {
    match name {
        None if stage == Stage::Dev => Ok(LogFormat::Text),
        None | Some("json") => Ok(LogFormat::Json),
        Some("text") => Ok(LogFormat::Text),
        Some(_) => Err(wrong("log_format", "unknown; one of json, text")),
    }
}

#[cfg(test)]
mod tests;
