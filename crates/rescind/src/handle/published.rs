//! The keys of a node that signs nothing: what an issuer publishes, fetched by whoever builds the handle, and held here
//! for checking. Owns when they are fetched again; knows no HTTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use async_trait::async_trait;

use super::error::{BoxError, BuildError};
use crate::access_token::KeySource;
use crate::id::KeyId;
use crate::keys::{Algorithm, JwkSet, JwkSetError, VerifyingKey};
use crate::rejection::Rejection;
use crate::time::{BootTime, Clock};
use crate::view::Renew;

/// At most one fetch in this time, whatever strangers send; a failure is remembered for as long.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// The same for a key that is named as Rescind names its own: several rotations in a row may publish one and sign with it
/// within the longer time, and a good token must not be refused.
const COOL_DOWN_OF_OURS: Duration = Duration::from_secs(1);
/// Held keys are asked for again after this time, so that a coming key is known before it signs.
const KEPT: Duration = Duration::from_mins(1);
/// HS256 is not among them: its key signs what it verifies, so no set publishes it.
const PUBLISHED: [Algorithm; 4] = [Algorithm::EdDSA, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];

/// Fetches the JWK Set that an issuer publishes.
#[async_trait]
pub trait FetchKeys: Send + Sync + 'static {
    /// The text of the set as it is now. Must end by itself within a few seconds.
    ///
    /// # Errors
    /// Why it cannot be had. The keys that are held go on verifying.
    async fn fetch(&self) -> Result<String, BoxError>;
}

/// Holds the keys.
///
/// A key that left the set is gone with the next fetch, and one that was revoked is refused by the view at once. So
/// nothing is lost by going on with the keys that are held while the set cannot be fetched.
pub(super) struct PublishedKeys {
    source: Box<dyn FetchKeys>,
    clock: Arc<dyn Clock>,
    held: ArcSwap<Published>,
    /// Fetches that have begun.
    begun: AtomicU64,
    last: Mutex<Fetch>,
    /// One fetch at a time.
    flight: tokio::sync::Mutex<()>,
}

/// What a token names its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kid {
    /// As a ring of ours does.
    LikeOurs,
    /// As no ring of ours does.
    Otherwise,
}

/// A set as it was published.
pub(super) struct Published {
    set: JwkSet,
    pub(super) text: Arc<str>,
}

/// The last fetch.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    number: u64,
    began: BootTime,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Fetched,
    Failed,
}

/// The keys cannot be fetched, so nothing can be said about a token that names one that is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys cannot be fetched, and the token names one that is not held; see the log for the cause")]
pub(super) struct OutOfReach;

impl PublishedKeys {
    /// Fetches the keys for the first time. Nothing can be verified before.
    pub(super) async fn load(source: Box<dyn FetchKeys>, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let began = clock.boot();
        let text = source.fetch().await.map_err(BuildError::PublishedKeys)?;
        let published = Published::read(text).map_err(|error| BuildError::PublishedKeys(said(error).into()))?;
        let last = Mutex::new(Fetch { number: 1, began, outcome: Outcome::Fetched });
        let (held, flight) = (ArcSwap::from_pointee(published), tokio::sync::Mutex::new(()));
        Ok(Self { source, clock, held, begun: AtomicU64::new(1), last, flight })
    }

    /// The keys that are held.
    pub(super) fn held(&self) -> Guard<Arc<Published>> {
        self.held.load()
    }

    /// Sees to it that the held keys are no older than the cool-down.
    ///
    /// **Cost:** at most one fetch a cool-down; all who wait share it.
    pub(super) async fn newer(self: &Arc<Self>) -> Result<(), OutOfReach> {
        let asked = self.last().number;
        // Runs to its end when whoever asked goes away: nobody can starve it.
        let keys = Arc::clone(self);
        let fetched = tokio::spawn(async move {
            let _alone = keys.flight.lock().await;
            let last = keys.last();
            let cooling = keys.clock.boot().since(last.began) < COOL_DOWN;
            if last.number > asked || cooling { last.outcome } else { keys.fetch().await }
        });
        if fetched.await.is_ok_and(|outcome| outcome == Outcome::Fetched) { Ok(()) } else { Err(OutOfReach) }
    }

