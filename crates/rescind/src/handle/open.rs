//! Opening a session and minting pairs. Owns what an application may put into a session, and the lifetimes of a pair.

use std::time::Duration;

use super::error::{Error, Invalid};
use super::event::{Event, Minted};
use super::issue_time::Moment;
use super::store_clock::Believed;
use super::{Inner, Rescind};
use crate::access_token::{self, AccessTokenSpec};
use crate::id::{ClientId, Jti, SessionId, Subject};
use crate::log::Text;
use crate::refresh_token::ClientClass;
use crate::session::{NewSession, Session};
use crate::time::Timestamp;
use crate::view::Now;

/// What a session is opened with. The caller has checked who the user is.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// Whose it is.
    pub subject: Subject,
    /// The application that it is opened through.
    pub client: ClientId,
    /// How its refresh tokens rotate.
    pub class: ClientClass,
    /// When the user proved who they are; now where `None` or later than now.
    pub auth_time: Option<Timestamp>,
    /// What a list of devices shows for it: at most 200 characters.
    pub device: Option<String>,
    /// The OAuth scope of its tokens (RFC 6749 §3.3).
    pub scope: Option<String>,
    /// The application's own claims, minted into every access token of the session.
    pub claims: Option<serde_json::Map<String, serde_json::Value>>,
}

impl OpenSession {
    /// A session of a browser, with nothing of the application's own.
    pub const fn new(subject: Subject, client: ClientId) -> Self {
        let class = ClientClass::Browser;
        Self { subject, client, class, auth_time: None, device: None, scope: None, claims: None }
    }
}

/// An access token and the refresh token that comes with it.
#[derive(Clone, serde::Serialize)]
pub struct TokenPair {
    /// The access token: a JWT.
    pub access_token: String,
    /// How long the access token lives. **Units:** seconds.
    pub expires_in: u64,
    /// The refresh token: not a JWT.
    pub refresh_token: String,
    /// How long the refresh token lives if it is not used. **Units:** seconds.
    pub refresh_expires_in: u64,
    /// The session that both belong to.
    pub session_id: SessionId,
    /// The scope of the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl std::fmt::Debug for TokenPair {
    /// Without the tokens: whoever reads a log must not be able to use them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenPair")
            .field("session_id", &self.session_id)
            .field("expires_in", &self.expires_in)
            .field("refresh_expires_in", &self.refresh_expires_in)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Rescind {
    /// Opens a session for a user whom the caller has checked, and mints its first pair.
    ///
    /// **Atomicity:** the log's head is read in the transaction that writes the session, so a cut-off that was
    /// acknowledged before this call does not cover the session, and one that comes later does.
    ///
    /// # Errors
    /// [`Error::Invalid`] where claims, scope or device cannot be; [`Error::Store`] where the store failed.
    pub async fn open_session(&self, request: OpenSession) -> Result<TokenPair, Error> {
        let claims = request.claims.map(|claims| serde_json::Value::Object(claims).to_string());
        claims.as_deref().map_or(Ok(()), access_token::validate_claims).map_err(Invalid::Claims)?;
        if request.scope.as_deref().is_some_and(|scope| !is_scope(scope)) {
            return Err(Invalid::Scope.into());
        }
        if request
            .device
            .as_deref()
            .is_some_and(|device| device.chars().count() > 200 || device.chars().any(char::is_control))
        {
            return Err(Invalid::Device.into());
        }
        self.to_the_end(move |inner| async move {
            let is_welcome = || inner.is_welcome(&request.subject);
            if !inner.proven(is_welcome, |answer| matches!(answer, Ok(false))).await? {
                return Err(Invalid::Unwelcome.into());
            }
            let new = NewSession {
                id: SessionId::generate(inner.clock.wall(), &*inner.random)?,
                subject: request.subject,
                client: request.client,
                class: request.class,
                auth_time: inner.auth_time(request.auth_time),
                idle: inner.settings.idle,
                absolute: inner.settings.absolute,
                device: request.device,
                scope: request.scope,
                claims,
            };
            let asked = Now::read(&*inner.clock);
            let session = inner.store.open(new).await?;
            inner.progress.saw(session.position);
            // Asked again behind the row: a subject who was cut off between the first answer and the row is not covered
            // by that cut-off.
            if let Some(refused) = inner.unwelcome(&session).await {
                return Err(refused);
            }
            inner.counters.opened.one();
            let scope = session.scope.clone();
            let moment = inner.moment(asked, session.opened_at).await?;
            inner.know_ring().await?;
            let (pair, jti) = inner.mint_pair(&session, scope, moment)?;
            inner.tell(|| Event::Issued(Minted::new(&session, jti)));
            Ok(pair)
        })
        .await
    }
}

impl Inner {
    /// Asks whether the subject of a session that was just written may have tokens, and ends the session where not, or
    /// where that is not known: nobody will have a token of it.
    async fn unwelcome(&self, session: &Session) -> Option<Error> {
        let (reason, refused) = match self.is_welcome(&session.subject).await {
            Ok(true) => return None,
            Ok(false) => ("unwelcome", Invalid::Unwelcome.into()),
            Err(fault) => ("callback_failed", fault),
        };
        let ended = self.append_one(self.end_entry(session, session.opened_at, reason, Text::known("rescind"))).await;
        Some(ended.err().unwrap_or(refused))
    }

