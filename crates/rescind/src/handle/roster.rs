//! Which nodes share the store. Owns the listing of their records, one reading for all who ask at the same time, and
//! what healing has to know of those who were there before a loss. This node's own record stands in `registry`.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use super::error::BuildError;
use super::node_record::{NodeRecord, NodeState, Presence};
use super::registry::Registry;
use crate::position::{Incarnation, Seq};
use crate::store::{RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::BootTime;
use crate::view::{Peers, Stage, Unheard};

/// How often the records are listed where nobody asks: for what healing has to know, and for metrics.
const LOOK: Duration = Duration::from_secs(1);
/// A node that has just started lists them this often, at most [`FIRST_LOOKS`] times, until a listing counts.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const FIRST_LOOKS: u32 = 20;
/// Between two readings lies at least this much, however many ask.
const GAP: Duration = Duration::from_millis(20);
/// Records read at once.
const PAGE: usize = 500;

/// The nodes' records as they stood at one moment.
pub(super) type Listing = Arc<[(String, NodeRecord)]>;

/// Which nodes were seen.
#[derive(Debug)]
pub(super) struct Sightings {
    /// Readings that have begun.
    begun: AtomicU64,
    /// The last reading that ended: its number, and what it came to.
    latest: tokio::sync::Mutex<(u64, Result<Listing, String>)>,
    /// The last one that succeeded.
    known: Mutex<Option<Listing>>,
    looks: Mutex<Looks>,
    counted: Mutex<Counted>,
}

impl Default for Sightings {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            latest: tokio::sync::Mutex::new((0, Err("not listed yet".to_owned()))),
            known: Mutex::default(),
            looks: Mutex::default(),
            counted: Mutex::default(),
        }
    }
}

/// What this node has found itself, by its own clock that never steps.
#[derive(Debug, Default)]
struct Looks {
    /// When the last one began.
    last: BootTime,
    /// Since when each record is as it is.
    unchanged: HashMap<String, (NodeRecord, BootTime)>,
}

/// The listings that count for healing: a round of the feed that began after each of them found the store in order.
#[derive(Debug, Default)]
struct Counted {
    pending: Option<(u64, Sight)>,
    present: Option<Sight>,
    /// The last one of the incarnation before.
    before: Option<Sight>,
    /// The peers that had not joined an incarnation when it was asked who is absent from it.
    found: Option<(Incarnation, BTreeSet<String>)>,
}

/// The peers that lived, in one incarnation.
#[derive(Debug, Clone)]
struct Sight {
    incarnation: Incarnation,
    peers: Vec<String>,
    highest: Seq,
}

impl Registry {
    /// Lists the nodes in a rhythm, until the runtime ends.
    pub(super) async fn look_around(self: Arc<Self>) {
        let mut first = FIRST_LOOKS;
        loop {
            let joined = self.progress.joined();
            match self.listing().await {
                Ok(listing) => self.count(&listing, joined),
                Err(error) => tracing::debug!(%error, "the nodes cannot be listed"),
            }
            first = if lock(&self.sightings.counted).present.is_none() { first.saturating_sub(1) } else { 0 };
            sleep(if first == 0 { LOOK } else { FIRST_LOOK }).await;
        }
    }

    /// The nodes' records, from a reading that began after the call.
    ///
    /// **Cost:** all who ask at the same time share one reading.
    pub(super) async fn listing(&self) -> Result<Listing, StoreError> {
        let unavailable = |text: String| StoreError::new(StoreErrorKind::Unavailable, "records", text);
        let asked = self.sightings.begun.load(Ordering::Acquire);
        let mut latest = self.sightings.latest.lock().await;
        if latest.0 > asked {
            return latest.1.clone().map_err(unavailable);
        }
        sleep(GAP).await;
        let number = self.sightings.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let began = self.clock.boot();
        let read = match timeout(self.me.bound, read_all(&*self.store)).await {
            Ok(read) => read.map(Listing::from).map_err(|error| error.to_string()),
            Err(late) => Err(late.to_string()),
        };
        *latest = (number, read.clone());
        if let Ok(listing) = &read {
            self.sightings.compare(listing, began, self.clock.boot());
            if let Some(joined) = self.progress.joined() {
                self.progress.saw(applied_in(listing, joined));
            }
            *lock(&self.sightings.known) = Some(Arc::clone(listing));
        }
        read.map_err(unavailable)
    }

