//! The one check: is this access token good, now? Owns the order — parse, signature, claims, key, freshness, log,
//! the application's word — and is the only file in which [`Live`] is constructed.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::Error;
use super::event::Bearer;
use super::inspect::Kind;
use super::settings::{Checks, OnStale};
use super::{Inner, Rescind};
use crate::access_token::{Unverified, Verified, Weighed};
use crate::log::{ScopeKind, SessionRef, TokenRef};
use crate::position::Seq;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::view::{Freshness, Now, Probe, Scopes, View};

/// What is kept of a verified token: itself, and what to ask the view for it.
pub(super) struct Known {
    verified: Verified,
    probe: Probe,
}

impl Weighed for Known {
    fn weight(&self) -> usize {
        self.verified.weight() + size_of::<Self>()
    }
}

/// The claims of an application that adds none, or of a handler that reads none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoClaims;

/// What can be read of an application's own claims: any type that serde reads, and [`NoClaims`].
pub trait ReadClaims: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// [`Rejection::BadJson`] where they do not fit the type.
    fn read(token: &Verified) -> Result<Self, Rejection>;
}

impl<C: DeserializeOwned> ReadClaims for C {
    fn read(token: &Verified) -> Result<Self, Rejection> {
        token.claims()
    }
}

impl ReadClaims for NoClaims {
    /// **Cost:** none; the payload is not parsed.
    fn read(_: &Verified) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

/// An access token that is good: verified, and not revoked as far as the policy asks. Handlers are given this only.
///
/// It derefs to [`Verified`], which has the registered claims.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), rescind::BoxError> {
/// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
/// # let rescind = Rescind::builder("https://login.example", "https://api.example")
/// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
/// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
/// use std::time::Duration;
/// use rescind::Rejection;
///
/// let live = rescind.check(&pair.access_token).await?;
/// assert_eq!((live.subject().as_str(), live.client().as_str()), ("alice", "app"));
/// assert_eq!(live.require_fresh(Duration::from_secs(60)), Ok(()));
/// assert_eq!(live.require_scope("admin"), Err(Rejection::InsufficientScope));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Live<C = NoClaims> {
    known: Arc<Known>,
    claims: C,
    staleness: Option<Duration>,
    checked_at: Timestamp,
}

impl<C> Live<C> {
    /// The application's own claims.
    pub const fn claims(&self) -> &C {
        &self.claims
    }

    /// How old the view was, where it was stale and the policy allows that; `None` where it was fresh.
    pub const fn staleness(&self) -> Option<Duration> {
        self.staleness
    }

    /// When it was checked, by this node's clock.
    pub const fn checked_at(&self) -> Timestamp {
        self.checked_at
    }

    /// Requires that the user proved who they are no longer ago than `max_age` before the check. An `auth_time` that is
    /// ahead of this node's clock is fresh.
    ///
    /// **Units:** `auth_time` has whole seconds, rounded down, so a sign-in counts as up to one second older than it is.
    ///
    /// # Errors
    /// [`Rejection::NotFresh`]: sign in again.
    ///
    /// **Source:** RFC 9470 §3, OpenID Connect Core §3.1.2.1 `max_age`.
    pub fn require_fresh(&self, max_age: Duration) -> Result<(), Rejection> {
        // "more than max_age ago" is too old, and max_age itself is not.
        let age = self.checked_at.since(self.known.verified.auth_time());
        if age <= max_age { Ok(()) } else { Err(Rejection::NotFresh) }
    }

    /// Requires a word of the OAuth scope.
    ///
    /// # Errors
    /// [`Rejection::InsufficientScope`].
    pub fn require_scope(&self, word: &str) -> Result<(), Rejection> {
        if self.has_scope(word) { Ok(()) } else { Err(Rejection::InsufficientScope) }
    }
}

impl<C> std::ops::Deref for Live<C> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.known.verified
    }
}

impl<C> std::fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Live").field(&self.known.verified).finish()
    }
}

impl Live {
    /// Reads the application's own claims as a type.
    ///
    /// # Errors
    /// [`Rejection::BadJson`] where they do not fit it.
    pub fn with_claims<C: ReadClaims>(self) -> Result<Live<C>, Rejection> {
        let claims = C::read(&self.known.verified)?;
        Ok(Live { known: self.known, claims, staleness: self.staleness, checked_at: self.checked_at })
    }
}

