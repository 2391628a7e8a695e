//! A store's URL as libpq's users write it, and what of it the driver does not know. Owns the defaults; opens nothing.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::fault::Fault;
use super::tls::{Roots, Trust};

/// How long a connection may take to be made, signing in included, unless the URL says otherwise.
const CONNECT: Duration = Duration::from_secs(1);

/// How many connections a node has for reads and writes, unless its URL says otherwise.
const POOL: usize = 12;

/// Where the tables are, unless the URL says otherwise.
const SCHEMA: &str = "rescind";

/// What a URL asks for.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) roots: Roots,
    pub(super) schema: String,
    pub(super) pool: usize,
    /// How long a connection may take to be made, signing in included.
    pub(super) connect: Duration,
    /// Hosts and database, for messages: no user, no password.
    pub(super) server: String,
}

/// The parameters that the driver does not know, taken out of the URL.
#[derive(Default)]
struct Ours {
    mode: Option<String>,
    roots: Option<String>,
    schema: Option<String>,
    pool: Option<String>,
}

impl Settings {
    /// One configuration for each server that the URL names, so that all can be tried at once.
    pub(super) fn servers(&self) -> Vec<Config> {
        let config = &self.config;
        let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        let count = hosts.len().max(addresses.len());
        let is_whole = |length: usize| length < 2 || length == count;
        // Lists that do not fit each other are the driver's to refuse.
        if count < 2
            || !is_whole(ports.len())
            || !addresses.is_empty() && !hosts.is_empty() && hosts.len() != addresses.len()
        {
            return vec![config.clone()];
        }
        let server = |n: usize| {
            let mut server = without_hosts(config);
            match hosts.get(n) {
                Some(Host::Tcp(name)) => {
                    server.host(name);
                }
                #[cfg(unix)]
                Some(Host::Unix(path)) => {
                    server.host_path(path);
                }
                None => {}
            }
            if let Some(address) = addresses.get(n) {
                server.hostaddr(*address);
            }
            if let Some(port) = ports.get(n).or(ports.first()) {
                server.port(*port);
            }
            server
        };
        (0..count).map(server).collect()
    }

    /// Reads `postgres://user:password@host:port/database?parameter=value`.
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let (rest, ours) = split(url)?;
        // The driver takes what follows the first `@` for the host, and messages name hosts.
        let ambiguous =
            || Fault::unavailable("the store's URL has more than one @; write an @ in user or password as %40");
        if rest.split('?').next().is_some_and(|base| base.matches('@').count() > 1) {
            return Err(ambiguous());
        }
        let mut config: Config = rest.parse().map_err(|_| {
            // The driver's own message may quote what it could not read.
            Fault::unavailable(
                "the store's URL cannot be read; write postgres://user:password@host:5432/database, with the special \
                 characters of user and password percent-encoded, and no parameter that libpq or Rescind does not know",
            )
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Fault::unavailable(
                "the store's URL names no host; write postgres://user:password@host:5432/database, or \
                 postgres:///database?host=/run/postgresql for a socket on this machine",
            ));
        }
        if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
            return Err(ambiguous());
        }
        let here = config.get_hosts().iter().all(is_here);
        let roots = match ours.roots.as_deref() {
            None | Some("system") => Roots::System,
            Some(path) => Roots::File(PathBuf::from(path)),
        };
        let trust = trust(ours.mode.as_deref(), ours.roots.is_some(), here)?;
        config.ssl_mode(match trust {
            Trust::NoTls => SslMode::Disable,
            Trust::Prefer => SslMode::Prefer,
            Trust::Anybody | Trust::Authority | Trust::Name => SslMode::Require,
        });
        let pool = match ours.pool {
            None => POOL,
            Some(text) => text.parse().ok().filter(|pool| (6..=1000).contains(pool)).ok_or_else(|| {
                Fault::unavailable("pool in the store's URL must be from 6 to 1000: connections of this node")
            })?,
        };
        let schema = ours.schema.unwrap_or_else(|| SCHEMA.to_owned());
        if schema.is_empty() || schema.len() > 63 || schema.contains('\0') || schema.starts_with("pg_") {
            return Err(Fault::unavailable("schema in the store's URL must be 1 to 63 bytes and not start with pg_"));
        }
        defaults(&mut config);
        let server = server(&config, &schema);
        let connect = config.get_connect_timeout().copied().unwrap_or(CONNECT);
        Ok(Self { config, trust, roots, schema, pool, connect, server })
    }
}

impl Settings {
    /// Whether every host is this machine.
    pub(super) fn is_here(&self) -> bool {
        self.config.get_hosts().iter().all(is_here)
    }
}

/// Everything else that was asked for. The driver's type has no way to take hosts out.
fn without_hosts(config: &Config) -> Config {
    let mut rest = Config::new();
    config.get_user().map(|user| rest.user(user));
    config.get_password().map(|password| rest.password(password));
    config.get_dbname().map(|name| rest.dbname(name));
    config.get_options().map(|options| rest.options(options));
    config.get_application_name().map(|name| rest.application_name(name));
    config.get_connect_timeout().map(|limit| rest.connect_timeout(*limit));
    config.get_tcp_user_timeout().map(|limit| rest.tcp_user_timeout(*limit));
    config.get_keepalives_interval().map(|interval| rest.keepalives_interval(interval));
    config.get_keepalives_retries().map(|retries| rest.keepalives_retries(retries));
    rest.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    rest
}

/// What finds a dead link soon, and the primary among several servers.
fn defaults(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(Duration::from_secs(5));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(1));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(5));
    }
    if config.get_application_name().is_none() {
        config.application_name("rescind");
    }
    if config.get_hosts().len() > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