    /// The records of the last listing that succeeded.
    pub(super) fn last_listing(&self) -> Option<Listing> {
        lock(&self.sightings.known).clone()
    }

    /// Whether a node has not written its record for longer than its bound, so far as this node has looked itself: whatever
    /// the store's clock says, it refuses to answer or is dead.
    pub(super) fn is_quiet(&self, id: &str, record: &NodeRecord) -> bool {
        let looks = lock(&self.sightings.looks);
        let is_long =
            |(seen, since): &(NodeRecord, BootTime)| seen == record && looks.last.since(*since) > record.bound();
        looks.unchanged.get(id).is_some_and(is_long)
    }

    /// How a node is doing now. Right after the store's clock stepped nobody counts as silent.
    pub(super) fn state_of(&self, record: &NodeRecord) -> NodeState {
        let boot = self.clock.boot();
        match record.state(self.times.now(boot)) {
            NodeState::Silent if !self.times.steady_for(record.bound(), boot) => NodeState::Live,
            state => state,
        }
    }

    /// How many nodes live, this one among them, and how many fell silent, by the last listing.
    pub(super) fn live_and_silent(&self) -> (usize, usize) {
        let (me, listing) = (self.id(), self.last_listing().unwrap_or_default());
        let others = listing.iter().filter(|(id, _)| *id != me).map(|(_, record)| self.state_of(record));
        let is = |wanted| others.clone().filter(|state| *state == wanted).count();
        (1 + is(NodeState::Live), is(NodeState::Silent))
    }

    /// Takes a listing down, and counts the one before where a round has found the store in order since.
    fn count(&self, listing: &Listing, joined: Option<Incarnation>) {
        let Some(incarnation) = joined else { return };
        let me = self.id();
        let live = |record: &NodeRecord| self.state_of(record) == NodeState::Live;
        let peers = listing.iter().filter(|(id, record)| *id != me && live(record));
        let highest = peers.clone().map(|(_, record)| record.applied).max().unwrap_or_default();
        let sight = Sight { incarnation, peers: peers.map(|(id, _)| id.clone()).collect(), highest };
        let mut counted = lock(&self.sightings.counted);
        counted.settle(self.progress.done().round, incarnation);
        counted.pending = Some((self.progress.begun(), sight));
    }

    /// The peers that lived before `incarnation`, and those that were found since to follow another one: they had been silent,
    /// and are back. For a node that had just started then, those, too, that live and follow none when it first asks. What that
    /// may miss is a peer whose record the store has lost, too, until that is written again, a quarter of the peer's bound
    /// later; and a peer that died in this moment.
    fn peers_before(&self, incarnation: Incarnation, listing: &Listing) -> BTreeSet<String> {
        let me = self.id();
        let live = |record: &NodeRecord| self.state_of(record) == NodeState::Live;
        let mut counted = lock(&self.sightings.counted);
        let before = counted.sight_before(incarnation).map(|sight| sight.peers.clone());
        let is_first = counted.found.as_ref().is_none_or(|(of, _)| *of != incarnation);
        let may_follow_none = is_first && before.is_none();
        let has_yet_to_join = |(id, record): &&(String, NodeRecord)| {
            let is_elsewhere = record.incarnation().map_or(may_follow_none, |of| of != incarnation);
            *id != me && is_elsewhere && live(record)
        };
        let mut found = counted.found.take().filter(|_| !is_first).map(|(_, found)| found).unwrap_or_default();
        found.extend(listing.iter().filter(has_yet_to_join).map(|(id, _)| id.clone()));
        counted.found = Some((incarnation, found.clone()));
        found.extend(before.unwrap_or_default());
        found
    }
}

impl Sightings {
    /// Takes down since when each record is as it is, by a reading from `began` to `now`.
    fn compare(&self, listing: &Listing, began: BootTime, now: BootTime) {
        let Looks { last, unchanged } = &mut *lock(&self.looks);
        let before = std::mem::take(unchanged);
        let since = |id: &String, record: &NodeRecord| {
            before.get(id).filter(|(seen, _)| seen == record).map_or(now, |(_, since)| *since)
        };
        unchanged.extend(listing.iter().map(|(id, record)| (id.clone(), (record.clone(), since(id, record)))));
        *last = began;
    }
}

