//! The server that a family attacks: the real binary with a ring that is known here. Owns how it is configured.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use rescind::keys::Algorithm;

use crate::idp::{self, Idp};
use crate::keys::Keys;
use crate::support::{self, JSON, Pair, Server, exchange};

/// The secret of the confidential client `backend`.
pub(crate) const CLIENT_SECRET: &str = "a-secret-of-some-forty-characters-or-more";

/// So many failed sign-ins that no test waits for another.
pub(crate) const PATIENT: [&str; 6] = [
    "--sign-in-failures-per-user",
    "10000",
    "--sign-in-failures-per-user-in-all",
    "10000",
    "--sign-in-failures-per-address",
    "10000",
];

/// A running server, and what the tests know of it.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) admin_token: String,
    /// The provider at which people may sign in there; it ends with the test.
    idp: Option<Idp>,
    logout_tokens: AtomicUsize,
}

impl Rig {
    /// The server of this name in a vector's first block.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "plain" => Self::start(&[Algorithm::EdDSA], &[], None),
            "every-algorithm" => Self::start(&Algorithm::EVERY, &[], None),
            "json-log" => Self::start(&[Algorithm::EdDSA], &["--log-format", "json"], None),
            "patient" => Self::start(&[Algorithm::EdDSA], &PATIENT, None),
            "clients" => Self::start(&[Algorithm::EdDSA], &["--config", "rescind.toml"], None),
            "provider" => {
                let idp = Idp::start();
                let issuer = idp.issuer();
                let flags = ["--oidc-name", "acme", "--oidc-issuer", &issuer, "--oidc-client-id", idp::CLIENT];
                Self::start(&[Algorithm::EdDSA], &flags, Some(idp))
            }
            _ => panic!("no server {name}"),
        }
    }

    /// A server with these flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::start(&[Algorithm::EdDSA], flags, None)
    }

    fn start(algorithms: &[Algorithm], flags: &[&str], idp: Option<Idp>) -> Self {
        let home = support::home();
        let secret = home.path().join("backend.secret");
        fs::write(&secret, CLIENT_SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let clients = format!("[[clients]]\nid = 'backend'\nclass = 'strict'\nsecret_file = '{}'\n", secret.display());
        fs::write(home.path().join("rescind.toml"), clients).unwrap();
        let keys = Keys::plant(&home.path().join("data"), algorithms);
        let server = Server::dev_in(&home, flags);
        let admin_token = server.admin_token();
        Self { server, keys, admin_token, idp, logout_tokens: AtomicUsize::new(0) }
    }

    /// A session as a trusted backend opens it.
    pub(crate) fn open(&self, subject: &str) -> Pair {
        let bearer = format!("Bearer {}", self.admin_token);
        let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
        let body = format!(r#"{{"subject":"{subject}"}}"#);
        exchange(self.server.admin, "POST", "/admin/v1/sessions", &headers, body.as_bytes()).pair()
    }

    /// A logout token of the provider's, which names somebody who has never been here.
    pub(crate) fn logout_token(&self) -> String {
        let number = self.logout_tokens.fetch_add(1, Ordering::Relaxed);
        let idp = self.idp.as_ref().expect("a server with a provider");
        idp.logout_token(&format!("logout-{number}"), &serde_json::json!({ "sub": "nobody-of-here" }))
    }

    /// What opens the log to a follower.
    pub(crate) fn feed_token(&self) -> String {
        fs::read_to_string(self.server.data().join("feed-token")).unwrap().trim().to_owned()
    }
}
