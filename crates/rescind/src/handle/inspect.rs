//! Looking at a token: for a resource server ([`Rescind::introspect`]) and for an operator who asks why it would be
//! refused now ([`Rescind::inspect`]). Changes nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::check::{Live, Policy};
use super::error::Error;
use super::explain::explain;
use super::settings::{Checks, OnStale};
use super::{Inner, Rescind};
use crate::access_token::TOKEN_MAX;
use crate::log::Entry;
use crate::refresh_token::{Decision, RefreshClaims, decide, looks_like_refresh_token};
use crate::rejection::Rejection;
use crate::session::{Loaded, Session};
use crate::view::{Now, View};

/// What a token is, for a resource server (RFC 7662).
#[derive(Debug)]
pub enum Introspection {
    /// Unknown, expired, revoked or malformed: nothing more may be told.
    Inactive,
    /// A good access token.
    Access(Box<Live>),
    /// A refresh token that would be answered.
    Refresh(Box<Session>),
}

/// What kind of token a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A JWT.
    Access,
    /// One of our refresh tokens.
    Refresh,
    /// Neither.
    Unknown,
}

/// All there is to say about a token, for an operator. Holds the claims as presented, believed or not.
#[derive(Debug)]
pub struct Inspection {
    /// What kind of token it is.
    pub kind: Kind,
    /// The JWT's header as presented.
    pub header: Option<Value>,
    /// The JWT's claims as presented, or what the refresh token and its session's row say.
    pub claims: Option<Value>,
    /// Why it would be refused now; `None` where it would pass.
    pub refused: Option<Rejection>,
    /// Why nothing can be said: a fault of ours.
    pub fault: Option<String>,
    /// The cut-off that covers it, as the log has it.
    pub cut_off: Option<Entry>,
    /// The same in a sentence.
    pub explanation: String,
}

impl Rescind {
    /// Says what a token is worth to a resource server, now. Spends nothing. The application is asked as it is at a check
    /// and at a refresh.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
    /// use rescind::Introspection;
    ///
    /// assert!(matches!(rescind.introspect(&pair.access_token).await?, Introspection::Access(_)));
    /// assert!(matches!(rescind.introspect(&pair.refresh_token).await?, Introspection::Refresh(_)));
    /// assert!(matches!(rescind.introspect("something else").await?, Introspection::Inactive));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Stale`] and [`Error::Callback`]: nothing can be said; never because of the token.
    pub async fn introspect(&self, token: &str) -> Result<Introspection, Error> {
        let active = if looks_like_refresh_token(token) {
            self.0.refreshable(token).await.map(|session| Introspection::Refresh(Box::new(session)))
        } else {
            self.check(token).await.map(|live| Introspection::Access(Box::new(live)))
        };
        match active {
            Err(Error::Rejected(_)) => Ok(Introspection::Inactive),
            answer => answer,
        }
    }

    /// Says all there is to say about a token, and why it would be refused now, by one reading of the store: a refresh
    /// makes sure of the store before it refuses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
    /// # let text = |text| rescind::log::Text::new(text);
    /// rescind.logout(&pair.access_token, rescind::LogoutScope::Session, text("alice")?).await?;
    /// let about = rescind.inspect(&pair.access_token).await;
    /// assert!(about.explanation.contains("by alice, reason logout"), "{}", about.explanation);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inspect(&self, token: &str) -> Inspection {
        let inner = &*self.0;
        let (kind, header, claims, verdict) = if looks_like_refresh_token(token) {
            let claims = inner.refresh_claims(token).await;
            (Kind::Refresh, None, claims, inner.refresh_state_as_read(token).await)
        } else {
            let (header, claims) = decoded(token);
            let kind = if header.is_some() { Kind::Access } else { Kind::Unknown };
            let verdict = inner.check_quietly(token).await;
            (kind, header, claims, verdict)
        };
        let (refused, fault) = match verdict {
            Ok(()) => (None, None),
            Err(Error::Rejected(rejection)) => (Some(rejection), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        let cut_off = match refused {
            Some(Rejection::Revoked(_)) => inner.covering_entry(token).await,
            _ => None,
        };
        let explanation = explain(refused, fault.as_deref(), cut_off.as_ref());
        Inspection { kind, header, claims, refused, fault, cut_off, explanation }
    }
}

impl Inner {
    /// The session of a refresh token that would be answered now, by the application's word, too. A refusal is proven.
    async fn refreshable(&self, token: &str) -> Result<Session, Error> {
        let claims = self.refresh_tokens()?.read(token)?;
        let ask = async || {
            let session = self.refresh_state(&claims).await?.session;
            let welcome = self.is_welcome(&session.subject).await?;
            if welcome { Ok(session) } else { Err(Rejection::SubjectUnwelcome.into()) }
        };
        self.proven(ask, |answer| matches!(answer, Err(Error::Rejected(_)))).await
    }