    /// When the user proved who they are; `None` for the store's now, which is not asked where its clock is the wrong one.
    fn auth_time(&self, given: Option<Timestamp>) -> Option<Timestamp> {
        let now = self.clock.wall();
        let doubted = self.registry.times.apart().is_some_and(|apart| apart.believed == Believed::Node);
        given.map(|time| time.min(now)).or(doubted.then_some(now))
    }

    /// Mints the pair of a session's present generation, and tells the access token's name.
    pub(super) fn mint_pair(
        &self,
        session: &Session,
        scope: Option<String>,
        Moment { store: now, issued_at }: Moment,
    ) -> Result<(TokenPair, Jti), Error> {
        let jti = Jti::generate(issued_at, &*self.random)?;
        let lifetime = self.access_lifetime()?.min(session.expires_at.since(now));
        let ring = self.ring()?.load();
        let narrowed;
        let session = if scope == session.scope {
            session
        } else {
            narrowed = Session { scope: scope.clone(), ..session.clone() };
            &narrowed
        };
        let spec = AccessTokenSpec {
            issuer: &self.issuer,
            audience: &self.audience,
            session,
            jti,
            issued_at,
            lifetime,
            max_lifetime: self.expectations.load().max_lifetime(),
        };
        let refresh_ends = session.ends_at();
        let pair = TokenPair {
            access_token: access_token::issue(ring.keys.current(), &spec)
                .map_err(|failed| Error::Internal(failed.into()))?,
            expires_in: lifetime.as_secs(),
            refresh_token: self.refresh_tokens()?.mint(session.id, session.generation),
            refresh_expires_in: refresh_ends.since(now).as_secs(),
            session_id: session.id,
            scope,
        };
        Ok((pair, jti))
    }

    /// The configured lifetime less a random part of the jitter, in whole seconds.
    fn access_lifetime(&self) -> Result<Duration, Error> {
        let whole = self.settings.access_lifetime;
        let mut dice = [0; 4];
        self.random.fill(&mut dice)?;
        let most = whole.as_secs() * u64::from(self.settings.access_jitter) / 100;
        let less = ((most + 1) * u64::from(u32::from_be_bytes(dice))) >> 32;
        Ok(Duration::from_secs(whole.as_secs() - less))
    }
}

/// RFC 6749 §3.3: words of `%x21 / %x23-5B / %x5D-7E`, one blank between two.
fn is_scope(scope: &str) -> bool {
    scope.len() <= 1000
        && scope
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_words_with_one_blank_between() {
        assert!(is_scope("read write:x") && is_scope("a"));
        for wrong in ["", " ", "a ", " a", "a  b", "a\"b", "a\\b", "ä", "a\nb"] {
            assert!(!is_scope(wrong), "{wrong:?}");
        }
    }
}
