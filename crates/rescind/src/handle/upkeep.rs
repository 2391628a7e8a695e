//! What goes on beside requests: following the log, sweeping, flushing the high-water mark, letting keys go, and
//! watching the store's health. Owns the tasks and their rhythm.

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Inner;
use super::KeyMaterial;
use super::error::Error;
use super::health::Health;
use crate::store::Head;
use crate::time::{BootTime, Timestamp};
use crate::view::{Follower, Now};

/// How soon a store that can no longer write is told from one that can.
const BEAT: Duration = Duration::from_millis(250);
/// Every so many beats the high-water file is flushed.
const FLUSH_BEATS: u64 = 4;
/// Every so many beats at least the key ring is read again, and tended.
const RING_BEATS: u64 = 20;
/// Every so many beats, a multiple of the ring's, ended sessions and forgotten entries are swept.
const SWEEP_BEATS: u64 = 120;
/// At most this many rows a step, so that no request waits long behind one.
const SWEEP_STEP: usize = 500;

/// The state of what goes on beside requests.
#[derive(Debug)]
pub(super) struct Upkeep {
    high_water: Option<PathBuf>,
    health: Arc<Health>,
    /// Since when the wall clock has gone along with the clock that never steps.
    steady_since: Mutex<(BootTime, u64)>,
}

impl Upkeep {
    pub(super) fn new(high_water: Option<PathBuf>, health: Arc<Health>, now: BootTime) -> Self {
        Self { high_water, health, steady_since: Mutex::new((now, 0)) }
    }

    /// What the store last said of itself.
    pub(super) fn health(&self) -> Result<Head, String> {
        self.health.read()
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
        tasks.spawn(beat(Arc::downgrade(self), self.registry.phase() % SWEEP_BEATS));
    }

    async fn on_beat(&self, beat: u64) {
        if !self.store.is_shared() {
            // Where it is, the node's record is written as often, and tells more.
            let began = self.clock.boot();
            let health = self.store.health().await;
            if let Ok(head) = &health {
                self.registry.times.note(began, head.now, self.clock.boot());
            }
            self.upkeep.health.note(health.as_ref().copied());
        }
        if beat.is_multiple_of(FLUSH_BEATS) {
            self.flush_high_water().await;
        }
        if let KeyMaterial::Published { keys, .. } = &self.keys {
            self.hear_lifetimes();
            keys.tend().await;
            return;
        }
        let is_tended = beat.is_multiple_of(RING_BEATS);
        let is_read = is_tended || beat.is_multiple_of(self.ring_beats());
        if !is_read || self.trust_store().await.is_err() {
            return;
        }
        if !is_tended {
            log_failure("the key ring cannot be read", self.read_ring().await);
            return;
        }
        if self.store.is_shared() {
            log_failure("the other nodes' lifetimes cannot be read", self.read_lifetimes().await);
            // Whoever gives one says that its clock and the store's do not agree; one that has ended since is seen to seldom.
            if self.registry.clocks_differ() || beat.is_multiple_of(SWEEP_BEATS) {
                log_failure("the lead of the other nodes' clocks cannot be read", self.read_lead().await);
            }
        }
        // Nothing is let go before the clock has been steady for as long as an access token may live: a wrong clock that
        // is put right within that time has then cost nothing. A key goes by the store's, so that has to be, too.
        let now = Now::read(&*self.clock);
        let steps = self.progress.steps.load(Ordering::Relaxed);
        let (kept, times) = (self.lifetimes.kept.access(), &self.registry.times);
        let is_steady = self.upkeep.steady_for(now.boot, steps) >= kept;
        if is_steady && times.steady_for(kept, now.boot) {
            log_failure("the key ring cannot be tended", self.tend_ring().await);
        } else {
            log_failure("the key ring cannot be read", self.read_ring().await);
        }
        if is_steady && beat.is_multiple_of(SWEEP_BEATS) {
            // By the store's time: a node whose clock is ahead must not sweep what others still need.
            let oldest = self.registry.times.now(now.boot).min(now.wall);
            log_failure("nothing can be swept", self.sweep(oldest.minus(kept)).await);
        }
    }