    /// Sees to it that the held keys were fetched after this call: a key is published before it signs, so one that is not
    /// among them is nobody's.
    ///
    /// **Cost:** at most one fetch in the shorter cool-down, or in `longest` where that is less, and all who wait share
    /// it. A failure is remembered for as long.
    pub(super) async fn from_now(self: &Arc<Self>, longest: Duration) -> Result<(), OutOfReach> {
        let asked = self.begun.load(Ordering::Acquire);
        let cool_down = COOL_DOWN_OF_OURS.min(longest);
        let keys = Arc::clone(self);
        let fetched = tokio::spawn(async move {
            let _alone = keys.flight.lock().await;
            let last = keys.last();
            let since = keys.clock.boot().since(last.began);
            if last.number > asked || (since < cool_down && last.outcome == Outcome::Failed) {
                return last.outcome;
            }
            tokio::time::sleep(cool_down.saturating_sub(since)).await;
            keys.fetch().await
        });
        if fetched.await.is_ok_and(|outcome| outcome == Outcome::Fetched) { Ok(()) } else { Err(OutOfReach) }
    }

    /// Fetches the keys again where they are held for long, or could not be fetched.
    pub(super) async fn tend(self: &Arc<Self>) {
        let Fetch { began, outcome, .. } = self.last();
        let kept = if outcome == Outcome::Fetched { KEPT } else { COOL_DOWN };
        if self.clock.boot().since(began) >= kept {
            // A failure is logged where it happens, and a later beat tries again.
            let _known = self.newer().await;
        }
    }

    async fn fetch(&self) -> Outcome {
        let (began, number) = (self.clock.boot(), self.begun.fetch_add(1, Ordering::AcqRel) + 1);
        let fetched = self.source.fetch().await;
        let read = fetched.and_then(|text| Published::read(text).map_err(|error| said(error).into()));
        let outcome = match read {
            Ok(published) => {
                self.held.store(Arc::new(published));
                Outcome::Fetched
            }
            Err(error) => {
                tracing::warn!(%error, "the issuer's keys cannot be fetched; those that are held go on verifying");
                Outcome::Failed
            }
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Fetch { number, began, outcome };
        outcome
    }

    fn last(&self) -> Fetch {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn read(text: String) -> Result<Self, JwkSetError> {
        Ok(Self { set: JwkSet::parse(&text, &PUBLISHED)?, text: text.into() })
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.set.keys.len()
    }
}

impl KeySource for Published {
    fn by_header(&self, segment: &str) -> Option<&VerifyingKey> {
        self.set.keys.iter().find(|key| key.header() == segment)
    }

    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection> {
        self.set.keys.iter().find(|key| key.id().as_str() == kid).ok_or(Rejection::UnknownKey)
    }
}

/// Nothing is healed by a node that only follows; it takes over what the issuer's nodes have made of their keys.
pub(super) struct Renewal(pub(super) Arc<PublishedKeys>);

#[async_trait]
impl Renew for Renewal {
    async fn renew(&self) -> Result<(), BoxError> {
        Err("this node follows another and signs nothing; its issuer renews the keys".into())
    }

    async fn unite(&self, _: &[KeyId]) -> Result<(), BoxError> {
        self.take_over().await
    }

    /// The keys are fetched in the background: a key that was revoked is refused by the view already, and the log is
    /// followed on while the set cannot be had.
    async fn take_over(&self) -> Result<(), BoxError> {
        let keys = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _alone = keys.flight.lock().await;
            keys.fetch().await;
        });
        Ok(())
    }
}