/// What the view said that lets a token pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// How old the view was, where it was stale and the policy allows that.
    pub(super) staleness: Option<Duration>,
    /// Until when the store was waited for, if it was: the token may have expired since it was verified, and its key have gone.
    pub(super) waited: Option<Now>,
}

/// How current the answer of a check has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Current up to the staleness bound; behind it, this.
    Bounded(OnStale),
    /// Complete as of the request: one read of the log's head, shared by all checks of the same moment.
    Strict,
}

impl Rescind {
    /// Checks an access token by the configured policy.
    ///
    /// **Cost:** no store is asked while the view is fresh. A repeated token costs a look-up, a new one a signature.
    ///
    /// # Errors
    /// [`Error::Rejected`] where the token is bad; [`Error::Stale`] where nothing can be said about it.
    pub async fn check(&self, token: &str) -> Result<Live, Error> {
        self.check_as(token, Policy::Bounded(self.0.settings.on_stale)).await
    }

    /// Checks an access token by a policy of the caller's.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn check_as(&self, token: &str, policy: Policy) -> Result<Live, Error> {
        let inner = &*self.0;
        let (known, now) = match inner.known_by_now(token).await {
            Err(Error::Rejected(rejection)) => return Err(inner.refuse_unknown(token, rejection)),
            known => known?,
        };
        match inner.judge(&known, policy, now).await {
            Ok(Asked { staleness, waited }) => {
                if staleness.is_some() {
                    inner.counters.check_allowed_stale.one();
                }
                Ok(Live { known, claims: NoClaims, staleness, checked_at: waited.unwrap_or(now).wall })
            }
            Err(error) => {
                inner.note_unpassed(&error, &known.verified);
                Err(error)
            }
        }
    }

    /// Verifies signature, claims and times, and **does not ask the log**: a revoked token passes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), rescind::BoxError> {
    /// # use rescind::{OpenSession, Rescind, id::{ClientId, Subject}, keys::RootSecret, store::MemoryStore};
    /// # let rescind = Rescind::builder("https://login.example", "https://api.example")
    /// #     .store(MemoryStore::new()?).root_secret(RootSecret::from_bytes([7; 32])).build().await?;
    /// # let pair = rescind.open_session(OpenSession::new(Subject::new("alice")?, ClientId::new("app")?)).await?;
    /// let scope = rescind::log::Scope::session(pair.session_id);
    /// # let (reason, actor) = (rescind::log::Text::new("lost")?, rescind::log::Text::new("alice")?);
    /// rescind.revoke(rescind::Revoke { scope, reason, actor }).await?;
    /// assert!(rescind.verify(&pair.access_token).is_ok());
    /// assert!(rescind.check(&pair.access_token).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The [`Rejection`].
    pub fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        self.0.known(token, Now::read(&*self.0.clock)).map(|known| known.verified.clone())
    }
}

impl Inner {
    /// Asks the log and the application about a token that verified at `now`.
    async fn judge(&self, known: &Known, policy: Policy, now: Now) -> Result<Asked, Error> {
        let asked = match self.settings.checks {
            Checks::Both => self.ask_log(|view| view.covering(&known.probe), policy, now).await?,
            Checks::RefreshOnly => Asked { staleness: None, waited: None },
        };
        if let Some(now) = asked.waited {
            known.verified.recheck(&self.expectations.load(), &self.keys.held(), now.wall)?;
        }
        self.also_checked(&known.verified).await?;
        Ok(asked)
    }

    /// Counts and tells that a token does not verify.
    fn refuse_unknown(&self, token: &str, rejection: Rejection) -> Error {
        self.counters.check_refused.one();
        self.tell_refused(Kind::Access, rejection, || match rejection {
            // Only a genuine one is told to have expired; the listener pays for the signature once more.
            Rejection::Expired => self.verify_whatever_its_age(token).as_ref().map(Bearer::from).unwrap_or_default(),
            _ => Bearer::default(),
        });
        rejection.into()
    }

    /// Counts and tells that a token verifies and does not pass.
    fn note_unpassed(&self, error: &Error, verified: &Verified) {
        match error {
            Error::Rejected(rejection) => {
                self.counters.check_refused.one();
                self.tell_refused(Kind::Access, *rejection, || Bearer::from(verified));
            }
            Error::Stale { .. } => self.counters.check_stale.one(),
            _ => {}
        }
    }

