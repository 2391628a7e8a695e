//! A life's world: the nodes, their clocks and files, the store process between them, and what they are told to do. Owns
//! starting and ending of nodes; judges nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rescind::keys::RootSecret;
use rescind::testing::SeededRandom;
use rescind::{BuildError, OnStale, Rescind, Settings};
use tokio::time::timeout;

use super::clocks::{MachineClock, TrueTime, pass};
use super::dice::Dice;
use super::model::{BOUND, Model};
use super::network::{Link, StoreProcess, Weather};
use super::trace::Trace;

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) time: Arc<TrueTime>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) store: Arc<StoreProcess>,
    pub(crate) model: Model,
    pub(crate) settings: Settings,
    /// A node was connected to an old primary at some time.
    pub(crate) was_pinned: AtomicBool,
    /// Nobody begins anything any more.
    pub(crate) is_over: AtomicBool,
    weather: Weather,
    slots: Mutex<Vec<Slot>>,
    folder: tempfile::TempDir,
}

/// A node's place, whether a process runs there or not.
struct Slot {
    clock: Arc<MachineClock>,
    running: Option<Running>,
    starts: u64,
}

#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) rescind: Rescind,
    pub(crate) link: Link,
    /// Since when nothing stood between it and the store; `None` where something does.
    connected: Option<u64>,
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize) -> Self {
        let (dice, time, trace) = (Dice::new(seed), Arc::new(TrueTime::new()), Arc::new(Trace::default()));
        let store = Arc::new(StoreProcess::new(&time, &trace, &dice));
        let weather = dice.one_of(&[
            Weather { lost_requests: 0, lost_replies: 0, slow: 0 },
            Weather { lost_requests: 2, lost_replies: 4, slow: 4 },
            Weather { lost_requests: 5, lost_replies: 20, slow: 20 },
        ]);
        let settings = Settings {
            access_lifetime: Duration::from_secs(dice.one_of(&[60, 300])),
            max_access_lifetime: Duration::from_mins(5),
            leeway: Duration::from_secs(dice.one_of(&[0, 5, 60])),
            idle: Duration::from_hours(8),
            absolute: Duration::from_hours(12),
            grace: Duration::from_secs(dice.one_of(&[3, 5, 10])),
            staleness_bound: Duration::from_millis(BOUND),
            on_stale: dice.one_of(&[OnStale::Refuse, OnStale::Ask]),
            // In every other life fewer than a life's tokens have room.
            cache_bytes: if seed.is_multiple_of(2) { 16 << 10 } else { 256 << 10 },
            ..Settings::default()
        };
        let slot = |_| Slot { clock: Arc::new(MachineClock::new(&time, 0)), running: None, starts: 0 };
        let slots = Mutex::new((0..nodes).map(slot).collect());
        // Nothing here has to outlive the machine, and each node flushes every second.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let (was_pinned, is_over, model) = (AtomicBool::new(false), AtomicBool::new(false), Model::default());
        Self { dice, time, trace, store, model, settings, was_pinned, is_over, weather, slots, folder }
    }

    pub(crate) fn now(&self) -> u64 {
        self.time.now()
    }

    pub(crate) fn say(&self, text: &str) {
        self.trace.line(self.now(), text);
    }

    pub(crate) fn violate(&self, text: String) {
        self.trace.violate(self.now(), text);
    }

    /// Records what must hold.
    pub(crate) fn must<T>(&self, held: Result<T, String>) -> Option<T> {
        held.map_err(|violation| self.violate(violation)).ok()
    }

    pub(crate) fn nodes(&self) -> usize {
        self.slots().len()
    }

    pub(crate) fn running(&self, node: usize) -> Option<Running> {
        self.slots()[node].running.clone()
    }

    pub(crate) fn clock(&self, node: usize) -> Arc<MachineClock> {
        Arc::clone(&self.slots()[node].clock)
    }

    /// The nodes of which a process runs.
    pub(crate) fn up(&self) -> Vec<usize> {
        let slots = self.slots();
        (0..slots.len()).filter(|node| slots[*node].running.is_some()).collect()
    }

    /// Any node of which a process runs.
    pub(crate) fn any_node(&self, dice: &Dice) -> Option<usize> {
        let up = self.up();
        (!up.is_empty()).then(|| up[dice.index(up.len())])
    }

    /// The nodes that nothing stands between them and the store, each with since when.
    pub(crate) fn connected(&self) -> Vec<(usize, u64)> {
        let slots = self.slots();
        let since = |(node, slot): (usize, &Slot)| Some((node, slot.running.as_ref()?.connected?));
        slots.iter().enumerate().filter_map(since).collect()
    }

    pub(crate) fn set_connected(&self, node: usize, is_connected: bool) {
        let now = self.now();
        if let Some(running) = &mut self.slots()[node].running {
            running.connected = if is_connected { running.connected.or(Some(now)) } else { None };
        }
    }

    /// Starts a node, however often it has to be tried.
    pub(crate) async fn start(&self, node: usize) {
        let mut why = String::new();
        for _ in 0..20 {
            let (link, starts) = {
                let mut slots = self.slots();
                slots[node].starts += 1;
                let dice = self.dice.fork(node as u64);
                (Link::new(&self.store, node, dice, self.weather), slots[node].starts)
            };
            let seed = self.dice.next();
            let builder = Rescind::builder("https://login.example", "https://api.example")
                .store(link.clone())
                .clock(self.clock(node) as _)
                .random(Arc::new(SeededRandom::new(seed)))
                .root_secret(RootSecret::from_bytes([7; 32]))
                .settings(self.settings.clone())
                .high_water(self.high_water(node))
                .without_flushes()
                .node(format!("node-{node}"));
            why = match timeout(Duration::from_secs(40), builder.build()).await {
                Ok(Ok(rescind)) => {
                    self.say(&format!("node {node} has started, for the {starts}. time"));
                    let connected = Some(self.now());
                    self.slots()[node].running = Some(Running { rescind, link, connected });
                    return;
                }
                Ok(Err(error @ (BuildError::Store(_) | BuildError::Heal(_) | BuildError::Ring(_)))) => {
                    error.to_string()
                }
                Ok(Err(error)) => return self.violate(format!("node {node} does not start: {error}")),
                Err(late) => late.to_string(),
            };
            self.trace.count("starts that failed");
            link.kill();
            pass(200).await;
        }
        self.violate(format!("node {node} does not start: {why}"));
    }

    /// The process is gone at once.
    pub(crate) fn kill(&self, node: usize) {
        if let Some(running) = self.slots()[node].running.take() {
            running.link.kill();
            // A process that stood still does so no more.
            running.link.go_on();
        }
    }

    /// The process ends in order.
    pub(crate) async fn end(&self, node: usize) {
        let Some(running) = self.running(node) else { return };
        self.slots()[node].running = None;
        running.link.go_on();
        running.rescind.shutdown().await;
        running.link.kill();
    }

    pub(crate) fn high_water(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("high-water-{node}"))
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap()
    }
}
