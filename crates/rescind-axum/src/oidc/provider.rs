//! A provider as it is configured: who it is, how it knows us, and who may come in through it. Owns what is refused at
//! the start; asks nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::address::Reach;
use super::admission::{Admission, Allow};
use super::metadata::{Issuer, Metadata};
use super::secret::ClientSecret;

/// The issuer of the preset.
const GOOGLE: &str = "https://accounts.google.com";

/// A sign-in provider.
#[derive(Clone)]
#[must_use = "a provider does nothing before it is given to `Providers`"]
pub struct Provider {
    pub(super) name: String,
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    pub(super) secret: Option<ClientSecret>,
    pub(super) scopes: String,
    pub(super) admission: Arc<dyn Admission>,
    pub(super) reach: Reach,
    pub(super) timeout: Duration,
    pub(super) preset: Option<Metadata>,
}

/// A provider that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderInvalid {
    /// The name does not fit into a path.
    #[error(
        "provider name {0:?}: 1 to 32 lower-case letters, digits and hyphens; it stands in the path of its sign-in"
    )]
    Name(String),
    /// The issuer is no URL that may be asked.
    #[error("issuer {0:?}: an https URL without query and fragment, as the provider spells it; http only on loopback")]
    Issuer(String),
    /// The client id is empty or cannot be sent.
    #[error(
        "the client id of {0:?} is empty, or has blanks or control characters; the provider gave one at registration"
    )]
    ClientId(String),
}

impl Provider {
    /// A provider that is found by discovery at its issuer. Nobody may come in before [`admit`](Self::admit) says who.
    ///
    /// # Errors
    /// [`ProviderInvalid`].
    pub fn new(name: &str, issuer: &str, client_id: &str) -> Result<Self, ProviderInvalid> {
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !letters || !(1..=32).contains(&name.len()) {
            return Err(ProviderInvalid::Name(name.to_owned()));
        }
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProviderInvalid::ClientId(name.to_owned()));
        }
        let issuer = Issuer::parse(issuer).ok_or_else(|| ProviderInvalid::Issuer(issuer.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            reach: issuer.reach(),
            issuer,
            client_id: client_id.to_owned(),
            secret: None,
            scopes: "openid email profile".to_owned(),
            admission: Arc::new(Allow::nobody()),
            timeout: Duration::from_secs(10),
            preset: None,
        })
    }

    /// Google, under the name `google`. Its metadata are built in, so that a sign-in can begin while Google cannot be
    /// asked for them.
    ///
    /// # Errors
    /// [`ProviderInvalid::ClientId`].
    pub fn google(client_id: &str) -> Result<Self, ProviderInvalid> {
        Ok(Self { preset: Metadata::of_google(), ..Self::new("google", GOOGLE, client_id)? })
    }

    /// The secret that the provider gave us. Without one we are a public client, held by PKCE alone.
    pub fn secret(self, secret: ClientSecret) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// What is asked for. Default `openid email profile`; `openid` is always among it.
    pub fn scopes(self, scopes: &str) -> Self {
        let mut words: Vec<&str> = scopes.split_ascii_whitespace().collect();
        if !words.contains(&"openid") {
            words.insert(0, "openid");
        }
        Self { scopes: words.join(" "), ..self }
    }

    /// Who may come in. Nobody before this is said.
    pub fn admit(self, admission: impl Admission) -> Self {
        Self { admission: Arc::new(admission), ..self }
    }

    /// Says that the provider lives on a private network: its endpoints may have loopback and private addresses. An
    /// issuer whose URL is such an address says so itself.
    pub fn private_network(self) -> Self {
        Self { reach: Reach::Private, ..self }
    }

    /// How long one answer of it may take. Default 10 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("issuer", &self.issuer.text)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