    /// The verified token, from the cache where exactly this text was verified before. Time and key are checked anew.
    pub(super) fn known(&self, token: &str, now: Now) -> Result<Arc<Known>, Rejection> {
        let keys = self.keys.held();
        if let Some(known) = self.cache.get(token) {
            known.verified.recheck(&self.expectations.load(), &keys, now.wall)?;
            self.counters.cache_hits.one();
            return Ok(known);
        }
        let verified = Unverified::parse(token)?.verify(&self.expectations.load(), &keys, now.wall)?;
        self.counters.cache_misses.one();
        let known = Arc::new(Known { probe: self.probe_whole(&verified), verified });
        self.cache.keep(token, &known);
        Ok(known)
    }

    /// Asks the view what a token that verified at `now` needs asked.
    pub(super) async fn ask_log(
        &self,
        covering: impl Fn(&View) -> Option<(ScopeKind, Seq)>,
        policy: Policy,
        now: Now,
    ) -> Result<Asked, Error> {
        let bound = self.settings.staleness_bound;
        let mut waited = None;
        if policy == Policy::Strict {
            timeout(bound, self.progress.round()).await.map_err(|_| Error::Stale { retry_after: bound })?;
            waited = Some(Now::read(&*self.clock));
        }
        // The mark first and the tables after it, never the other way round: what was known at the mark is in them.
        let (mut freshness, mut covered) = self.view.read(waited.unwrap_or(now), &covering);
        let ask = matches!((freshness, policy), (Freshness::Stale(_), Policy::Bounded(OnStale::Ask)));
        if ask && timeout(bound, self.progress.round()).await.is_ok() {
            let now = Now::read(&*self.clock);
            (freshness, covered) = self.view.read(now, &covering);
            waited = Some(now);
        }
        let staleness = match (freshness, policy) {
            (Freshness::Fresh, _) => None,
            (Freshness::Stale(age), Policy::Bounded(OnStale::AllowFor(most))) if age <= most => Some(age),
            (Freshness::Stale(_) | Freshness::Unknown, _) => return Err(Error::Stale { retry_after: bound }),
        };
        match covered {
            Some((kind, _)) => Err(Rejection::Revoked(kind).into()),
            None => Ok(Asked { staleness, waited }),
        }
    }

    /// What to ask the view for an access token: every scope that it stands under.
    pub(super) fn probe_whole(&self, verified: &Verified) -> Probe {
        let scopes = Scopes {
            token: Some(&TokenRef::Own(verified.jti())),
            session: Some(&SessionRef::Own(verified.sid())),
            subject: Some(verified.subject()),
            client: Some(verified.client()),
            key: verified.key_id(),
        };
        self.view.probe(scopes, verified.seq())
    }

    /// What to ask the view for an access token that verifies.
    pub(super) async fn probe(&self, token: &str) -> Result<Probe, Error> {
        self.known_by_now(token).await.map(|(known, _)| known.probe.clone())
    }

    /// Verifies all but the age, and asks no log: for taking back what the token names, never for letting it in.
    pub(super) fn verify_whatever_its_age(&self, token: &str) -> Result<Verified, Rejection> {
        let keys = self.keys.held();
        Unverified::parse(token)?.verify_for_revocation(&self.expectations.load(), &keys, self.clock.wall())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenSession;
    use crate::keys::RootSecret;
    use crate::store::MemoryStore;
    use crate::testing::{client, subject};

    #[tokio::test]
    async fn what_is_kept_of_a_token_weighs_what_the_token_does_and_what_is_kept_beside_it() {
        let builder = Rescind::builder("https://login.example", "https://api.example");
        let builder = builder.store(MemoryStore::new().unwrap()).root_secret(RootSecret::from_bytes([7; 32]));
        let rescind = builder.build().await.unwrap();
        let pair = rescind.open_session(OpenSession::new(subject("alice"), client("app"))).await.unwrap();
        let known = rescind.0.known(&pair.access_token, Now::read(&*rescind.0.clock)).unwrap();
        let beside = known.weight().checked_sub(known.verified.weight()).unwrap();
        assert!((size_of::<Probe>()..2 * size_of::<Known>()).contains(&beside), "{beside} bytes");
    }
}