    /// Every so many beats the key ring is read. Where others change it twice within the bound, or as often as there are beats: a
    /// key that left it by a revocation which got no further is refused by whoever knows, and must not pass elsewhere for longer.
    fn ring_beats(&self) -> u64 {
        let half = self.settings.staleness_bound.as_millis() / 2 / BEAT.as_millis();
        if self.store.is_shared() { u64::try_from(half).unwrap_or(RING_BEATS).clamp(1, RING_BEATS) } else { RING_BEATS }
    }

    /// Sweeps in bounded steps.
    async fn sweep(&self, before: Timestamp) -> Result<(), Error> {
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
        let Some(path) = self.upkeep.high_water.clone() else { return };
        let flushed = tokio::task::spawn_blocking(move || File::open(path).and_then(|file| file.sync_data())).await;
        match flushed {
            Ok(Err(error)) if error.kind() != ErrorKind::NotFound => {
                tracing::error!(%error, "the high-water file cannot be flushed");
            }
            _ => {}
        }
    }
}

async fn beat(inner: Weak<Inner>, first: u64) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for beat in first.. {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RootSecret;
    use crate::store::MemoryStore;
    use crate::testing::{ManualClock, SeededRandom, client, subject};
    use crate::time::Clock;
    use crate::{OpenSession, Rescind};

    async fn house() -> (Rescind, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with(Arc::clone(&clock) as _, &SeededRandom::new(1)).unwrap();
        let builder = Rescind::builder("https://login.example", "https://api.example").store(store);
        let random = Arc::new(SeededRandom::new(2));
        let built = builder.clock(Arc::clone(&clock) as _).random(random).root_secret(RootSecret::from_bytes([7; 32]));
        (built.build().await.unwrap(), clock)
    }

    /// Lets time pass in steps in which the view stays fresh, and the beat come after each.
    async fn pass(rescind: &Rescind, clock: &ManualClock, span: Duration) {
        clock.advance(span);
        rescind.sync().await.unwrap();
        rescind.0.on_beat(SWEEP_BEATS).await;
    }

    #[tokio::test]
    async fn what_is_over_is_let_go_and_what_is_not_stays() {
        let (rescind, clock) = house().await;
        let opening = || OpenSession::new(subject("alice"), client("app"));
        let old = rescind.open_session(opening()).await.unwrap();
        rescind.rotate_keys().await.unwrap();
        pass(&rescind, &clock, Duration::from_mins(14)).await;
        assert_eq!(rescind.keys().len(), 3, "the retired key's tokens may live");
        pass(&rescind, &clock, Duration::from_mins(2)).await;
        assert_eq!(rescind.keys().len(), 2);
        let new = rescind.open_session(opening()).await.unwrap();
        pass(&rescind, &clock, Duration::from_hours(24 * 30)).await;
        assert_eq!(rescind.session(old.session_id).await.unwrap(), None);
        assert!(
            rescind.session(new.session_id).await.unwrap().is_some(),
            "not before an access token's life has passed"
        );
        assert_eq!(rescind.stats().counts.swept, 1);
    }

    #[tokio::test]
    async fn a_wrong_clock_that_is_put_right_has_cost_nothing() {
        let (rescind, clock) = house().await;
        pass(&rescind, &clock, Duration::from_hours(1)).await;
        let opening = OpenSession::new(subject("alice"), client("app"));
        let pair = rescind.open_session(opening).await.unwrap();
        rescind.rotate_keys().await.unwrap();
        let right = clock.wall();
        clock.step_wall(right.plus(Duration::from_hours(24 * 365)));
        pass(&rescind, &clock, Duration::from_mins(10)).await;
        clock.step_wall(right.plus(Duration::from_mins(10)));
        pass(&rescind, &clock, Duration::from_mins(1)).await;
        assert!(rescind.check(&pair.access_token).await.is_ok());
        assert!(rescind.refresh(&pair.refresh_token, crate::Refresh::default()).await.is_ok());
    }
}
