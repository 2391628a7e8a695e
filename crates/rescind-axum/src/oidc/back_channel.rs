//! A provider ends sessions of ours (OpenID Connect Back-Channel Logout 1.0). Owns the order: verified, not used before,
//! then ended, and only then acknowledged.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use rescind::id::{SessionId, Subject};
use rescind::log::{Scope, Text};
use rescind::provider_token::{LogoutToken, LogoutTokenRules, Refused};
use rescind::store::{Put, RecordKind};
use rescind::{Error, LogoutScope, Revoke};

use super::callback::SKEW;
use super::fault::ProviderFault;
use super::identity::{account, digest_of};
use super::keys::{Unverified, verify_by};
use super::ledger::{Entry, Ledger, session_id, subject_id};
use super::providers::Providers;
use super::remembered::{COOL_DOWN, Patience};
use super::session::actor;

/// A logout token is sent at once. OpenID Connect Back-Channel Logout §4: two minutes are plenty.
const LOGOUT_TOKEN_AGE: Duration = Duration::from_mins(2);

/// What a provider has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedOut {
    /// The sessions that were opened under its session, and were not over: perhaps none.
    Sessions(Vec<SessionId>),
    /// All sessions of these subjects.
    Everywhere(Vec<Subject>),
}

/// Why a back-channel logout is not acknowledged.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogoutError {
    /// No provider has this name.
    UnknownProvider,
    /// The request is no form with one `logout_token`.
    BadRequest,
    /// The logout token is refused.
    Token(Refused),
    /// The logout token was used before.
    Replayed,
    /// The provider's keys cannot be had.
    Provider(ProviderFault),
    /// The sessions could not be ended, or not all of them. The same token may be sent again.
    Rescind(Error),
}

impl LogoutError {
    /// A stable word for logs, metrics and tests.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::BadRequest => "bad_request",
            Self::Token(refused) => refused.reason(),
            Self::Replayed => "replayed",
            Self::Provider(fault) => fault.reason(),
            Self::Rescind(Error::Internal(_)) => "internal",
            Self::Rescind(_) => "store_failed",
        }
    }

    /// The status of the answer. OpenID Connect Back-Channel Logout §2.8: 400 for what is wrong with the request.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::UnknownProvider => StatusCode::NOT_FOUND,
            Self::BadRequest | Self::Token(_) | Self::Replayed => StatusCode::BAD_REQUEST,
            Self::Rescind(Error::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Provider(_) | Self::Rescind(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When to send the token again.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(match self {
            Self::Provider(_) => COOL_DOWN,
            _ => Duration::from_secs(1),
        })
    }
}

impl Providers {
    /// Ends what a logout token of this provider names: the sessions that were opened under its session, or, where it
    /// names none, all of its subject by one cut-off.
    ///
    /// **Atomicity:** when this returns, they are durably ended, and no sign-in that was under way brings one back. A
    /// token counts once; where this failed half way, the same token ends the rest.
    ///
    /// # Errors
    /// [`LogoutError`].
    pub async fn back_channel_logout(&self, name: &str, logout_token: &str) -> Result<LoggedOut, LogoutError> {
        let (this, name, token) = (self.clone(), name.to_owned(), logout_token.to_owned());
        let ended = tokio::spawn(async move {
            let ended = this.log_out(&name, &token).await;
            let provider = this.known(&name).map_or("unknown", |known| known.provider.name.as_str());
            match &ended {
                Ok(ended) => tracing::info!(provider, ?ended, "a provider ended sessions"),
                Err(error) => tracing::warn!(provider, reason = %error, "a provider's logout is refused"),
            }
            ended
        });
        ended.await.unwrap_or_else(|failed| Err(Error::Internal(failed.into()).into()))
    }

