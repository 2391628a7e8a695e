//! Building a handle that follows: what is asked of the other node first, and what must agree with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rescind::store::StoreError;
use rescind::time::{Clock, SystemClock};
use rescind::{BoxError, BuildError, Builder, Rescind, Settings};
use url::Url;
use zeroize::Zeroizing;

use super::keys::JwkSetAt;
use super::store::FeedStore;
use super::stream;
use super::upstream::Upstream;
use super::wire::About;

/// Collects what a handle needs that follows another node.
#[must_use = "nothing happens before `build`"]
pub struct FollowBuilder {
    url: String,
    token: Option<Zeroizing<String>>,
    token_file: Option<PathBuf>,
    issuer: Option<String>,
    audience: Option<Audience>,
    jwks: Option<String>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    more: Vec<Box<dyn FnOnce(Builder) -> Builder + Send>>,
}

enum Audience {
    Named(String),
    Issuer,
}

/// A handle that follows, and what a relay needs beside it.
#[derive(Debug)]
pub struct Following {
    /// The handle.
    pub rescind: Rescind,
    /// The log, for a reader beside the handle.
    pub log: FeedStore,
    /// Where the issuer's keys are.
    pub jwks_uri: String,
}

/// Why a handle that follows could not be built.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The builder lacks something.
    #[error("the builder lacks {0}")]
    Missing(&'static str),
    /// A URL cannot be used.
    #[error("{0}: must be an http or https URL without user, query and fragment")]
    Url(&'static str),
    /// The token cannot be one.
    #[error(
        "the feed token is empty or has blanks; it is the one line of the file feed-token in the server's data directory"
    )]
    Token,
    /// The token's file cannot be read.
    #[error("feed token file {}: {source}; check the path and its permissions", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The node that is to be followed did not answer, or refused.
    #[error("the node that is to be followed: {0}")]
    Upstream(BoxError),
    /// The node is of another issuer.
    #[error("the node that is to be followed is of issuer {theirs}, and not of {given}; correct the URL or the issuer")]
    Issuer {
        /// The one that was given.
        given: String,
        /// The one that it says.
        theirs: String,
    },
    /// The handle could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl FollowBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            token: None,
            token_file: None,
            issuer: None,
            audience: None,
            jwks: None,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            more: Vec::new(),
        }
    }

    /// The feed token of the node that is followed: it reads the feed and the snapshot, and nothing else. Required, or
    /// [`feed_token_file`](Self::feed_token_file).
    pub fn feed_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Zeroizing::new(token.into()));
        self
    }

    /// The file in which the feed token stands. Read when the handle is built.
    pub fn feed_token_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.token_file = Some(file.into());
        self
    }

    /// The audience of this service, which every token must name. Required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(Audience::Named(audience.into()));
        self
    }

    /// Takes the issuer for the audience, as a server does where none is set.
    pub fn audience_of_issuer(mut self) -> Self {
        self.audience = Some(Audience::Issuer);
        self
    }

    /// The issuer that the node must be of. Without it, the node's word is taken.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Where the issuer's JWK Set is, if this service does not reach it under the URL that the node names.
    pub fn jwks(mut self, url: impl Into<String>) -> Self {
        self.jwks = Some(url.into());
        self
    }

    /// Bound, policies, leeway and cache. What concerns issuing has no effect; how long tokens live is the node's word.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// A file of this process alone, by which it finds out after a restart that the node that it follows was put back
    /// to an older copy.
    pub fn high_water(self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        self.with(move |builder| builder.high_water(file))
    }

    /// Tells the time in place of the machine's clocks.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Whatever else a handle can be given: `.with(|builder| builder.also_check(…))`.
    pub fn with(mut self, more: impl FnOnce(Builder) -> Builder + Send + 'static) -> Self {
        self.more.push(Box::new(more));
        self
    }

    /// Asks the node for its issuer and lifetimes, fetches the keys, and loads a snapshot before anything is answered.
    ///
    /// # Errors
    /// [`FollowError`] names what is missing or wrong, and the remedy.
    pub async fn build(self) -> Result<Rescind, FollowError> {
        self.follow().await.map(|following| following.rescind)
    }

    /// The same, and what a relay needs to serve the log onward.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub async fn follow(self) -> Result<Following, FollowError> {
        let audience =
            self.audience.ok_or(FollowError::Missing("an audience: the name of this service in its tokens"))?;
        let authorization = authorization(self.token, self.token_file.as_deref())?;
        let base = web(&self.url).ok_or(FollowError::Url("the URL to follow"))?;
        let bound = self.settings.staleness_bound;
        let upstream = Upstream::new(base, authorization, Arc::clone(&self.clock), bound);
        let upstream = Arc::new(upstream.map_err(FollowError::Upstream)?);
        let About { issuer, jwks_uri, max_access_lifetime, .. } =
            upstream.about().await.map_err(|error| FollowError::Upstream(error.into()))?;
        if let Some(given) = self.issuer.filter(|given| *given != issuer) {
            return Err(FollowError::Issuer { given, theirs: issuer });
        }
        let audience = match audience {
            Audience::Named(audience) => audience,
            Audience::Issuer => issuer.clone(),
        };
        let jwks_uri = self.jwks.unwrap_or(jwks_uri);
        let jwks = web(&jwks_uri).ok_or(FollowError::Url("the URL of the issuer's keys"))?;
        let keys = JwkSetAt::new(jwks).map_err(|error| FollowError::Upstream(error.into()))?;
        let builder = Rescind::builder(issuer, audience)
            .settings(allowing(self.settings, Duration::from_secs(max_access_lifetime)))
            .store(FeedStore::new(Arc::clone(&upstream)))
            .published_keys(keys)
            .clock(self.clock);
        let rescind = self.more.into_iter().fold(builder, |builder, more| more(builder)).build().await?;
        tokio::spawn(stream::listen(Arc::downgrade(&upstream)));
        Ok(Following { rescind, log: FeedStore::new(upstream), jwks_uri })
    }
}

impl std::fmt::Debug for FollowBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Upstream(error.into())
    }
}

/// Tokens live as long as the issuer's nodes say, whatever this service would set.
fn allowing(mut settings: Settings, lifetime: Duration) -> Settings {
    settings.absolute = settings.absolute.max(lifetime);
    (settings.access_lifetime, settings.max_access_lifetime) = (lifetime, lifetime);
    settings
}

fn authorization(token: Option<Zeroizing<String>>, file: Option<&Path>) -> Result<HeaderValue, FollowError> {
    let token = match (token, file) {
        (Some(token), _) => token,
        (None, Some(path)) => std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| FollowError::TokenFile { path: path.to_owned(), source })?,
        (None, None) => return Err(FollowError::Missing("a feed token")),
    };
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FollowError::Token);
    }
    let bearer = Zeroizing::new(format!("Bearer {token}"));
    let mut value = HeaderValue::from_str(&bearer).map_err(|_| FollowError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A URL that can be joined with paths and has nothing in it that would be lost or logged.
fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (matches!(url.scheme(), "http" | "https") && plain && url.fragment().is_none()).then_some(url)
}