    /// Whether a refresh token would be answered now, as far as this one reading of the store says.
    async fn refresh_state_as_read(&self, token: &str) -> Result<(), Error> {
        let claims = self.refresh_tokens()?.read(token)?;
        self.refresh_state(&claims).await.map(drop)
    }

    /// The session of a refresh token that would be answered now, as far as the store and the log say.
    async fn refresh_state(&self, claims: &RefreshClaims) -> Result<Loaded, Error> {
        let loaded = self.refresh_row(claims).await?;
        // An old primary has the row for ever, and one that lost history may have an older one.
        let covering = |view: &View| view.covering_session(&loaded.session);
        let asked = self.ask_log(covering, Policy::Bounded(OnStale::Ask), Now::read(&*self.clock)).await?;
        if asked.waited.is_some() { self.refresh_row(claims).await } else { Ok(loaded) }
    }

    async fn refresh_row(&self, claims: &RefreshClaims) -> Result<Loaded, Error> {
        let loaded = self.store.load(claims.session).await?.ok_or(Rejection::SessionUnknown)?;
        match decide(claims.generation, &loaded, self.settings.grace) {
            Decision::Refuse(rejection) => Err(rejection.into()),
            Decision::Reuse => Err(Rejection::Reused.into()),
            Decision::Rotate { .. } | Decision::Keep | Decision::Retry | Decision::Ahead { .. } => Ok(loaded),
        }
    }

    async fn refresh_claims(&self, token: &str) -> Option<Value> {
        let claims = self.refresh_tokens().ok()?.read(token).ok()?;
        let row = self.store.load(claims.session).await.ok().flatten().map(|loaded| {
            let Session { subject, client, generation, opened_at, rotated_at, expires_at, .. } = loaded.session;
            json!({
                "subject": subject, "client_id": client, "generation": generation, "opened_at": opened_at.as_secs(),
                "rotated_at": rotated_at.as_secs(), "expires_at": expires_at.as_secs(),
            })
        });
        Some(json!({ "session_id": claims.session, "generation": claims.generation, "session": row }))
    }

    /// The check without the application's word, which may have effects.
    async fn check_quietly(&self, token: &str) -> Result<(), Error> {
        let probe = self.probe(token).await?;
        if self.settings.checks == Checks::RefreshOnly {
            return Ok(());
        }
        let asked =
            self.ask_log(|view| view.covering(&probe), Policy::Bounded(OnStale::Ask), Now::read(&*self.clock)).await?;
        if let Some(now) = asked.waited {
            self.known(token, now)?;
        }
        Ok(())
    }

    /// The log entry that a revoked token is refused by.
    async fn covering_entry(&self, token: &str) -> Option<Entry> {
        let seq = if looks_like_refresh_token(token) {
            let claims = self.refresh_tokens().ok()?.read(token).ok()?;
            self.store.load(claims.session).await.ok()??.cut_off?.seq
        } else {
            self.view.covering(&self.probe(token).await.ok()?)?.1
        };
        self.entry(seq).await.ok()?
    }
}

/// Header and claims of a JWT as presented: to be shown, never to be believed.
fn decoded(token: &str) -> (Option<Value>, Option<Value>) {
    if token.len() > TOKEN_MAX {
        return (None, None);
    }
    let object = |part: Option<&str>| {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part?).ok()?).ok()?;
        value.is_object().then_some(value)
    };
    let mut parts = token.split('.');
    (object(parts.next()), object(parts.next()))
}
