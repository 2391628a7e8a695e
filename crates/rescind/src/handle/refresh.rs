//! Refreshing: from a presented refresh token to a new pair. Owns the loop of load, decide, compare-and-set; the
//! decision itself is [`decide`], a pure function.

use super::error::Error;
use super::event::{Bearer, Event, Minted};
use super::inspect::Kind;
use super::{Inner, Rescind, TokenPair};
use crate::id::ClientId;
use crate::log::Text;
use crate::position::Generation;
use crate::refresh_token::{Decision, RefreshClaims, decide};
use crate::rejection::Rejection;
use crate::session::{Loaded, Session};
use crate::store::{Advance, StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::view::{Freshness, Now};

/// How often a lost compare-and-set is tried again. Each loss means that somebody else won, so this is generous.
const ATTEMPTS: usize = 32;

/// What comes with a refresh token.
#[derive(Debug, Clone, Default)]
pub struct Refresh {
    /// The client that presents it, where known: it must be the session's.
    pub client: Option<ClientId>,
    /// A narrower scope for the new access token; the session's where `None` (RFC 6749 §6).
    pub scope: Option<String>,
}

/// What a refresh token was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was the newest: replaced by its successor.
    Rotated,
    /// It was the one before, within grace: the same successor again.
    Retried,
    /// It was the newest of a client that does not rotate.
    Kept,
    /// It was ahead of the store, which lost a rotation: replaced by its successor, with an alarm.
    Ahead,
}

/// What an exchange came to.
enum Exchange {
    Done(Refreshed),
    /// Refused by what the store or the application says; nobody was told yet.
    Refused(Rejection, Bearer),
}

/// A new pair, and how it came about.
#[derive(Debug)]
pub struct Refreshed {
    /// The tokens.
    pub pair: TokenPair,
    /// How it came about.
    pub verdict: Verdict,
}

impl Rescind {
    /// Exchanges a refresh token for a new pair.
    ///
    /// Runs to its end when the future is dropped: a token is never spent without its successor being durable.
    ///
    /// **Cost:** one read and one durable write; a retry within grace only reads. A refusal by a shared store, and a retry while
    /// the view is stale, wait for a durable write of this node, which all share, and read once more.
    ///
    /// # Errors
    /// [`Error::Rejected`] where the token is refused; a reused one has ended its session, durably, before that answer.
    /// [`Error::Store`] where the store failed: the token is not consumed, or the same token gets its successor within grace.
    ///
    /// **Source:** RFC 6749 §6, RFC 9700 §4.14.2.
    pub async fn refresh(&self, token: &str, refresh: Refresh) -> Result<Refreshed, Error> {
        let claims =
            self.0.refresh_tokens()?.read(token).map_err(|rejection| self.0.refuse(rejection, Bearer::default))?;
        self.to_the_end(move |inner| async move { inner.refresh(claims, refresh).await }).await
    }
}

impl Inner {
    async fn refresh(&self, claims: RefreshClaims, refresh: Refresh) -> Result<Refreshed, Error> {
        // Not where it was reused: its session was ended durably before that is said.
        let rests_on_reading = |answer: &Result<_, Error>| matches!(answer, Ok(Exchange::Refused(..)));
        match self.proven(|| self.exchange(&claims, &refresh), rests_on_reading).await? {
            Exchange::Done(refreshed) => Ok(refreshed),
            Exchange::Refused(rejection, bearer) => Err(self.refuse(rejection, || bearer)),
        }
    }

