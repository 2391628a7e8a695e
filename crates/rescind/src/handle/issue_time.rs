//! What a token's `iat` and `exp` count from: the store's time that was read together with the session's position, as long
//! as it agrees with this node's clock; else the clock that is believed (`store_clock`). Owns that no moment after the
//! store was asked is ever taken, and what is promised to those who keep cut-offs where a token counts from ahead of the
//! store's time.
//!
//! A process that sleeps between reading and signing cannot make a token that outlives the memory of a cut-off: both
//! readings are from before the store answered. Sessions end by the store's time alone.
//!
//! A token that counts from a clock that is ahead passes again when the others' clocks get there. Where this node's is
//! the wrong one, that is later than cut-offs are kept for. So the lead is registered in the store before the first such
//! token is out, and every node keeps cut-offs for as much longer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Inner;
use super::error::Error;
use super::registry::Registry;
use super::store_clock::{Believed, Told};
use crate::store::{Put, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::{BootTime, Timestamp};
use crate::view::{CLOCK_MARGIN, Now};

const ID: &str = "clock-lead";
const ATTEMPTS: usize = 8;
/// Leads are registered in whole steps, so that a drifting clock writes seldom.
const STEP: u64 = 60;
/// A registered lead covers tokens of this long, and is then registered anew.
const COVERS: Duration = Duration::from_hours(12);
/// What other nodes found of the clocks counts where it is no older than this by the store's time: from before a step it
/// is not.
const FRESH: Duration = Duration::from_secs(5);

/// When a pair is minted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// By the store's clock, which says when its session ends.
    pub(super) store: Timestamp,
    /// What the access token counts from.
    pub(super) issued_at: Timestamp,
}

/// The leads that count.
#[derive(Debug, Default)]
pub(super) struct KnownLead(Mutex<Lead>);

#[derive(Debug, Default, Clone, Copy)]
struct Lead {
    /// The largest that any node registered, as last read.
    largest: Duration,
    /// What this node registered, and when.
    own: Option<(Duration, BootTime)>,
}

#[derive(Serialize, Deserialize)]
struct Registered {
    /// **Units:** seconds.
    lead: u64,
}

impl KnownLead {
    pub(super) fn new(largest: Duration) -> Self {
        Self(Mutex::new(Lead { largest, own: None }))
    }

    /// The largest lead that any node has given.
    pub(super) fn largest(&self) -> Duration {
        self.lock().largest
    }

    fn covers(&self, lead: Duration, now: BootTime) -> bool {
        self.lock().own.is_some_and(|(own, since)| own >= lead && now.since(since) < COVERS)
    }

    fn lock(&self) -> MutexGuard<'_, Lead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Whether another node's clock and the store's do not agree.
    pub(super) fn clocks_differ(&self) -> bool {
        let (now, slack) = (self.times.now(self.clock.boot()), self.me.skew.as_millis());
        self.others_clocks(now).iter().any(|ahead| u128::from(ahead.unsigned_abs()) > slack)
    }

    /// By how much the store's clock is ahead of each other live node's, by their records of this moment.
    pub(super) fn others_clocks(&self, store: Timestamp) -> Vec<i64> {
        let (me, listing) = (self.id(), self.last_listing().unwrap_or_default());
        let is_fresh = |at: Timestamp| at.since(store).max(store.since(at)) <= FRESH;
        let others = listing.iter().filter(|(id, record)| *id != me && is_fresh(record.at));
        others.filter_map(|(_, record)| record.store_ahead_ms).collect()
    }
}

impl Inner {
    /// When a pair is minted whose session the store told of with its time `store`, when it was asked at `asked`.
    pub(super) async fn moment(&self, asked: Now, store: Timestamp) -> Result<Moment, Error> {
        // Where the store is this process's alone, its clock is this node's.
        let told = Told { asked, store, answered: self.clock.boot() };
        let times = &self.registry.times;
        if !self.store.is_shared() || times.judge(told, &[]).is_none() {
            return Ok(Moment { store, issued_at: store });
        }
        if self.registry.last_listing().is_none() {
            // A node that has just started: others may know which clock is wrong.
            self.registry.listing().await?;
        }
        let apart = times.judge(told, &self.registry.others_clocks(store));
        if apart.is_none_or(|apart| apart.believed == Believed::Store) {
            return Ok(Moment { store, issued_at: store });
        }
        self.register_lead(asked.wall.since(store), store).await?;
        Ok(Moment { store, issued_at: asked.wall })
    }

    /// Has every node keep cut-offs for so much longer.
    async fn register_lead(&self, lead: Duration, store: Timestamp) -> Result<(), Error> {
        let now = self.clock.boot();
        if lead.is_zero() || self.lead.covers(lead, now) {
            return Ok(());
        }
        let lead = Duration::from_secs(lead.as_secs().saturating_add(1).next_multiple_of(STEP));
        let matters = COVERS.saturating_add(lead).saturating_add(self.lifetimes.kept.access());
        let largest = register(&*self.store, lead, store.plus(matters.saturating_add(CLOCK_MARGIN))).await?;
        self.keep_for_lead(largest);
        self.lead.lock().own = Some((lead, now));
        Ok(())
    }

    /// Reads which lead other nodes give, and keeps cut-offs for as much longer from now on.
    pub(super) async fn read_lead(&self) -> Result<(), Error> {
        self.keep_for_lead(read_lead(&*self.store).await?);
        Ok(())
    }

    fn keep_for_lead(&self, lead: Duration) {
        {
            let mut known = self.lead.lock();
            if lead <= known.largest {
                return;
            }
            known.largest = lead;
        }
        self.keep_by_lifetimes();
    }
}

/// The largest lead that is registered, and may still matter.
pub(super) async fn read_lead(store: &dyn Store) -> Result<Duration, StoreError> {
    if !store.is_shared() {
        return Ok(Duration::ZERO);
    }
    let record = store.record(RecordKind::SETTINGS, ID).await?;
    record.map_or(Ok(Duration::ZERO), |record| read(&record.body))
}

fn read(body: &[u8]) -> Result<Duration, StoreError> {
    let registered: Registered =
        serde_json::from_slice(body).map_err(|error| StoreError::new(StoreErrorKind::Corrupt, "record", error))?;
    Ok(Duration::from_secs(registered.lead).min(CLOCK_MARGIN))
}

/// Registers a lead until `ends` by the store's time; returns the largest that is registered. The store's sweep forgets it.
async fn register(store: &dyn Store, lead: Duration, ends: Timestamp) -> Result<Duration, StoreError> {
    for _ in 0..ATTEMPTS {
        let present = store.record(RecordKind::SETTINGS, ID).await?;
        let (version, before, until) = match &present {
            Some(record) => (record.version, read(&record.body)?, record.ends.unwrap_or_default()),
            None => (0, Duration::ZERO, Timestamp::EPOCH),
        };
        let largest = before.max(lead);
        let body = serde_json::to_vec(&Registered { lead: largest.as_secs() })
            .map_err(|error| StoreError::new(StoreErrorKind::Corrupt, "put_record", error))?;
        let ends = Some(ends.max(until));
        if let Put::Written(_) = store.put_record(RecordKind::SETTINGS, ID, version, body, ends).await? {
            return Ok(largest);
        }
    }
    let contended = "other nodes registered the lead of their clocks every time; try again";
    Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", contended))
}
