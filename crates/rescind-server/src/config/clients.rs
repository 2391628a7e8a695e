//! The applications that the server knows: their class, and how a confidential one proves itself (RFC 6749 §2.3.1).
//! A client that is not listed is public and rotates as a browser. Owns the comparison of secrets; reads no request.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use rescind::id::ClientId;
use rescind::refresh_token::ClientClass;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ConfigError, wrong};

/// One `[[clients]]` row of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientRow {
    /// Its `client_id`.
    id: String,
    /// How its refresh tokens rotate: browser, native, agent, strict or fixed.
    class: Option<String>,
    /// The file that holds its secret. Without one the client is public.
    secret_file: Option<PathBuf>,
}

/// The clients by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clients(HashMap<String, Registered>);

/// A listed client.
#[derive(Clone)]
pub(crate) struct Registered {
    /// Its name.
    pub(crate) id: ClientId,
    /// How its refresh tokens rotate.
    pub(crate) class: ClientClass,
    /// SHA-256 of its secret, so that the comparison's time tells nothing of it.
    secret: Option<[u8; 32]>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("id", &self.id).field("class", &self.class).finish_non_exhaustive()
    }
}

impl Clients {
    pub(super) fn read(rows: Vec<ClientRow>) -> Result<Self, ConfigError> {
        let mut clients = HashMap::with_capacity(rows.len());
        for row in rows {
            let id = ClientId::new(&row.id).map_err(|error| wrong("clients.id", error.to_string()))?;
            let class = row.class.as_deref().map_or(Some(ClientClass::Browser), ClientClass::parse);
            let class = class.ok_or_else(|| {
                wrong("clients.class", format!("client {id}: unknown; one of browser, native, agent, strict, fixed"))
            })?;
            let secret = row.secret_file.as_deref().map(|path| read_secret(&id, path)).transpose()?;
            if class == ClientClass::Fixed && secret.is_none() {
                return Err(wrong(
                    "clients.class",
                    format!("client {id}: fixed never rotates, so it needs a secret_file (RFC 9700 §2.2.2)"),
                ));
            }
            if clients.insert(row.id, Registered { id: id.clone(), class, secret }).is_some() {
                return Err(wrong("clients.id", format!("client {id} is listed twice; leave one out")));
            }
        }
        Ok(Self(clients))
    }

    /// The client of this name, where it is listed.
    pub(crate) fn find(&self, id: &str) -> Option<&Registered> {
        self.0.get(id)
    }

    /// How the refresh tokens of this client rotate.
    pub(crate) fn class(&self, id: &str) -> ClientClass {
        self.find(id).map_or(ClientClass::Browser, |client| client.class)
    }

    /// Whether any client has a secret.
    pub(crate) fn any_confidential(&self) -> bool {
        self.0.values().any(Registered::confidential)
    }
}

impl Registered {
    /// Whether it has a secret to prove itself with.
    pub(crate) const fn confidential(&self) -> bool {
        self.secret.is_some()
    }

    /// Compares the presented secret in constant time; a public client has none and never fits.
    pub(crate) fn proves(&self, presented: &str) -> bool {
        let presented = digest(&SHA256, presented.as_bytes());
        self.secret.is_some_and(|secret| verify_slices_are_equal(&secret, presented.as_ref()).is_ok())
    }
}

fn read_secret(id: &ClientId, path: &std::path::Path) -> Result<[u8; 32], ConfigError> {
    let fault = |problem: String| wrong("clients.secret_file", format!("client {id}, {}: {problem}", path.display()));
    crate::data_dir::refuse_open_to_others(path).map_err(|error| fault(error.to_string()))?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| fault(error.to_string()))?);
    let secret = text.trim_end_matches(['\r', '\n']);
    // 128 bits as hex, base64 or words: below it a secret can be guessed (RFC 6749 §10.10).
    if secret.len() < 22 {
        return Err(fault("shorter than 22 characters; make one with: openssl rand -base64 32".to_owned()));
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    Ok(bytes)
}
