//! The providers of a service at run time, and the first half of a sign-in: off to the provider. Owns where a browser is
//! sent back to; what happens then is `callback`'s.

use std::fmt;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind::Rescind;
use rescind::keys::CookieSeal;
use url::Url;

use super::error::{SignInError, SignInFault};
use super::fetch::Fetcher;
use super::keys::KeySet;
use super::metadata::{Discovery, Metadata, is_plain_loopback};
use super::provider::Provider;
use super::remembered::Remembered;
use super::return_to::is_local;
use super::transaction::{self, Carrier, Transaction};

/// Where providers send a browser back to. The same text has to be registered at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectUri {
    /// Each provider to a place of its own: this URL, `/`, the provider's name, `/callback`.
    Under(String),
    /// The one provider that there is to this URL.
    Exactly(String),
}

/// Providers that cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersInvalid {
    /// The place to come back to is no URL of ours.
    #[error(
        "{0:?} is no place to come back to: an https URL without fragment, and without query where a provider's name follows; http only on loopback"
    )]
    RedirectUri(String),
    /// Several providers send back to one place, where one of them could pass another's code off as its own (RFC 9700
    /// §4.4).
    #[error("several providers cannot share a place to come back to; use `RedirectUri::Under`")]
    SharedRedirectUri,
    /// Two providers have one name.
    #[error("two providers are named {0:?}; give each a name of its own")]
    DuplicateName(String),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}; the machine's root certificates must be readable")]
    Client(#[from] reqwest::Error),
}

/// The providers that one may sign in with. Clones share everything.
#[derive(Clone)]
pub struct Providers(pub(super) Arc<Shared>, pub(super) Carrier);

pub(super) struct Shared {
    pub(super) rescind: Rescind,
    pub(super) seal: CookieSeal,
    redirect: RedirectUri,
    /// The least that `redirect` asks of the cookie.
    least: Carrier,
    known: Vec<Known>,
}

/// A provider, and what was fetched of it.
pub(super) struct Known {
    pub(super) provider: Provider,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) metadata: Arc<Remembered<Discovery>>,
    pub(super) keys: Arc<Remembered<KeySet>>,
}

/// A sign-in that has begun: send the browser to `location`, with the cookie.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The provider's page.
    pub location: Url,
    /// The sealed sign-in, which the browser has to bring back.
    pub set_cookie: HeaderValue,
}

impl Providers {
    /// Takes the providers. Asks none of them: a service starts while its providers are down.
    ///
    /// # Errors
    /// [`ProvidersInvalid`].
    pub fn new(rescind: &Rescind, redirect: RedirectUri, providers: Vec<Provider>) -> Result<Self, ProvidersInvalid> {
        let (RedirectUri::Under(text) | RedirectUri::Exactly(text)) = &redirect;
        let place = Url::parse(text).ok().filter(|url| match redirect {
            // A provider's name would stand in the query.
            RedirectUri::Under(_) => url.query().is_none(),
            RedirectUri::Exactly(_) => true,
        });
        let least = place.as_ref().and_then(carrier_to).ok_or_else(|| ProvidersInvalid::RedirectUri(text.clone()))?;
        if matches!(redirect, RedirectUri::Exactly(_)) && providers.len() > 1 {
            return Err(ProvidersInvalid::SharedRedirectUri);
        }
        let mut known: Vec<Known> = Vec::with_capacity(providers.len());
        for provider in providers {
            if known.iter().any(|other| other.provider.name == provider.name) {
                return Err(ProvidersInvalid::DuplicateName(provider.name));
            }
            known.push(Known::new(provider, rescind)?);
        }
        let seal = rescind.root_secret().cookie_seal(transaction::PURPOSE);
        Ok(Self(Arc::new(Shared { rescind: rescind.clone(), seal, redirect, least, known }), Carrier::Secure))
    }

    /// Carries a sign-in in a cookie without `Secure` and `__Host-` where browsers come back by plain HTTP, which is on
    /// loopback; elsewhere it changes nothing. For trying out.
    ///
    /// Chromium sends a `Secure` cookie to loopback over plain HTTP all the same. Safari and most clients that are no
    /// browser do not, and their sign-in comes back as a stranger's.
    #[must_use]
    pub fn plain_cookie_on_loopback(self) -> Self {
        let least = self.0.least;
        Self(self.0, least)
    }