fn said(error: JwkSetError) -> String {
    match error {
        JwkSetError::Empty => {
            "the issuer publishes no key that verifies. A key for HS256 is never published, since whoever \
             verifies with it can sign: let the issuer sign with EdDSA, ES256, RS256 or PS256"
                .to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::keys::KeyRing;
    use crate::testing::{ManualClock, SeededRandom};

    struct Site {
        text: Arc<Mutex<Result<String, &'static str>>>,
        asked: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl FetchKeys for Site {
        async fn fetch(&self) -> Result<String, BoxError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.text.lock().unwrap().clone().map_err(Into::into)
        }
    }

    fn ring(seed: u64) -> KeyRing {
        KeyRing::new(&[Algorithm::EdDSA], &SeededRandom::new(seed)).unwrap()
    }

    type House = (Arc<PublishedKeys>, Arc<ManualClock>, Arc<Mutex<Result<String, &'static str>>>, Arc<AtomicUsize>);

    async fn house() -> House {
        let (clock, asked) = (Arc::new(ManualClock::default()), Arc::new(AtomicUsize::new(0)));
        let text = Arc::new(Mutex::new(Ok(ring(1).jwks())));
        let site = Site { text: Arc::clone(&text), asked: Arc::clone(&asked) };
        let keys = PublishedKeys::load(Box::new(site), Arc::clone(&clock) as _).await.unwrap();
        (Arc::new(keys), clock, text, asked)
    }

    #[tokio::test]
    async fn unknown_keys_cost_one_fetch_a_cool_down_however_many_ask() {
        let (keys, clock, _, asked) = house().await;
        for _ in 0..100 {
            assert_eq!(keys.newer().await, Ok(()));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "just fetched: as new as any");
        clock.advance(COOL_DOWN);
        let mut tasks = tokio::task::JoinSet::new();
        for keys in std::iter::repeat_n(&keys, 100).map(Arc::clone) {
            tasks.spawn(async move { keys.newer().await });
        }
        assert!(tasks.join_all().await.into_iter().all(|outcome| outcome == Ok(())));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn keys_that_cannot_be_fetched_leave_the_held_ones_and_say_nothing_of_others() {
        let (keys, clock, text, asked) = house().await;
        let known = ring(1).current().id().clone();
        *text.lock().unwrap() = Err("down");
        clock.advance(COOL_DOWN);
        assert_eq!((keys.newer().await, keys.newer().await), (Err(OutOfReach), Err(OutOfReach)));
        assert_eq!(asked.load(Ordering::Relaxed), 2, "a failure is remembered, too");
        assert!(keys.held().by_kid(known.as_str()).is_ok());
        *text.lock().unwrap() = Ok(ring(2).jwks());
        clock.advance(COOL_DOWN);
        assert_eq!(keys.newer().await, Ok(()));
        assert_eq!(keys.held().by_kid(known.as_str()).err(), Some(Rejection::UnknownKey));
    }

    #[tokio::test]
    async fn a_key_that_is_named_like_ours_is_looked_for_again_before_it_is_nobodys() {
        let (keys, clock, text, asked) = house().await;
        *text.lock().unwrap() = Ok(ring(2).jwks());
        let new = ring(2).current().id().clone();
        clock.advance(Duration::from_millis(1));
        let mut tasks = tokio::task::JoinSet::new();
        for keys in std::iter::repeat_n(&keys, 100).map(Arc::clone) {
            tasks.spawn(async move { keys.from_now(Duration::from_millis(20)).await });
        }
        assert!(tasks.join_all().await.into_iter().all(|outcome| outcome == Ok(())));
        assert!(keys.held().by_kid(new.as_str()).is_ok());
        assert_eq!(asked.load(Ordering::Relaxed), 2, "all who wait share one");
    }

    #[tokio::test]
    async fn keys_that_could_not_be_fetched_are_tended_again_after_a_cool_down() {
        let (keys, clock, text, asked) = house().await;
        *text.lock().unwrap() = Err("down");
        clock.advance(KEPT);
        keys.tend().await;
        *text.lock().unwrap() = Ok(ring(2).jwks());
        keys.tend().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        clock.advance(COOL_DOWN);
        keys.tend().await;
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        assert!(keys.held().by_kid(ring(2).current().id().as_str()).is_ok());
    }

    #[tokio::test]
    async fn a_set_without_public_keys_is_refused_with_the_remedy() {
        let site = Site { text: Arc::new(Mutex::new(Ok("{\"keys\":[]}".to_owned()))), asked: Arc::default() };
        let refused = PublishedKeys::load(Box::new(site), Arc::new(ManualClock::default())).await.err().unwrap();
        assert!(refused.to_string().contains("HS256"), "{refused}");
    }
}
