//! What a handle tells the application about, after the fact. Owns the shapes of the news; who is told and when stands
//! with each call. No token's text is ever in it.

use super::inspect::Kind;
use super::refresh::Verdict;
use crate::access_token::{ForeignVerified, Verified};
use crate::id::{ClientId, Jti, SessionId, Subject};
use crate::log::Entry;
use crate::rejection::Rejection;
use crate::session::Session;

/// Something that this handle has done. What other nodes do is not told here: their cut-offs are in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session was opened, and its first pair minted.
    Issued(Minted),
    /// A refresh token was exchanged for a new pair.
    Refreshed {
        /// The new access token.
        minted: Minted,
        /// How it came about; never [`Verdict::Retried`].
        verdict: Verdict,
    },
    /// A refresh token came again within grace, and got the same successor.
    Retried(Minted),
    /// A spent refresh token came outside of grace: two parties hold tokens of the session, which is ended. Its cut-off was told
    /// before as [`Revoked`](Self::Revoked), and [`Refused`](Self::Refused) follows.
    ReuseFound {
        /// The session.
        sid: SessionId,
        /// Whose it was.
        subject: Subject,
        /// The application that it was opened through.
        client: ClientId,
    },
    /// A cut-off is durable: a logout, a revocation, or found reuse.
    Revoked(Entry),
    /// A lift is durable.
    Lifted(Entry),
    /// A check or a refresh was refused.
    Refused {
        /// What was asked about: [`Kind::Access`] at a check, [`Kind::Refresh`] at a refresh.
        kind: Kind,
        /// Why.
        rejection: Rejection,
        /// Whose token it was.
        bearer: Bearer,
    },
}

/// An access token that was minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// The session that it belongs to.
    pub sid: SessionId,
    /// Whose it is.
    pub subject: Subject,
    /// The application that it was issued to.
    pub client: ClientId,
    /// Its name.
    pub jti: Jti,
}

impl Minted {
    pub(super) fn new(session: &Session, jti: Jti) -> Self {
        Self { sid: session.id, subject: session.subject.clone(), client: session.client.clone(), jti }
    }
}

/// Whose a refused token was, as far as its signature or MAC vouches for it: nothing is known of a forged one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bearer {
    /// The session, where it is one of ours.
    pub sid: Option<SessionId>,
    /// The user.
    pub subject: Option<Subject>,
    /// The application.
    pub client: Option<ClientId>,
    /// The access token's name, where we gave it.
    pub jti: Option<Jti>,
}

impl Bearer {
    /// A session of which nothing else is known.
    pub(super) fn of_session_id(sid: SessionId) -> Self {
        Self { sid: Some(sid), ..Self::default() }
    }
}

impl From<&Session> for Bearer {
    fn from(session: &Session) -> Self {
        let (subject, client) = (Some(session.subject.clone()), Some(session.client.clone()));
        Self { sid: Some(session.id), subject, client, jti: None }
    }
}

impl From<&Verified> for Bearer {
    fn from(token: &Verified) -> Self {
        Self {
            sid: Some(token.sid()),
            subject: Some(token.subject().clone()),
            client: Some(token.client().clone()),
            jti: Some(token.jti()),
        }
    }
}

impl From<&ForeignVerified> for Bearer {
    /// A foreign issuer's names of token and session are not ours.
    fn from(token: &ForeignVerified) -> Self {
        Self { sid: None, subject: Some(token.subject().clone()), client: token.client().cloned(), jti: None }
    }
}
