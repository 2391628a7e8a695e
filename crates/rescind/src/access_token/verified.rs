//! A token whose signature, claims and times were checked. The only file in which [`Verified`] is constructed. Whether
//! it was revoked is still open.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::claims::{Claims, Vocabulary};
use super::expectations::{Expectations, Expiry, Span};
use super::unverified::KeySource;
use crate::id::{ClientId, Jti, KeyId, SessionId, Subject};
use crate::keys::VerifyingKey;
use crate::position::Seq;
use crate::rejection::{Claim, Rejection};
use crate::time::Timestamp;

/// An access token of ours that is genuine, for us, and in time. Not yet checked against the log.
///
/// **Cost:** a clone shares everything.
#[derive(Clone)]
pub struct Verified(Arc<Token>);

struct Token {
    payload: String,
    key: KeyId,
    jti: Jti,
    sid: SessionId,
    subject: Subject,
    client: ClientId,
    seq: Seq,
    span: Span,
    auth_time: Timestamp,
    audience: Arc<str>,
    scope: Option<Box<str>>,
}

impl Verified {
    /// Reads and checks the claims of a payload whose signature was checked.
    pub(super) fn read(
        payload: String,
        key: &VerifyingKey,
        expected: &Expectations,
        now: Timestamp,
        expiry: Expiry,
    ) -> Result<Self, Rejection> {
        let claims = Claims::read(&payload, Vocabulary::OWN)?;
        let audience = expected.origin(&claims)?;
        let id = |claim| move |_| Rejection::BadClaim(claim);
        let subject = Subject::new(claims.required_text(Claim::Sub)?).map_err(id(Claim::Sub))?;
        let client = ClientId::new(claims.required_text(Claim::ClientId)?).map_err(id(Claim::ClientId))?;
        let jti = claims.required_text(Claim::Jti)?.parse().map_err(id(Claim::Jti))?;
        let sid = claims.required_text(Claim::Sid)?.parse().map_err(id(Claim::Sid))?;
        let seq = Seq::new(claims.required_integer(Claim::Seq)?);
        let auth_time = claims.required_time(Claim::AuthTime)?;
        let scope = claims.text(Claim::Scope).map(Box::from);
        let span = expected.span(&claims)?;
        expected.time(span, now, expiry)?;
        drop(claims);
        let key = key.id().clone();
        Ok(Self(Arc::new(Token { payload, key, jti, sid, subject, client, seq, span, auth_time, audience, scope })))
    }

    /// Checks again what may change after verification: the times, and whether the key still verifies. For a token
    /// that comes from a cache; the expectations must be those that it was verified with.
    ///
    /// # Errors
    /// [`Rejection::Expired`], [`Rejection::NotYetValid`], [`Rejection::IssuedInFuture`] after a clock step,
    /// [`Rejection::KeyRevoked`], [`Rejection::UnknownKey`].
    pub fn recheck(&self, expected: &Expectations, keys: &impl KeySource, now: Timestamp) -> Result<(), Rejection> {
        keys.by_kid(self.0.key.as_str())?;
        expected.time(self.0.span, now, Expiry::Matters)
    }

    /// The token's name.
    pub fn jti(&self) -> Jti {
        self.0.jti
    }

    /// The session that it came from.
    pub fn sid(&self) -> SessionId {
        self.0.sid
    }

    /// The user that it speaks for.
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// The application that it was issued to.
    pub fn client(&self) -> &ClientId {
        &self.0.client
    }

    /// The key that signed it.
    pub fn key_id(&self) -> &KeyId {
        &self.0.key
    }

    /// The log's head when its session was opened.
    pub fn seq(&self) -> Seq {
        self.0.seq
    }

    /// When it was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.0.span.iat
    }

    /// When it expires. RFC 7519 §4.1.4: from then on it is refused.
    pub fn expires_at(&self) -> Timestamp {
        self.0.span.exp
    }

    /// When the user proved who they are.
    pub fn auth_time(&self) -> Timestamp {
        self.0.auth_time
    }

    /// Which of the expected audiences it is for.
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// Its OAuth scope, as it stands.
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// Whether its scope has this word (RFC 6749 §3.3).
    pub fn has_scope(&self, word: &str) -> bool {
        !word.is_empty() && self.scope().is_some_and(|scope| scope.split(' ').any(|one| one == word))
    }

    /// The payload: the text of a JSON object with all claims.
    pub fn payload(&self) -> &str {
        &self.0.payload
    }

    /// The claims as a type of the application's. The registered ones are among them.
    ///
    /// # Errors
    /// [`Rejection::BadJson`] where the claims do not fit the type.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, Rejection> {
        serde_json::from_str(&self.0.payload).map_err(|_| Rejection::BadJson)
    }

    /// How much memory it holds, for a cache that is bounded in bytes.
    ///
    /// **Units:** bytes, allocator overhead estimated.
    pub fn weight(&self) -> usize {
        let Token { payload, subject, client, scope, .. } = &*self.0;
        let texts = payload.capacity()
            + subject.as_str().len()
            + client.as_str().len()
            + scope.as_ref().map_or(0, |scope| scope.len());
        size_of::<Token>() + texts + 5 * 16
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("jti", &self.0.jti)
            .field("sid", &self.0.sid)
            .field("subject", &self.0.subject)
            .field("seq", &self.0.seq)
            .field("expires_at", &self.0.span.exp)
            .finish_non_exhaustive()
    }
}
