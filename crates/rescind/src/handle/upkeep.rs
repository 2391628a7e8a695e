//! What goes on beside requests: following the log, sweeping, flushing the high-water mark, letting keys go, and
//! watching the store's health. Owns the tasks and their rhythm.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Inner;
use super::error::Error;
use crate::store::{Head, StoreError};
use crate::time::BootTime;
use crate::view::{Follower, Now};

const BEAT: Duration = Duration::from_secs(1);
/// Every so many beats the key ring is read again.
const RING_BEATS: u64 = 5;
/// Every so many beats ended sessions and forgotten entries are swept.
const SWEEP_BEATS: u64 = 30;
/// At most this many rows a step, so that no request waits long behind one.
const SWEEP_STEP: usize = 500;

/// The state of what goes on beside requests.
#[derive(Debug)]
pub(super) struct Upkeep {
    flusher: Option<Arc<File>>,
    health: Mutex<Result<Head, String>>,
    /// Since when the wall clock has gone along with the clock that never steps.
    steady_since: Mutex<(BootTime, u64)>,
}

impl Upkeep {
    pub(super) fn new(flusher: Option<File>, health: Head, now: BootTime) -> Self {
        Self { flusher: flusher.map(Arc::new), health: Mutex::new(Ok(health)), steady_since: Mutex::new((now, 0)) }
    }

    /// What the store last said of itself.
    pub(super) fn health(&self) -> Result<Head, String> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_health(&self, health: Result<Head, StoreError>) {
        let health = health.map_err(|error| error.to_string());
        let mut known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(_), Err(error)) = (&*known, &health) {
            tracing::error!(error, "the store is not healthy");
        }
        *known = health;
    }

    /// How long the wall clock has been steady; `steps` counts the steps seen so far.
    fn steady_for(&self, now: BootTime, steps: u64) -> Duration {
        let mut since = self.steady_since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.1 != steps {
            *since = (now, steps);
        }
        now.since(since.0)
    }
}

impl Inner {
    /// Starts the tasks. They end with the handle.
    pub(super) fn start_tasks(self: &Arc<Self>, follower: Follower) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(follower.run());
        tasks.spawn(beat(Arc::downgrade(self)));
    }

    async fn on_beat(&self, beat: u64) {
        self.upkeep.note_health(self.store.health().await);
        self.flush_high_water().await;
        if beat.is_multiple_of(RING_BEATS) {
            log_failure("the key ring cannot be read", self.tend_ring().await);
        }
        if beat.is_multiple_of(SWEEP_BEATS) {
            log_failure("nothing can be swept", self.sweep().await);
        }
    }

    /// Sweeps in bounded steps, and not before the clock has been steady for as long as an access token may live:
    /// a wrong clock that is put right within that time has then cost nothing.
    async fn sweep(&self) -> Result<(), Error> {
        let now = Now::read(&*self.clock);
        let steps = self.progress.steps.load(std::sync::atomic::Ordering::Relaxed);
        if self.upkeep.steady_for(now.boot, steps) < self.retention {
            return Ok(());
        }
        let before = now.wall.minus(self.retention);
        loop {
            let swept = self.store.sweep(before, SWEEP_STEP).await?;
            self.counters.swept.add(swept.rows() as u64);
            if swept.rows() < SWEEP_STEP {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn flush_high_water(&self) {
        let Some(file) = self.upkeep.flusher.clone() else { return };
        let flushed = tokio::task::spawn_blocking(move || file.sync_data()).await;
        if let Ok(Err(error)) = flushed {
            tracing::error!(%error, "the high-water file cannot be flushed");
        }
    }
}

async fn beat(inner: Weak<Inner>) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for beat in 0_u64.. {
        beats.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        inner.on_beat(beat).await;
    }
}

fn log_failure(what: &str, result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, "{what}");
    }
}
