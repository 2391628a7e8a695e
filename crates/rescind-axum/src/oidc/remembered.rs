//! What was fetched of a provider and is kept for a while: its metadata, its keys. Owns when it is fetched again. Counted
//! by time alone: whatever strangers send, there is at most one fetch per cool-down; a failed one takes nothing away
//! that is good; and a fetch goes on to its end when whoever asked for it goes away, so that nobody can starve it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rescind::time::{BootTime, Clock};

use super::fault::ProviderFault;

/// At most one fetch in this time; a failure is remembered for as long.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(10);
/// What was fetched is used for this long before it is asked for again.
const KEPT: Duration = Duration::from_hours(1);
/// Between two looks of somebody who waits for the cool-down's end.
const LOOK: Duration = Duration::from_millis(100);

/// Where it is fetched from.
#[async_trait]
pub(super) trait Source: Send + Sync + 'static {
    type Document: Send + Sync + 'static;

    async fn fetch(&self) -> Result<Self::Document, ProviderFault>;

    /// Built in: used until the first fetch succeeds, so that nobody waits for it.
    fn preset(&self) -> Option<Self::Document> {
        None
    }
}

/// What is done when the cool-down has not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Waits for its end: whoever asks was sent by the provider itself.
    Wait,
    /// Refuses: anybody can ask.
    Refuse,
}

/// A document, and which fetch it came with.
pub(super) struct Found<D> {
    pub(super) document: Arc<D>,
    pub(super) fetch: u64,
}

/// A document of a provider, fetched when it is first needed.
pub(super) struct Remembered<S: Source> {
    source: S,
    clock: Arc<dyn Clock>,
    state: Mutex<State<S::Document>>,
    flight: tokio::sync::Mutex<()>,
}

struct State<D> {
    document: Option<(Arc<D>, Age)>,
    /// How many fetches have begun.
    fetches: u64,
    /// How many have ended.
    ended: u64,
    /// When the last one began, or ended, where it failed: one that took long must not let the next begin at once.
    cooling_since: Option<BootTime>,
    failed: ProviderFault,
}

#[derive(Clone, Copy)]
enum Age {
    Preset,
    Fetched { at: BootTime, fetch: u64 },
}

impl<S: Source> Remembered<S> {
    pub(super) fn new(source: S, clock: Arc<dyn Clock>) -> Arc<Self> {
        let document = source.preset().map(|document| (Arc::new(document), Age::Preset));
        let state = State { document, fetches: 0, ended: 0, cooling_since: None, failed: ProviderFault::Unreachable };
        Arc::new(Self { source, clock, state: Mutex::new(state), flight: tokio::sync::Mutex::new(()) })
    }

    /// The document: fetched where there is none or it is old, within the cool-down as it was.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Found<S::Document>, ProviderFault> {
        match self.look() {
            (Some(found), Age::Fetched { at, .. }) if self.clock.boot().since(at) < KEPT => return Ok(found),
            (Some(found), Age::Preset) => {
                if self.rest().is_zero() {
                    tokio::spawn(Arc::clone(self).fetch());
                }
                return Ok(found);
            }
            _ => self.fetch_to_the_end().await,
        }
        self.look().0.ok_or_else(|| self.state().failed)
    }

    /// A document of a later fetch than `seen`: there may be something new in it.
    pub(super) async fn newer(
        self: &Arc<Self>,
        seen: u64,
        patience: Patience,
    ) -> Result<Found<S::Document>, ProviderFault> {
        let asked = self.fetches();
        let newer = || self.look().0.filter(|found| found.fetch > seen);
        let waited = async {
            loop {
                if let Some(found) = newer() {
                    return Ok(found);
                }
                let rest = self.rest();
                if rest.is_zero() {
                    self.fetch_to_the_end().await;
                    if newer().is_none() && self.fetches() > asked {
                        return Err(self.state().failed);
                    }
                } else if patience == Patience::Refuse {
                    return Err(ProviderFault::KeysCoolingDown);
                } else {
                    tokio::time::sleep(rest.min(LOOK)).await;
                }
            }
        };
        // By the machine's own time: a given clock may stand still.
        tokio::time::timeout(COOL_DOWN * 2, waited).await.unwrap_or(Err(ProviderFault::KeysCoolingDown))
    }

    /// How many fetches have begun.
    pub(super) fn fetches(&self) -> u64 {
        self.state().fetches
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<S::Document>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> (Option<Found<S::Document>>, Age) {
        match &self.state().document {
            None => (None, Age::Preset),
            Some((document, age)) => {
                let fetch = if let Age::Fetched { fetch, .. } = age { *fetch } else { 0 };
                (Some(Found { document: Arc::clone(document), fetch }), *age)
            }
        }
    }

    /// How long until the next fetch may begin.
    fn rest(&self) -> Duration {
        let since = self.state().cooling_since;
        since.map_or(Duration::ZERO, |since| COOL_DOWN.saturating_sub(self.clock.boot().since(since)))
    }

    async fn fetch_to_the_end(self: &Arc<Self>) {
        let ended = tokio::spawn(Arc::clone(self).fetch()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the fetch of a provider's document ended early");
        }
    }

    /// Fetches once, unless somebody else has just done so. Whoever waited for another's fetch has its outcome: were each
    /// to try again, the last of many would wait for all, as long as the provider is silent.
    async fn fetch(self: Arc<Self>) {
        let ended = self.state().ended;
        let _alone = self.flight.lock().await;
        if self.state().ended != ended || !self.rest().is_zero() {
            return;
        }
        let fetch = {
            let mut state = self.state();
            state.cooling_since = Some(self.clock.boot());
            state.fetches += 1;
            state.fetches
        };
        let fetched = self.source.fetch().await;
        let at = self.clock.boot();
        let mut state = self.state();
        state.ended += 1;
        match fetched {
            Ok(document) => state.document = Some((Arc::new(document), Age::Fetched { at, fetch })),
            Err(failed) => (state.failed, state.cooling_since) = (failed, Some(at)),
        }
    }
}