    /// The providers' names, in the order in which they were given; for a sign-in page.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.known.iter().map(|known| known.provider.name.as_str())
    }

    /// Begins a sign-in. `return_to` is a path on this origin, for later.
    ///
    /// **Cost:** the provider's metadata are fetched where they are not known or old; nothing is written.
    ///
    /// # Errors
    /// [`SignInFault::UnknownProvider`], [`SignInFault::BadReturnTo`], [`SignInFault::Provider`] where the provider does
    /// not say where its page is.
    pub async fn begin(&self, name: &str, return_to: Option<&str>) -> Result<Begun, SignInError> {
        let begun = self.begin_unlogged(name, return_to).await;
        begun.inspect_err(|fault| log(self.known(name), fault)).map_err(SignInError::from)
    }

    async fn begin_unlogged(&self, name: &str, return_to: Option<&str>) -> Result<Begun, SignInFault> {
        let known = self.known(name).ok_or(SignInFault::UnknownProvider)?;
        if return_to.is_some_and(|path| !is_local(path)) {
            return Err(SignInFault::BadReturnTo);
        }
        let metadata = known.metadata.get().await?.document;
        let (rescind, provider) = (&self.0.rescind, &known.provider);
        let random = &**rescind.random();
        let names = (provider.name.as_str(), provider.issuer.text.as_str());
        let begun = rescind.clock().wall();
        let transaction = Transaction::begin(names, self.redirect_uri(name), return_to, begun, random)?;
        let cookie = transaction.cookie(self.1, &self.0.seal, random)?;
        let set_cookie = HeaderValue::try_from(cookie);
        let mut set_cookie = set_cookie.map_err(|error| rescind::Error::Internal(error.into()))?;
        set_cookie.set_sensitive(true);
        Ok(Begun { location: authorization_url(&metadata, provider, &transaction), set_cookie })
    }

    pub(super) fn known(&self, name: &str) -> Option<&Known> {
        self.0.known.iter().find(|known| known.provider.name == name)
    }

    /// Whether a callback whose path says `named` may be one of this provider: its own place says its name.
    pub(super) fn comes_back_to(&self, named: Option<&str>, provider: &str) -> bool {
        match (&self.0.redirect, named) {
            (_, Some(named)) => named == provider,
            (RedirectUri::Exactly(_), None) => true,
            (RedirectUri::Under(_), None) => false,
        }
    }

    fn redirect_uri(&self, name: &str) -> String {
        match &self.0.redirect {
            RedirectUri::Under(base) => format!("{}/{name}/callback", base.trim_end_matches('/')),
            RedirectUri::Exactly(url) => url.clone(),
        }
    }
}

/// How a browser that comes back to this URL carries its sign-in; `None` where nobody may come back to it.
fn carrier_to(url: &Url) -> Option<Carrier> {
    match url.scheme() {
        _ if url.fragment().is_some() => None,
        "https" => Some(Carrier::Secure),
        _ => is_plain_loopback(url).then_some(Carrier::Loopback),
    }
}

impl Known {
    fn new(provider: Provider, rescind: &Rescind) -> Result<Self, reqwest::Error> {
        let fetcher = Arc::new(Fetcher::new(provider.reach, provider.timeout)?);
        let (name, clock) = (&provider.name, rescind.clock());
        let discovery = Discovery {
            provider: name.clone(),
            issuer: provider.issuer.clone(),
            fetcher: Arc::clone(&fetcher),
            preset: provider.preset.clone(),
        };
        let metadata = Remembered::new(discovery, Arc::clone(clock));
        let keys = KeySet { provider: name.clone(), metadata: Arc::clone(&metadata), fetcher: Arc::clone(&fetcher) };
        let keys = Remembered::new(keys, Arc::clone(clock));
        Ok(Self { provider, fetcher, metadata, keys })
    }
}

impl Begun {
    /// The answer that sends the browser off. `asked` are the headers of its request: where it has more sign-ins under
    /// way than anybody finishes, the surplus is cleared.
    pub fn respond(&self, asked: &HeaderMap) -> axum_core::response::Response {
        let mut response = axum_core::response::Response::default();
        // RFC 9700 §4.12: 303, so that no form is sent along.
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        if let Ok(location) = HeaderValue::try_from(self.location.as_str()) {
            headers.insert(LOCATION, location);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.append(SET_COOKIE, self.set_cookie.clone());
        for cookie in transaction::clearing_surplus(asked) {
            headers.append(SET_COOKIE, cookie);
        }
        response
    }
}

/// OpenID Connect Core §3.1.2.1, RFC 7636 §4.3.
fn authorization_url(metadata: &Metadata, provider: &Provider, transaction: &Transaction) -> Url {
    let mut url = metadata.authorization.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", &transaction.redirect_uri)
        .append_pair("scope", &provider.scopes)
        .append_pair("state", &transaction.state)
        .append_pair("nonce", &transaction.nonce)
        .append_pair("code_challenge", &transaction.challenge())
        .append_pair("code_challenge_method", "S256");
    url
}

/// Says in the log why a sign-in did not come about. Names only providers that are configured, and no token or code.
pub(super) fn log(known: Option<&Known>, fault: &SignInFault) {
    let provider = known.map_or("unknown", |known| known.provider.name.as_str());
    tracing::warn!(provider, reason = %fault, "a sign-in with a provider did not come about");
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Providers").field(&self.names().collect::<Vec<_>>()).finish()
    }
}
