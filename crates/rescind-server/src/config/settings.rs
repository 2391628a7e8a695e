//! What an operator may set, each by a flag, by `RESCIND_…` in the environment, or in the TOML file under the same name
//! with underscores. One struct is read from all three, so that they cannot drift apart. Nothing is decided here.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde::Deserialize;

use super::{ClientRow, ProviderRow, Secrets, Span};

/// Every setting, unset where `None`.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Try it out: data in ./rescind-data, user demo with password demo, the demo page. Loopback only
    #[arg(long, env = "RESCIND_DEV", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) dev: Option<bool>,
    /// Refuse every setting that is only fit for trying out, and a store with the user of --dev
    #[arg(long, env = "RESCIND_PRODUCTION", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", value_parser = BoolishValueParser::new())]
    pub(crate) production: Option<bool>,
    /// The issuer's URL in every token [default: http:// and the listener]
    #[arg(long, env = "RESCIND_ISSUER", value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The audience in every token [default: the issuer]
    #[arg(long, env = "RESCIND_AUDIENCE", value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// The directory of root.key, admin-token, high-water and rescind.db [default: ./rescind-data]
    #[arg(long, env = "RESCIND_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where sessions and the log live: sqlite:PATH, redis://HOST or memory: [default: sqlite:DATA/rescind.db]
    #[arg(long, env = "RESCIND_STORE", value_name = "URL")]
    pub(crate) store: Option<String>,
    /// relaxed accepts a Redis that can forget what it has acknowledged [default: strict]
    #[arg(long, env = "RESCIND_DURABILITY", value_name = "WORD")]
    pub(crate) durability: Option<String>,
    /// The public listener; port 0 takes a free one [default: 127.0.0.1:7000]
    #[arg(long, env = "RESCIND_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The admin listener; keep it off public networks [default: 127.0.0.1:7001]
    #[arg(long, env = "RESCIND_ADMIN_LISTEN", value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// This node's name among those that share the store; no two alike [default: the host's name and random digits]
    #[arg(long, env = "RESCIND_NODE", value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// How new signing keys sign: EdDSA, ES256, RS256, PS256 or HS256 [default: EdDSA]
    #[arg(long, env = "RESCIND_ALGORITHM", value_name = "ALG")]
    pub(crate) algorithm: Option<String>,
    /// How long an access token lives [default: 15m]
    #[arg(long, env = "RESCIND_ACCESS_LIFETIME", value_name = "SPAN")]
    pub(crate) access_lifetime: Option<Span>,
    /// Accept a token this long after its exp, at most 60s [default: 0s]
    #[arg(long, env = "RESCIND_LEEWAY", value_name = "SPAN")]
    pub(crate) leeway: Option<Span>,
    /// A session ends when it was not used this long [default: 14d]
    #[arg(long, env = "RESCIND_SESSION_IDLE", value_name = "SPAN")]
    pub(crate) session_idle: Option<Span>,
    /// A session ends this long after sign-in, whatever happens [default: 30d]
    #[arg(long, env = "RESCIND_SESSION_ABSOLUTE", value_name = "SPAN")]
    pub(crate) session_absolute: Option<Span>,
    /// A refresh token that was just rotated is answered again this long [default: 10s]
    #[arg(long, env = "RESCIND_GRACE", value_name = "SPAN")]
    pub(crate) grace: Option<Span>,
    /// Every node knows of a revocation within this time, or refuses to answer [default: 2s]
    #[arg(long, env = "RESCIND_STALENESS_BOUND", value_name = "SPAN")]
    pub(crate) staleness_bound: Option<Span>,
    /// What to do past that: refuse, ask (the store), or `allow_for:SPAN` [default: refuse]
    #[arg(long, env = "RESCIND_ON_STALE", value_name = "POLICY")]
    pub(crate) on_stale: Option<String>,
    /// Memory for tokens whose signature was checked before [default: 32]
    #[arg(long, env = "RESCIND_TOKEN_CACHE_MIB", value_name = "MIB")]
    pub(crate) token_cache_mib: Option<u32>,
    /// Connections at once on each listener; more wait in the kernel's queue [default: 4096]
    #[arg(long, env = "RESCIND_MAX_CONNECTIONS", value_name = "N")]
    pub(crate) max_connections: Option<u32>,
    /// Connections at once of one address that is no trusted proxy [default: three quarters of all]
    #[arg(long, env = "RESCIND_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub(crate) max_connections_per_address: Option<u32>,
    /// A request's head must be complete in this time; an idle connection is closed after it [default: 15s]
    #[arg(long, env = "RESCIND_HEAD_TIMEOUT", value_name = "SPAN")]
    pub(crate) head_timeout: Option<Span>,
    /// A request's body must be complete in this time [default: 15s]
    #[arg(long, env = "RESCIND_BODY_TIMEOUT", value_name = "SPAN")]
    pub(crate) body_timeout: Option<Span>,
    /// A client that takes nothing of its answer for this time loses its connection [default: 15s]
    #[arg(long, env = "RESCIND_WRITE_TIMEOUT", value_name = "SPAN")]
    pub(crate) write_timeout: Option<Span>,
    /// When told to stop, requests under way have this long to end [default: 10s]
    #[arg(long, env = "RESCIND_DRAIN_TIMEOUT", value_name = "SPAN")]
    pub(crate) drain_timeout: Option<Span>,
    /// The proxies in front, whose X-Forwarded-For says who the client is; separated by commas [default: none]
    #[arg(long, env = "RESCIND_TRUSTED_PROXIES", value_name = "IP,…", value_delimiter = ',')]
    pub(crate) trusted_proxies: Option<Vec<IpAddr>>,
    /// Failed sign-ins per user name from one client address in five minutes before 429 [default: 10]
    #[arg(long, env = "RESCIND_SIGN_IN_FAILURES_PER_USER", value_name = "N")]
    pub(crate) sign_in_failures_per_user: Option<u32>,
    /// Failed sign-ins per user name from all addresses in five minutes before 429 [default: 100]
    #[arg(long, env = "RESCIND_SIGN_IN_FAILURES_PER_USER_IN_ALL", value_name = "N")]
    pub(crate) sign_in_failures_per_user_in_all: Option<u32>,
    /// Failed sign-ins per client address in five minutes before 429 [default: 50]
    #[arg(long, env = "RESCIND_SIGN_IN_FAILURES_PER_ADDRESS", value_name = "N")]
    pub(crate) sign_in_failures_per_address: Option<u32>,
    /// Sign-in with Google: the client's id, as Google's console shows it [default: none]
    #[arg(long, env = "RESCIND_GOOGLE_CLIENT_ID", value_name = "ID")]
    pub(crate) google_client_id: Option<String>,
    /// The file with that client's secret; or the secret itself in `RESCIND_GOOGLE_CLIENT_SECRET`
    #[arg(long, env = "RESCIND_GOOGLE_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub(crate) google_client_secret_file: Option<PathBuf>,
    /// Who may come in: `*`, `@example.com`, `alice@example.com`, `sub:…`; separated by commas [default: nobody new]
    #[arg(long, env = "RESCIND_GOOGLE_ALLOW", value_name = "WHO,…", value_delimiter = ',')]
    pub(crate) google_allow: Option<Vec<String>>,
    /// The name in /login/NAME of one OpenID provider; more of them as `[[providers]]` in the file [default: oidc]
    #[arg(long, env = "RESCIND_OIDC_NAME", value_name = "NAME")]
    pub(crate) oidc_name: Option<String>,
    /// Its issuer's URL, as in its ID tokens
    #[arg(long, env = "RESCIND_OIDC_ISSUER", value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// Under which client id it knows this server
    #[arg(long, env = "RESCIND_OIDC_CLIENT_ID", value_name = "ID")]
    pub(crate) oidc_client_id: Option<String>,
    /// The file with that client's secret; or the secret itself in `RESCIND_OIDC_CLIENT_SECRET`
    #[arg(long, env = "RESCIND_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub(crate) oidc_client_secret_file: Option<PathBuf>,
    /// What is asked for [default: openid email profile]
    #[arg(long, env = "RESCIND_OIDC_SCOPES", value_name = "SCOPES")]
    pub(crate) oidc_scopes: Option<String>,
    /// Who may come in, as for Google [default: nobody new]
    #[arg(long, env = "RESCIND_OIDC_ALLOW", value_name = "WHO,…", value_delimiter = ',')]
    pub(crate) oidc_allow: Option<Vec<String>>,
    /// What is logged, such as info or `rescind_server=debug` [default: info]
    #[arg(long, env = "RESCIND_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// json or text [default: text under --dev, else json]
    #[arg(long, env = "RESCIND_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// The applications that prove themselves with a secret, or rotate in their own way; `[[clients]]` in the file only.
    #[arg(skip)]
    pub(crate) clients: Vec<ClientRow>,
    /// The OpenID providers at which people may sign in; `[[providers]]` in the file only.
    #[arg(skip)]
    pub(crate) providers: Vec<ProviderRow>,
    /// In the environment only: others see flags, and a file is shared.
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) secrets: Secrets,
}

impl Settings {
    /// These settings, and where they are silent, `file`'s.
    #[must_use]
    pub(crate) fn or(self, file: Self) -> Self {
        macro_rules! first_set {
            ($($name:ident)*) => { Self { $($name: self.$name.or(file.$name),)* clients: file.clients, providers: file.providers,
                secrets: self.secrets } };
        }
        first_set!(dev production issuer audience data store durability listen admin_listen node algorithm access_lifetime leeway
            session_idle session_absolute grace staleness_bound on_stale token_cache_mib max_connections max_connections_per_address head_timeout
            body_timeout write_timeout drain_timeout trusted_proxies sign_in_failures_per_user sign_in_failures_per_user_in_all
            sign_in_failures_per_address google_client_id google_client_secret_file google_allow oidc_name oidc_issuer oidc_client_id
            oidc_client_secret_file oidc_scopes oidc_allow log log_format)
    }
}