    async fn log_out(&self, name: &str, text: &str) -> Result<LoggedOut, LogoutError> {
        let known = self.known(name).ok_or(LogoutError::UnknownProvider)?;
        // A stranger's nonsense is no reason to ask a provider, nor is a provider that is down one to ask for it again.
        LogoutToken::check_form(text).map_err(LogoutError::Token)?;
        let (rescind, issuer) = (&self.0.rescind, known.provider.issuer.text.as_str());
        let client_id = &known.provider.client_id;
        let rules = LogoutTokenRules { issuer, client_id, max_age: LOGOUT_TOKEN_AGE, skew: SKEW };
        let verify = |keys: &_| LogoutToken::verify(text, keys, &rules, rescind.clock().wall());
        let token = verify_by(&known.keys, Patience::Refuse, verify).await.map_err(|failed| match failed {
            Unverified::Refused(refused) => LogoutError::Token(refused),
            Unverified::Fault(fault) => LogoutError::Provider(fault),
        })?;
        let (spent, begun) = self.begin_to_spend(issuer, &token).await?;
        let ended = match (&token.sid, &token.subject) {
            (Some(sid), _) => LoggedOut::Sessions(self.end_sessions(issuer, sid, &token).await?),
            (None, Some(subject)) => LoggedOut::Everywhere(self.end_subject(issuer, subject, &token).await?),
            // A token that names nobody does not verify.
            (None, None) => return Err(LogoutError::Token(Refused::NamesNobody)),
        };
        let ends = Some(token.refused_from.plus(SKEW));
        rescind.store().put_record(RecordKind::SPENT, &spent, begun, DONE.to_vec(), ends).await?;
        Ok(ended)
    }

    /// Notes that a token is used. One whose use did not come to its end may be used again: to end twice is to end.
    async fn begin_to_spend(&self, issuer: &str, token: &LogoutToken) -> Result<(String, u64), LogoutError> {
        let store = self.0.rescind.store();
        let spent = format!("logout:{}", digest_of(&[issuer, &token.jti]));
        let ends = Some(token.refused_from.plus(SKEW));
        match store.put_record(RecordKind::SPENT, &spent, 0, BEGUN.to_vec(), ends).await? {
            Put::Written(version) => Ok((spent, version)),
            Put::Stale => match store.record(RecordKind::SPENT, &spent).await? {
                Some(record) if record.body == BEGUN => Ok((spent, record.version)),
                _ => Err(LogoutError::Replayed),
            },
        }
    }

    async fn end_sessions(&self, issuer: &str, sid: &str, token: &LogoutToken) -> Result<Vec<SessionId>, LogoutError> {
        let rescind = &self.0.rescind;
        // First the mark, then the sessions: a sign-in under way finds the mark, or we find its session.
        let mark = |entry: &mut Entry| {
            entry.ended = entry.ended.max(Some(token.issued_at));
            entry.sessions.clone()
        };
        let mut ended = Vec::new();
        for sid in Ledger(rescind).change(&session_id(issuer, sid), mark).await? {
            ended.extend(rescind.end(sid, LogoutScope::Session, actor()?).await?.ended);
        }
        Ok(ended)
    }

    async fn end_subject(&self, issuer: &str, subject: &str, token: &LogoutToken) -> Result<Vec<Subject>, LogoutError> {
        let rescind = &self.0.rescind;
        let mark = |entry: &mut Entry| {
            entry.ended = entry.ended.max(Some(token.issued_at));
            entry.subjects.clone()
        };
        let internal = |error: rescind::BoxError| LogoutError::Rescind(Error::Internal(error));
        let mut subjects = vec![account(issuer, subject).map_err(|error| internal(error.into()))?];
        subjects.extend(Ledger(rescind).change(&subject_id(issuer, subject), mark).await?);
        let reason = Text::new("provider_logout").map_err(|error| internal(error.into()))?;
        let mut revokes = Vec::with_capacity(subjects.len());
        for subject in &subjects {
            let scope = Scope::Subject(subject.clone());
            revokes.push(Revoke { scope, reason: reason.clone(), actor: actor()? });
        }
        rescind.revoke_all(revokes).await?;
        Ok(subjects)
    }
}

/// What a spent token's record holds while its sessions are ended, and afterwards.
const BEGUN: &[u8] = b"begun";
const DONE: &[u8] = b"done";

impl From<Error> for LogoutError {
    fn from(error: Error) -> Self {
        Self::Rescind(error)
    }
}

impl From<rescind::store::StoreError> for LogoutError {
    fn from(error: rescind::store::StoreError) -> Self {
        Self::Rescind(error.into())
    }
}

impl fmt::Display for LogoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(refused) => refused.fmt(f),
            Self::Provider(fault) => fault.fmt(f),
            Self::Rescind(error) => write!(f, "{}: {error}", self.reason()),
            _ => f.write_str(self.reason()),
        }
    }
}

impl std::error::Error for LogoutError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Token(refused) => Some(refused),
            Self::Provider(fault) => Some(fault),
            Self::Rescind(error) => Some(error),
            _ => None,
        }
    }
}
