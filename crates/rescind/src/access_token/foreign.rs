//! Tokens of a foreign issuer: verified by that issuer's own keys and rules (RFC 8725 §3.8). Owns what differs from
//! ours: no `seq`, `sid` and `jti` as free text. Fetches no keys.

use std::time::Duration;

use super::claims::{Claims, Vocabulary};
use super::expectations::{Expectations, ExpectationsInvalid, Expiry, Span};
use super::header::TypPolicy;
use super::unverified::{KeySource, Unverified};
use crate::id::{ClientId, KeyId, Subject};
use crate::keys::{Algorithm, JwkSet, JwkSetError, VerifyingKey};
use crate::log::{ForeignName, SessionRef, TokenRef};
use crate::rejection::{Claim, Rejection};
use crate::time::Timestamp;

/// What is trusted of a foreign issuer. Every member has to be said.
#[derive(Debug, Clone, Copy)]
pub struct ForeignSettings<'a> {
    /// Its `iss`, exactly.
    pub issuer: &'a str,
    /// The `aud` by which it means us.
    pub audience: &'a str,
    /// Its JWK Set, as text.
    pub jwks: &'a str,
    /// The algorithms that it may use; HS256 cannot be among them.
    pub algorithms: &'a [Algorithm],
    /// Which `typ` its access tokens have.
    pub typ: TypPolicy,
    /// The longest `exp - iat`.
    pub max_lifetime: Duration,
}

/// A foreign issuer that cannot be trusted as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignInvalid {
    /// It has our own name: its keys could then sign our tokens.
    #[error("the foreign issuer has our own name; a foreign issuer is another one")]
    OurOwn,
    /// Issuer, audience or lifetime cannot be meant.
    #[error(transparent)]
    Expectations(#[from] ExpectationsInvalid),
    /// Its keys are not taken.
    #[error(transparent)]
    Keys(#[from] JwkSetError),
}

/// A foreign issuer: one name, one key set.
#[derive(Debug)]
pub struct ForeignIssuer {
    expected: Expectations,
    typ: TypPolicy,
    keys: Vec<VerifyingKey>,
}

impl ForeignIssuer {
    /// Takes an issuer; `own` is our name.
    ///
    /// # Errors
    /// [`ForeignInvalid`].
    pub fn new(own: &str, settings: &ForeignSettings<'_>) -> Result<Self, ForeignInvalid> {
        if settings.issuer == own {
            return Err(ForeignInvalid::OurOwn);
        }
        let expected = Expectations::new(settings.issuer, settings.audience, settings.max_lifetime)?;
        let keys = JwkSet::parse(settings.jwks, settings.algorithms)?.keys;
        Ok(Self { expected, typ: settings.typ, keys })
    }

    /// Takes a token until this long after its `exp`, and issued at most this far ahead. At most 60 s each.
    #[must_use]
    pub fn with_tolerance(self, leeway: Duration, skew: Duration) -> Self {
        Self { expected: self.expected.with_leeway(leeway).with_skew(skew), ..self }
    }

    /// What is expected of its tokens.
    pub const fn expectations(&self) -> &Expectations {
        &self.expected
    }

    /// Checks signature, claims and times.
    ///
    /// # Errors
    /// The first [`Rejection`] that applies. [`Rejection::UnknownKey`] says that another issuer may be meant.
    pub fn verify(&self, token: Unverified<'_>, now: Timestamp) -> Result<ForeignVerified, Rejection> {
        let (payload, key) = token.authenticate(self.typ.into(), self)?;
        let claims = Claims::read(&payload, Vocabulary::FOREIGN)?;
        self.expected.origin(&claims)?;
        let bad = |claim| move |_| Rejection::BadClaim(claim);
        let name = |claim| {
            let text = claims.text(claim);
            text.map(|text| ForeignName::new(self.expected.issuer(), text)).transpose().map_err(bad(claim))
        };
        let token = name(Claim::Jti)?.map(TokenRef::Foreign);
        let session = name(Claim::Sid)?.map(SessionRef::Foreign);
        let subject = Subject::new(claims.required_text(Claim::Sub)?).map_err(bad(Claim::Sub))?;
        let client = claims.text(Claim::ClientId).map(ClientId::new).transpose().map_err(bad(Claim::ClientId))?;
        let span = self.expected.span(&claims)?;
        self.expected.time(span, now, Expiry::Matters)?;
        drop(claims);
        Ok(ForeignVerified { payload, key: key.id().clone(), token, session, subject, client, span })
    }
}

impl KeySource for ForeignIssuer {
    fn by_header(&self, _: &str) -> Option<&VerifyingKey> {
        // Our own header means `at+jwt`; the issuer's policy is read from its own header.
        None
    }

    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection> {
        self.keys.iter().find(|key| key.id().as_str() == kid).ok_or(Rejection::UnknownKey)
    }
}

/// A foreign token that is genuine, for us, and in time. Not yet checked against the log.
#[derive(Debug, Clone)]
pub struct ForeignVerified {
    payload: String,
    key: KeyId,
    token: Option<TokenRef>,
    session: Option<SessionRef>,
    subject: Subject,
    client: Option<ClientId>,
    span: Span,
}

impl ForeignVerified {
    /// The token's name, where it has one.
    pub const fn token(&self) -> Option<&TokenRef> {
        self.token.as_ref()
    }

    /// The session's name, where it has one.
    pub const fn session(&self) -> Option<&SessionRef> {
        self.session.as_ref()
    }

    /// The user that it speaks for, in the issuer's words.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The application that it was issued to.
    pub const fn client(&self) -> Option<&ClientId> {
        self.client.as_ref()
    }

    /// The issuer's key that signed it.
    pub const fn key_id(&self) -> &KeyId {
        &self.key
    }

    /// When it was issued.
    pub const fn issued_at(&self) -> Timestamp {
        self.span.iat
    }

    /// When it expires.
    pub const fn expires_at(&self) -> Timestamp {
        self.span.exp
    }

    /// The payload: the text of a JSON object with all claims.
    pub fn payload(&self) -> &str {
        &self.payload
    }
}