impl Counted {
    fn settle(&mut self, round: u64, joined: Incarnation) {
        let Some((begun, sight)) = self.pending.take() else { return };
        // After a healing the rounds are in order again, and say nothing of a listing from before it.
        if round <= begun || sight.incarnation != joined {
            return;
        }
        if let Some(present) = self.present.replace(sight)
            && self.present.as_ref().is_some_and(|now| now.incarnation != present.incarnation)
        {
            self.before = Some(present);
        }
    }

    /// The last sight that is not of this incarnation.
    fn sight_before(&self, incarnation: Incarnation) -> Option<&Sight> {
        [&self.present, &self.before].into_iter().flatten().find(|sight| sight.incarnation != incarnation)
    }
}

#[async_trait]
impl Peers for Registry {
    fn me(&self) -> String {
        self.id()
    }

    fn highest(&self) -> Seq {
        let counted = lock(&self.sightings.counted);
        [&counted.present, &counted.before].into_iter().flatten().map(|sight| sight.highest).max().unwrap_or_default()
    }

    async fn absent(&self, incarnation: Incarnation) -> Result<Vec<String>, StoreError> {
        let listing = self.listing().await?;
        let peers = self.peers_before(incarnation, &listing);
        let is_accounted_for = |peer: &String| {
            listing.iter().any(|(id, record)| {
                id == peer && (record.presence == Presence::Left || record.incarnation() == Some(incarnation))
            })
        };
        Ok(peers.into_iter().filter(|peer| !is_accounted_for(peer)).collect())
    }

    async fn unheard(&self, incarnation: Incarnation) -> Result<Vec<Unheard>, StoreError> {
        let (me, listing) = (self.id(), self.listing().await?);
        let unheard = |(id, record): &(String, NodeRecord)| {
            let stage = match record.incarnation() {
                _ if *id == me => return None,
                None => Stage::Starting,
                Some(of) if of != incarnation => Stage::Elsewhere,
                Some(_) if record.staleness_ms.is_none() => Stage::Waiting,
                Some(_) => return None,
            };
            let is_live = self.state_of(record) == NodeState::Live;
            Some(Unheard { id: id.clone(), stage, is_live, bound: record.bound() })
        };
        Ok(listing.iter().filter_map(unheard).collect())
    }

    async fn applied_in(&self, incarnation: Incarnation) -> Result<Seq, StoreError> {
        Ok(applied_in(&self.listing().await?, incarnation))
    }
}

fn applied_in(listing: &[(String, NodeRecord)], incarnation: Incarnation) -> Seq {
    let of_it = listing.iter().filter(|(_, record)| record.incarnation() == Some(incarnation));
    of_it.map(|(_, record)| record.applied).max().unwrap_or_default()
}

/// Nodes on one store need the same issuer: refuses another one while a node lives that has it not. When all have ended
/// it may change, and the tokens of the one before are refused.
pub(super) async fn refuse_other_issuer(store: &dyn Store, issuer: &str) -> Result<(), BuildError> {
    if !store.is_shared() {
        return Ok(());
    }
    let now = store.health().await?.now;
    let differs = |(_, record): &(String, NodeRecord)| record.issuer != issuer && record.state(now) == NodeState::Live;
    match read_all(store).await?.into_iter().find(differs) {
        Some((node, record)) => Err(BuildError::OtherIssuer { node, theirs: record.issuer, ours: issuer.to_owned() }),
        None => Ok(()),
    }
}

async fn read_all(store: &dyn Store) -> Result<Vec<(String, NodeRecord)>, StoreError> {
    let mut nodes = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.records(RecordKind::NODES, after.as_deref(), PAGE).await?;
        let is_whole = page.len() == PAGE;
        after = page.last().map(|(id, _)| id.clone());
        nodes.extend(page.into_iter().filter_map(|(id, record)| Some((id, NodeRecord::read(&record.body)?))));
        if !is_whole {
            return Ok(nodes);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
