//! The store process of a life, and the links between it and the nodes: what is asked arrives late or not at all, what was
//! written is not confirmed, and a copy that lags takes the primary's place. Truth is told to the model as it happens.

use std::future::Future;
use std::sync::{Arc, Mutex};

use rescind::store::{MemoryStore, Operation, StoreError, StoreErrorKind};
use rescind::testing::SeededRandom;
use tokio::sync::Notify;

use super::clocks::{MachineClock, TrueTime, pass};
use super::dice::Dice;
use super::trace::Trace;
use super::truth::{Event, Truth};

/// The store, as a process that dies and is replaced.
pub(crate) struct StoreProcess {
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) truth: Truth,
    trace: Arc<Trace>,
    time: Arc<TrueTime>,
    state: Mutex<State>,
    pub(super) grown: Notify,
}

struct State {
    primary: Arc<MemoryStore>,
    is_down: bool,
    copy: Option<Replica>,
}

/// A copy that gets nothing more.
struct Replica {
    store: Arc<MemoryStore>,
    made_at: u64,
    /// The last event that it has.
    has: Event,
}

/// What came of putting another store in the primary's place.
pub(crate) struct Replaced {
    pub(crate) old: Arc<MemoryStore>,
    /// Something had been written that the new one does not have.
    pub(crate) is_lossy: bool,
}

impl StoreProcess {
    pub(crate) fn new(time: &Arc<TrueTime>, trace: &Arc<Trace>, dice: &Dice) -> Self {
        let clock = Arc::new(MachineClock::new(time, 0));
        let state = State { primary: empty(&clock, dice), is_down: false, copy: None };
        Self {
            clock,
            truth: Truth::default(),
            trace: Arc::clone(trace),
            time: Arc::clone(time),
            state: Mutex::new(state),
            grown: Notify::new(),
        }
    }

    /// The true time.
    pub(crate) fn now(&self) -> u64 {
        self.time.now()
    }

    pub(crate) fn primary(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.state.lock().unwrap().primary)
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    pub(crate) fn is_down(&self) -> bool {
        self.state.lock().unwrap().is_down
    }

    /// From here on the copy gets nothing more.
    pub(crate) fn copy_now(&self) {
        let copy = self.copied();
        self.state.lock().unwrap().copy = Some(copy);
    }

    fn copied(&self) -> Replica {
        let store = Arc::new(self.primary().copy().unwrap());
        Replica { store, made_at: self.now(), has: self.truth.latest() }
    }

    /// When the copy was made.
    pub(crate) fn copied_at(&self) -> Option<u64> {
        self.state.lock().unwrap().copy.as_ref().map(|copy| copy.made_at)
    }

    /// The copy takes the primary's place: what it has not is lost.
    pub(crate) fn promote_copy(&self) -> Replaced {
        let copy = self.state.lock().unwrap().copy.take();
        let copy = copy.unwrap_or_else(|| self.copied());
        self.replace(copy.store, copy.has)
    }

    /// An empty store takes the primary's place.
    pub(crate) fn flush(&self, dice: &Dice) -> Replaced {
        self.replace(empty(&self.clock, dice), 0)
    }

    fn replace(&self, by: Arc<MemoryStore>, has: Event) -> Replaced {
        let is_lossy = self.truth.replaced(has);
        let old = std::mem::replace(&mut self.state.lock().unwrap().primary, by);
        Replaced { old, is_lossy }
    }
}

fn empty(clock: &Arc<MachineClock>, dice: &Dice) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with(Arc::clone(clock) as _, &SeededRandom::new(dice.next())).unwrap().shared())
}

/// What an old primary cannot do any more: nobody replicates it.
const WRITES: [Operation; 6] = [
    Operation::Open,
    Operation::Advance,
    Operation::Append,
    Operation::PutRecord,
    Operation::Reincarnate,
    Operation::Sweep,
];

/// How bad the network is, in a life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Requests that never arrive, of a thousand.
    pub(crate) lost_requests: u64,
    /// Answers that never arrive, of a thousand.
    pub(crate) lost_replies: u64,
    /// Those that take long, of a thousand.
    pub(crate) slow: u64,
}