/// libpq's words. Without one, a server elsewhere must prove its name; one on this machine needs no TLS.
fn trust(mode: Option<&str>, has_roots: bool, here: bool) -> Result<Trust, Fault> {
    Ok(match mode {
        None if here && !has_roots => Trust::Prefer,
        None | Some("verify-full") => Trust::Name,
        Some("disable") => Trust::NoTls,
        Some("prefer" | "allow") => Trust::Prefer,
        // As libpq: with a root certificate at hand, the chain is checked.
        Some("require") if has_roots => Trust::Authority,
        Some("require") => Trust::Anybody,
        Some("verify-ca") => Trust::Authority,
        Some(_) => {
            return Err(Fault::unavailable(
                "sslmode in the store's URL must be disable, prefer, require, verify-ca or verify-full",
            ));
        }
    })
}

/// Takes our parameters out of the URL's query.
fn split(url: &str) -> Result<(String, Ours), Fault> {
    let mut ours = Ours::default();
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), ours)) };
    let mut rest = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let target = match key {
            "sslmode" => &mut ours.mode,
            "sslrootcert" => &mut ours.roots,
            "schema" => &mut ours.schema,
            "pool" => &mut ours.pool,
            _ => {
                rest.push(pair);
                continue;
            }
        };
        let value = decode(value).ok_or_else(|| Fault::unavailable(format!("{key} in the store's URL is no text")))?;
        *target = Some(value);
    }
    let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((rest, ours))
}

/// Percent-decodes.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn server(config: &Config, schema: &str) -> String {
    let name = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    };
    let ports = config.get_ports();
    let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
    let hosts: Vec<_> =
        config.get_hosts().iter().enumerate().map(|(n, host)| format!("{}:{}", name(host), port(n))).collect();
    format!("postgres at {}/{} (schema {schema})", hosts.join(","), config.get_dbname().unwrap_or("postgres"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Settings {
        Settings::parse(url).unwrap()
    }

    #[test]
    fn a_server_elsewhere_must_prove_its_name_and_one_here_need_not() {
        for (url, trust) in [
            ("postgres://u@db.example/x", Trust::Name),
            ("postgres://u@10.0.0.1/x?sslmode=require", Trust::Anybody),
            ("postgres://u@db.example/x?sslmode=verify-ca", Trust::Authority),
            ("postgres://u@db.example/x?sslmode=require&sslrootcert=/ca.pem", Trust::Authority),
            ("postgres://u@db.example/x?sslmode=disable", Trust::NoTls),
            ("postgres://u@127.0.0.1/x", Trust::Prefer),
            ("postgres://u@localhost/x?sslrootcert=/ca.pem", Trust::Name),
            ("postgres://u@localhost,db.example/x", Trust::Name),
            ("postgres://u@%2Frun%2Fpostgresql/x", Trust::Prefer),
            ("postgres:///x?host=/run/postgresql", Trust::Prefer),
        ] {
            assert_eq!(parse(url).trust, trust, "{url}");
        }
        assert!(Settings::parse("postgres://u@db.example/x?sslmode=verify").is_err());
    }

    #[test]
    fn what_the_url_says_of_time_limits_stands_and_the_rest_finds_dead_links_soon() {
        let plain = parse("postgres://u@h/x");
        assert_eq!((plain.connect, plain.config.get_connect_timeout()), (CONNECT, Some(&CONNECT)));
        assert_eq!(plain.config.get_keepalives_idle(), Duration::from_secs(5));
        assert_eq!(plain.config.get_tcp_user_timeout(), Some(&Duration::from_secs(5)));
        let told =
            parse("postgres://u@a,b/x?connect_timeout=7&keepalives_idle=9&keepalives_retries=2&tcp_user_timeout=8");
        for config in told.servers().iter().chain([&told.config]) {
            assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
            assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));
            assert_eq!(config.get_keepalives_retries(), Some(2));
            assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(8)));
        }
        assert_eq!(told.connect, Duration::from_secs(7));
    }

    #[test]
    fn no_message_shows_the_password() {
        let settings = parse("postgres://u:hunter2@db.example:5433/x?schema=two%20words&pool=9");
        assert_eq!(settings.server, "postgres at db.example:5433/x (schema two words)");
        assert_eq!((settings.schema.as_str(), settings.pool), ("two words", 9));
        for wrong in ["postgres://u:hunter2@db.example:port/x", "postgres://u:hunter2@h/x?hunter2=hunter2"] {
            let fault = Settings::parse(wrong).err().unwrap();
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
    }

    #[test]
    fn of_several_servers_the_one_that_can_write_is_used() {
        let several = parse("postgres://u@a,b:6000/x");
        assert_eq!(several.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(several.server, "postgres at a:5432,b:6000/x (schema rescind)");
        let each = several.servers();
        assert_eq!(each.len(), 2);
        assert_eq!((each[1].get_hosts(), each[1].get_ports()), (&several.config.get_hosts()[1..], &[6000][..]));
        assert_eq!((each[1].get_user(), each[1].get_dbname()), (Some("u"), Some("x")));
        assert_eq!(each[1].get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(parse("postgres://u@a,b/x").servers()[1].get_ports(), parse("postgres://u@a/x").config.get_ports());
        assert_eq!(parse("postgres://u@a/x").config.get_target_session_attrs(), TargetSessionAttrs::Any);
    }

    #[test]
    fn a_password_with_an_at_sign_is_refused_and_not_shown() {
        for url in ["postgres://u:not@secret@h/d", "postgres://u:not@h/secret@d", "postgres://u:not?a@secret@h/d"] {
            let error = super::Settings::parse(url).err().unwrap().error("open", "nowhere").to_string();
            assert!(error.contains("%40") && !error.contains("secret"), "{error}");
        }
        assert!(super::Settings::parse("postgres://u:not%40secret@h/d").is_ok());
    }
}
