//! This node's record in a shared store: written in a rhythm, and soon after the view has taken entries in. Each write is
//! the proof that the store still takes writes, without which the view would soon be stale. Owns the rhythm and the
//! node's name; who else is there stands in `roster`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::error::BuildError;
use super::health::Health;
use super::node_record::{NodeRecord, Presence};
use super::roster::Sightings;
use super::settings::InvalidSetting;
use super::store_clock::{StoreClock, Told};
use crate::position::{Incarnation, Seq};
use crate::random::Random;
use crate::store::{Put, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::{Clock, Timestamp};
use crate::view::{Now, Progress, View};

/// After entries were taken in, the record is written at most this often.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// At most this long between two writes, however long the bound is: a store that is back is found soon.
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// After a write that failed, the next one comes this soon.
const RETRY: Duration = Duration::from_millis(250);
/// A write may begin while another one hangs, so that one lost packet does not make the view stale.
const AT_ONCE: usize = 2;
/// A node that is heard of no more is forgotten so long after, by the store's sweep.
const KEPT: Duration = Duration::from_mins(1);
const ATTEMPTS: usize = 8;
/// The longest name of a node. **Units:** bytes.
const ID_MAX: usize = 128;

/// What a node says of itself that does not change.
#[derive(Debug, Clone)]
pub(super) struct Me {
    pub(super) id: String,
    /// Drawn at this start.
    pub(super) start: String,
    pub(super) started: Timestamp,
    pub(super) issuer: String,
    pub(super) address: Option<String>,
    pub(super) bound: Duration,
    /// Clocks that are no further apart agree.
    pub(super) skew: Duration,
}

/// This node among those that share its store.
pub(super) struct Registry {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) progress: Arc<Progress>,
    pub(super) times: StoreClock,
    pub(super) sightings: Sightings,
    pub(super) me: Me,
    pub(super) health: Arc<Health>,
    view: Arc<View>,
    own: Mutex<Own>,
}

/// The node's record as it last stood.
#[derive(Debug)]
struct Own {
    id: String,
    /// 0 before it was written.
    version: u64,
}

/// What the record said when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stated {
    applied: Seq,
    joined: Option<Incarnation>,
}

impl Me {
    /// Names a node: as it was given, or after the host with some random digits.
    pub(super) fn named(node: Option<String>, random: &dyn Random) -> Result<(String, String), BuildError> {
        let mut start = [0; 4];
        random.fill(&mut start)?;
        let start = format!("{:08x}", u32::from_be_bytes(start));
        let Some(id) = node else {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            return Ok((format!("{host}-{start}"), start));
        };
        if id.trim() != id || id.is_empty() || id.len() > ID_MAX || id.chars().any(char::is_control) {
            let problem = "must be 1 to 128 bytes without control characters, and no blanks around";
            return Err(InvalidSetting { setting: "node", problem }.into());
        }
        Ok((id, start))
    }
}

impl Registry {
    /// Joins those that share the store, where it is shared: the record stands when this returns.
    pub(super) async fn join(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        view: Arc<View>,
        progress: Arc<Progress>,
        mut me: Me,
    ) -> Result<Arc<Self>, StoreError> {
        let head = store.health().await?;
        me.started = head.now;
        let (health, times) = (Arc::new(Health::new(head)), StoreClock::new(head.now, clock.boot(), me.skew));
        let own = Mutex::new(Own { id: me.id.clone(), version: 0 });
        let sightings = Sightings::default();
        let registry = Arc::new(Self { store, clock, progress, times, sightings, me, health, view, own });
        if registry.store.is_shared() {
            registry.beat(Presence::Here).await?;
        }
        Ok(registry)
    }

    /// Says that this node leaves, so that nobody waits for it.
    pub(super) async fn leave(&self) {
        if !self.store.is_shared() {
            return;
        }
        if let Err(error) = self.beat(Presence::Left).await {
            tracing::warn!(%error, "the other nodes could not be told that this one leaves");
        }
    }

    /// The name that the node has in the store: the one that it was given, unless another node has the same.
    pub(super) fn id(&self) -> String {
        self.own().id.clone()
    }

    /// Where in its rhythm the node begins, so that nodes that start together do not sweep together.
    pub(super) fn phase(&self) -> u64 {
        let drawn = u64::from_str_radix(&self.me.start, 16).unwrap_or(0);
        if self.store.is_shared() { drawn } else { 0 }
    }