/// One node's connection to the store, for one start of the node.
#[derive(Clone)]
pub(crate) struct Link(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Arc<StoreProcess>,
    node: u64,
    dice: Dice,
    weather: Mutex<Weather>,
    state: Mutex<LinkState>,
    changed: Notify,
    /// The old primary, where the connection has not moved on.
    pinned: Mutex<Option<Arc<MemoryStore>>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each comes and goes by itself")]
struct LinkState {
    is_cut: bool,
    is_stopped: bool,
    is_dead: bool,
    /// Answers that a pair is minted by are held back.
    holds_answers: bool,
}

/// What becomes of one call.
struct Fate {
    there: u64,
    back: u64,
    request_lost: bool,
    reply_lost: bool,
}

impl Link {
    pub(crate) fn new(store: &Arc<StoreProcess>, node: usize, dice: Dice, weather: Weather) -> Self {
        Self(Arc::new(Inner {
            store: Arc::clone(store),
            node: node as u64,
            dice,
            weather: Mutex::new(weather),
            state: Mutex::default(),
            changed: Notify::new(),
            pinned: Mutex::default(),
        }))
    }

    /// Nothing comes through.
    pub(crate) fn cut(&self) {
        self.0.change(|state| state.is_cut = true);
    }

    /// Everything comes through again.
    pub(crate) fn mend(&self) {
        *self.0.pinned.lock().unwrap() = None;
        self.0.change(|state| state.is_cut = false);
    }

    /// The process stands still: what it sent is on its way, and what comes back waits until it goes on.
    pub(crate) fn stop(&self) {
        self.0.change(|state| state.is_stopped = true);
    }

    pub(crate) fn go_on(&self) {
        self.0.change(|state| (state.is_stopped, state.holds_answers) = (false, false));
    }

    /// The process stands still as soon as it has been answered what it mints a pair by, until it goes on.
    pub(crate) fn stop_before_minting(&self) {
        self.0.change(|state| state.holds_answers = true);
    }

    pub(crate) fn is_stopped_or_dead(&self) -> bool {
        let state = self.0.now();
        state.is_stopped || state.is_dead
    }

    /// The process is gone: what it had sent still arrives, and nothing more is sent.
    pub(crate) fn kill(&self) {
        self.0.change(|state| state.is_dead = true);
    }

    /// The connection does not move on with the store.
    pub(crate) fn pin(&self, old: Arc<MemoryStore>) {
        *self.0.pinned.lock().unwrap() = Some(old);
    }

    /// From now on the network is well.
    pub(crate) fn clear_up(&self) {
        *self.0.weather.lock().unwrap() = Weather { lost_requests: 0, lost_replies: 0, slow: 0 };
    }

    /// One call of the store, on its way through the network, to its end also where nobody waits for it any more.
    pub(super) async fn call<T, W, F>(&self, operation: Operation, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<MemoryStore>, Arc<StoreProcess>) -> F + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let (link, fate) = (Arc::clone(&self.0), self.0.fate());
        let fault = move |why: &str| Err(StoreError::new(StoreErrorKind::Unavailable, operation.as_str(), why));
        link.trace(operation, &fate);
        if link.now().is_dead {
            return fault("this process was killed");
        }
        let task = tokio::spawn(async move {
            link.leave().await;
            link.travel(fate.there).await;
            if fate.request_lost {
                return fault("the request was lost");
            }
            let answer = match link.arrive(operation) {
                Ok(store) => work(store, Arc::clone(&link.store)).await,
                Err(why) => return fault(why),
            };
            link.travel(fate.back).await;
            link.leave().await;
            if matches!(operation, Operation::Open | Operation::Advance) {
                link.wait_while(|state| state.holds_answers).await;
            }
            let state = link.now();
            if fate.reply_lost || state.is_cut || state.is_dead {
                return fault("the reply was lost");
            }
            answer
        });
        task.await.unwrap_or_else(|_| fault("the process ended"))
    }
}

impl Inner {
    fn fate(&self) -> Fate {
        let weather = *self.weather.lock().unwrap();
        let request_lost = self.dice.happens(weather.lost_requests);
        let reply_lost = self.dice.happens(weather.lost_replies);
        let way = || match self.dice.below(1000) {
            n if n < weather.slow => self.dice.between(20, 900),
            n if n < 500 => 0,
            n => n % 3,
        };
        // Whoever lost something finds out late.
        let (there, back) = (way(), way());
        let late = if request_lost || reply_lost { self.dice.one_of(&[1, 50, 1500]) } else { 0 };
        let (there, back) = if request_lost { (there + late, back) } else { (there, back + late) };
        Fate { there, back, request_lost, reply_lost }
    }

    fn trace(&self, operation: Operation, fate: &Fate) {
        let word = operation as u64 | self.node << 8 | fate.there << 16 | fate.back << 32;
        self.store.trace.note(word ^ self.store.now().rotate_left(40));
    }

    async fn travel(&self, millis: u64) {
        if millis > 0 {
            pass(millis).await;
        }
    }

    fn now(&self) -> LinkState {
        *self.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut LinkState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_waiters();
    }

    /// Waits while the process stands still.
    async fn leave(&self) {
        self.wait_while(|state| state.is_stopped).await;
    }

    async fn wait_while(&self, holds: impl Fn(LinkState) -> bool) {
        loop {
            let changed = self.changed.notified();
            if !holds(self.now()) {
                return;
            }
            changed.await;
        }
    }

    /// The store that answers a request which arrives now.
    fn arrive(&self, operation: Operation) -> Result<Arc<MemoryStore>, &'static str> {
        if self.now().is_cut {
            return Err("the network is cut");
        }
        if let Some(old) = &*self.pinned.lock().unwrap() {
            return if WRITES.contains(&operation) {
                Err("the old primary has no quorum")
            } else {
                Ok(Arc::clone(old))
            };
        }
        let state = self.store.state.lock().unwrap();
        if state.is_down { Err("the store is down") } else { Ok(Arc::clone(&state.primary)) }
    }
}