    async fn exchange(&self, claims: &RefreshClaims, refresh: &Refresh) -> Result<Exchange, Error> {
        let (mut was_doubted, mut was_proven) = (false, false);
        for _ in 0..ATTEMPTS {
            let asked = Now::read(&*self.clock);
            let Some(loaded) = self.store.load(claims.session).await? else {
                return Ok(Exchange::Refused(Rejection::SessionUnknown, Bearer::of_session_id(claims.session)));
            };
            let refused = |rejection| Ok(Exchange::Refused(rejection, Bearer::from(&loaded.session)));
            // Before the decision: only a token that its own client presents may end the session as reused.
            if refresh.client.as_ref().is_some_and(|client| *client != loaded.session.client) {
                return refused(Rejection::WrongClient);
            }
            let decision = decide(claims.generation, &loaded, self.settings.grace);
            let Loaded { session, now, .. } = &loaded;
            let (to, verdict) = match decision {
                Decision::Refuse(rejection) => return refused(rejection),
                Decision::Reuse => return Err(self.end_reused(session, *now).await),
                Decision::Rotate { to } => (to, Verdict::Rotated),
                Decision::Keep => (session.generation, Verdict::Kept),
                Decision::Ahead { to } => (to, Verdict::Ahead),
                Decision::Retry => (session.generation, Verdict::Retried),
            };
            if self.view.covering_session(session).is_some() {
                self.doubt(&mut was_doubted).await?;
                continue;
            }
            let scope = match narrowed(refresh.scope.as_deref(), session.scope.as_deref()) {
                Ok(scope) => scope,
                Err(rejection) => return refused(rejection),
            };
            if !self.is_welcome(&session.subject).await? {
                return refused(Rejection::SubjectUnwelcome);
            }
            let Loaded { session, now, .. } = loaded;
            let moment = self.moment(asked, now).await?;
            // The row may have been waited for while the store was replaced by one that lost what ends the session.
            self.trust_store().await?;
            // Behind the reading that the token's times count from, and before anything is spent.
            self.know_ring().await?;
            let (freshness, covered) = self.view.read(Now::read(&*self.clock), |view| view.covering_session(&session));
            if covered.is_some() {
                self.doubt(&mut was_doubted).await?;
                continue;
            }
            // A retry writes nothing, so an old primary that went on alone would answer it for as long as grace is open.
            if verdict == Verdict::Retried && !was_proven && freshness != Freshness::Fresh {
                self.prove().await?;
                was_proven = true;
                continue;
            }
            let moved = if verdict == Verdict::Retried { Some(session) } else { self.advance(session, to).await? };
            if let Some(session) = moved {
                self.note(verdict, &session, claims.generation);
                let (pair, jti) = self.mint_pair(&session, scope, moment)?;
                self.tell(|| match (Minted::new(&session, jti), verdict) {
                    (minted, Verdict::Retried) => Event::Retried(minted),
                    (minted, verdict) => Event::Refreshed { minted, verdict },
                });
                return Ok(Exchange::Done(Refreshed { pair, verdict }));
            }
        }
        let lost = "other refreshes of the same session won every time; try again";
        Err(StoreError::new(StoreErrorKind::Unavailable, "advance", lost).into())
    }

    /// What this node knows of a session's end the row that was read does not: it was made since, or lifted and not heard of;
    /// or the store is one that has lost it. The row is read once more, and not believed a second time.
    async fn doubt(&self, was_doubted: &mut bool) -> Result<(), Error> {
        if std::mem::replace(was_doubted, true) {
            return Err(lacking().into());
        }
        Ok(self.fits_now().await?)
    }

    /// Counts and tells a refusal.
    fn refuse(&self, rejection: Rejection, bearer: impl FnOnce() -> Bearer) -> Error {
        self.counters.refresh_refused.one();
        self.tell_refused(Kind::Refresh, rejection, bearer);
        Error::Rejected(rejection)
    }

    /// Moves the row; `None` where somebody else was quicker.
    async fn advance(&self, session: Session, to: Generation) -> Result<Option<Session>, StoreError> {
        Ok(match self.store.advance(session.id, session.generation, to).await? {
            Advance::Advanced(rotated_at) => Some(Session { generation: to, rotated_at, ..session }),
            Advance::Stale => None,
        })
    }

    /// Two parties hold tokens of one session: end it, durably, before anybody hears of it.
    async fn end_reused(&self, session: &Session, now: Timestamp) -> Error {
        self.counters.reused.one();
        tracing::warn!(sid = %session.id, sub = %session.subject, "a spent refresh token was used again; its session is ended");
        let entry = self.end_entry(session, now, "refresh_reuse", Text::known("rescind"));
        match self.append(vec![entry]).await {
            Ok(_) => {
                let Session { id: sid, subject, client, .. } = session;
                self.tell(|| Event::ReuseFound { sid: *sid, subject: subject.clone(), client: client.clone() });
                self.tell_refused(Kind::Refresh, Rejection::Reused, || Bearer::from(session));
                Error::Rejected(Rejection::Reused)
            }
            Err(error) => error,
        }
    }

    fn note(&self, verdict: Verdict, session: &Session, presented: Generation) {
        match verdict {
            Verdict::Rotated => self.counters.rotated.one(),
            Verdict::Retried => self.counters.retried.one(),
            Verdict::Kept => self.counters.kept.one(),
            Verdict::Ahead => {
                self.counters.ahead.one();
                tracing::error!(
                    sid = %session.id, %presented,
                    "ALARM: a refresh token is ahead of its session: the store lost a rotation that it had acknowledged"
                );
            }
        }
    }
}

/// The store has lost a cut-off that this node knows, and that is not found yet.
fn lacking() -> StoreError {
    let why = "the store does not have a cut-off that this node has read, so it may have lost history; try again";
    StoreError::new(StoreErrorKind::Unavailable, "load", why)
}

/// The scope of the new access token. RFC 6749 §6: it must not include what was not granted.
fn narrowed(asked: Option<&str>, granted: Option<&str>) -> Result<Option<String>, Rejection> {
    let Some(asked) = asked else { return Ok(granted.map(str::to_owned)) };
    let granted: Vec<_> = granted.map(|granted| granted.split(' ').collect()).unwrap_or_default();
    if !asked.split(' ').all(|word| granted.contains(&word)) {
        return Err(Rejection::ScopeExceeded);
    }
    // The granted words that were asked for: a word said a thousand times makes the token no longer.
    let words: Vec<_> = granted.into_iter().filter(|have| asked.split(' ').any(|word| word == *have)).collect();
    Ok(Some(words.join(" ")))
}
