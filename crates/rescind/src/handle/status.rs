//! How the handle is doing: readiness for a load balancer, numbers for an operator.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Rescind;
use super::counters::Counts;
use super::error::Error;
use crate::position::{Incarnation, Seq};
use crate::view::{Freshness, Now};

/// Whether requests should come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Every part is well.
    pub ready: bool,
    /// The parts, each with a word on how it is.
    pub parts: Vec<(&'static str, Result<String, String>)>,
}

/// Numbers of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The newest position that the view has taken in.
    pub applied: Seq,
    /// The store's head when it was last asked; `None` while it does not answer.
    pub head: Option<Seq>,
    /// The history that the positions belong to.
    pub incarnation: Option<Incarnation>,
    /// How long ago the view was known to be complete; `None` where nothing may be answered.
    pub staleness: Option<Duration>,
    /// Cut-offs in the view.
    pub view_entries: usize,
    /// The view's tables. **Units:** bytes.
    pub view_bytes: usize,
    /// Tokens in the verified-token cache.
    pub cached_tokens: usize,
    /// How often a lost history was healed since the start. An alarm where it is not 0.
    pub healed: u64,
    /// Entries that this node appended again to a store that had lost them, since the start.
    pub appended_again: u64,
    /// How often the wall clock stepped since the start. An alarm where it is not 0.
    pub clock_steps: u64,
    /// How often the store's clock stepped since the start. An alarm where it is not 0.
    pub store_clock_steps: u64,
    /// By how much the store's clock is ahead of this node's, or behind it (below 0); 0 where they agree within the skew.
    /// An alarm where it is not 0. **Units:** milliseconds.
    pub store_clock_ahead_ms: i64,
    /// Rounds of the feed that failed since the start.
    pub failed_rounds: u64,
    /// Nodes on this store that live, this one among them.
    pub nodes_live: usize,
    /// Nodes on this store that fell silent and are not forgotten yet. An alarm where it is not 0.
    pub nodes_silent: usize,
    /// What was counted since the start.
    pub counts: Counts,
}

impl Rescind {
    /// Whether requests should come here, and what is wrong if not.
    pub fn readiness(&self) -> Readiness {
        let view = match self.freshness() {
            (Freshness::Fresh, age) => Ok(format!("complete as of {} ms ago", age.unwrap_or_default().as_millis())),
            (Freshness::Stale(age), _) => Err(format!("stale: complete as of {} ms ago", age.as_millis())),
            (Freshness::Unknown, _) => Err("not loaded".to_owned()),
        };
        let store = self.0.upkeep.health().map(|head| format!("head {}", head.seq));
        let keys = self.0.keys.describe();
        let mut parts = vec![("view", view), ("store", store), ("keys", Ok(keys))];
        // No reason to send requests elsewhere: tokens are good.
        parts.extend(self.0.registry.times.apart().map(|apart| ("clocks", Ok(apart.in_words()))));
        Readiness { ready: parts.iter().all(|(_, part)| part.is_ok()), parts }
    }

    /// Numbers for an operator.
    pub fn stats(&self) -> Stats {
        let inner = &self.0;
        let health = inner.upkeep.health().ok();
        let (nodes_live, nodes_silent) = inner.registry.live_and_silent();
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            applied: inner.progress.done().applied,
            head: health.map(|head| head.seq),
            incarnation: health.map(|head| head.incarnation),
            staleness: self.freshness().1,
            view_entries: inner.view.len(),
            view_bytes: inner.view.bytes(),
            cached_tokens: inner.cache.len(),
            healed: count(&inner.progress.healed),
            appended_again: count(&inner.progress.appended_again),
            clock_steps: count(&inner.progress.steps),
            store_clock_steps: inner.registry.times.steps(),
            store_clock_ahead_ms: inner.registry.times.apart().map_or(0, |apart| apart.ahead),
            failed_rounds: count(&inner.progress.failed),
            nodes_live,
            nodes_silent,
            counts: inner.counters.read(),
        }
    }

    /// Waits for a round of the feed that begins after this call: the view is then complete as of the call.
    ///
    /// # Errors
    /// [`Error::Stale`] where that does not come about within the staleness bound.
    pub async fn sync(&self) -> Result<Seq, Error> {
        let bound = self.0.settings.staleness_bound;
        let round = tokio::time::timeout(bound, self.0.progress.round()).await;
        round.map_err(|_| Error::Stale { retry_after: bound })?;
        Ok(self.0.progress.done().applied)
    }

    /// Waits until the store's log is found to be damaged, and says what is, where, and how to repair it. Nothing is read
    /// from it any more: checks go stale within the bound, and a server should end with that text.
    pub async fn damaged(&self) -> String {
        self.0.progress.damage().await
    }

    /// Stops the tasks and flushes what is not on stable storage yet. Checks go stale afterwards.
    pub async fn shutdown(&self) {
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.0.registry.leave().await;
        self.0.flush_high_water().await;
    }

    fn freshness(&self) -> (Freshness, Option<Duration>) {
        let now = Now::read(&*self.0.clock);
        (self.0.view.freshness(now), self.0.view.age(now))
    }
}