    /// Writes the record in its rhythm, until the runtime ends.
    pub(super) async fn run(self: Arc<Self>) {
        let pause = (self.me.bound / 4).min(MOST_PAUSE);
        let mut beats: JoinSet<Result<(), StoreError>> = JoinSet::new();
        let mut failing = false;
        loop {
            let stated = self.state();
            let registry = Arc::clone(&self);
            beats.spawn(async move { registry.beat(Presence::Here).await });
            let (soon, retry, regular) = (sleep(DEBOUNCE), sleep(RETRY.min(pause)), sleep(pause));
            tokio::pin!(soon, retry, regular);
            loop {
                tokio::select! {
                    // In their order and not at random, so that a simulated life follows from its seed.
                    biased;
                    Some(ended) = beats.join_next() => failing = matches!(ended, Ok(Err(_))),
                    () = &mut regular => break,
                    () = &mut retry, if failing => break,
                    () = async { self.news(stated).await; soon.as_mut().await }, if !failing => break,
                }
            }
            if beats.len() >= AT_ONCE {
                drop(beats.join_next().await);
            }
        }
    }

    /// Waits until the record says what is not so any more, or the view would be stale soon for want of a write.
    async fn news(&self, stated: Stated) {
        let (mut done, mut joined) = (self.progress.watch(), self.progress.watch_joined());
        while self.state() == stated {
            tokio::select! {
                biased;
                () = done.changed() => {}
                () = joined.changed() => {}
                () = self.progress.proof.wanted() => return,
            }
        }
    }

    fn state(&self) -> Stated {
        Stated { applied: self.progress.done().applied, joined: self.progress.joined() }
    }

    /// Writes the record once, and notes how the store took it. One that takes longer than the bound has failed.
    pub(super) async fn beat(&self, presence: Presence) -> Result<(), StoreError> {
        let late = |late| Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", late));
        let written = timeout(self.me.bound, self.write(presence)).await.unwrap_or_else(late);
        if let Err(error) = &written {
            self.health.note(Err(error));
        }
        written
    }

    async fn write(&self, presence: Presence) -> Result<(), StoreError> {
        // Read before the store's time is: whoever sees that time knows how old our view can be at most.
        let asked = Now::read(&*self.clock);
        let began = asked.boot;
        let proof = self.progress.proof.begin(began);
        let head = self.store.health().await?;
        let told = Told { asked, store: head.now, answered: self.clock.boot() };
        self.times.note(began, head.now, told.answered);
        let others = self.last_listing().map(|_| self.others_clocks(head.now));
        self.times.compare(told, others.as_deref());
        for _ in 0..ATTEMPTS {
            let (id, version) = {
                let own = self.own();
                (own.id.clone(), own.version)
            };
            let body = serde_json::to_vec(&self.record(head.now, presence)).map_err(unwritable)?;
            let ends = Some(head.now.plus(KEPT));
            if let Put::Written(version) = self.store.put_record(RecordKind::NODES, &id, version, body, ends).await? {
                self.note_written(&id, version);
                self.progress.proof.succeeded(proof);
                self.health.note(Ok(head));
                return Ok(());
            }
            if self.settle(&id, head.now).await? == Settled::Overtaken && presence == Presence::Here {
                return Ok(());
            }
        }
        let contended = "this node's record was changed by others every time";
        Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", contended))
    }

    /// The record is not as it was left: finds out whose it is.
    async fn settle(&self, id: &str, at: Timestamp) -> Result<Settled, StoreError> {
        let present = self.store.record(RecordKind::NODES, id).await?;
        let mut own = self.own();
        if own.id != id {
            return Ok(Settled::Again);
        }
        let Some(present) = present else {
            own.version = 0;
            return Ok(Settled::Again);
        };
        match NodeRecord::read(&present.body) {
            Some(ours) if ours.start == self.me.start => {
                // Lower than it was where the store lost history.
                own.version = present.version;
                // A write that hung says nothing that a later one has not said.
                if ours.at >= at { Ok(Settled::Overtaken) } else { Ok(Settled::Again) }
            }
            // Of whoever had the name before this start.
            _ if own.version == 0 => {
                own.version = present.version;
                Ok(Settled::Again)
            }
            _ => {
                *own = Own { id: format!("{}~{}", self.me.id, self.me.start), version: 0 };
                tracing::error!(
                    id,
                    instead = own.id,
                    "ALARM: another node has this node's name and shares its store; give each node a name of its own"
                );
                Ok(Settled::Again)
            }
        }
    }

    fn note_written(&self, id: &str, version: u64) {
        let mut own = self.own();
        if own.id == id {
            own.version = own.version.max(version);
        }
    }

    /// What the node has to say of itself at the store's time `at`.
    pub(super) fn record(&self, at: Timestamp, presence: Presence) -> NodeRecord {
        let Stated { applied, joined } = self.state();
        NodeRecord {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            issuer: self.me.issuer.clone(),
            start: self.me.start.clone(),
            started: self.me.started,
            at,
            presence,
            incarnation: joined.map(|joined| joined.to_string()),
            applied,
            staleness_ms: self.view.age(Now::read(&*self.clock)).map(millis),
            bound_ms: millis(self.me.bound),
            store_ahead_ms: self.times.ahead(),
            address: self.me.address.clone(),
        }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a record that was not as it was left.
#[derive(PartialEq, Eq)]
enum Settled {
    /// Write again.
    Again,
    /// A later write of this node is there.
    Overtaken,
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "put_record", error)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
