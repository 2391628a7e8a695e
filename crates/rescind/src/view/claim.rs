//! The claim to cut everything off in a new history, so that one node does it, and not each of them one after the other:
//! who signed in between two cut-offs would be out again. Owns the record, and when another node's claim is taken over.
//!
//! A claim is made and taken over by compare-and-set. Whoever made it delivers within half of its bound or claims anew;
//! the others wait for the whole of it from when they saw the claim. Each measures by its own clock that never steps, so
//! no two clocks need to agree.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contact::patient;
use super::follow::{FollowError, Follower};
use super::heal::{HealError, everything, stands_for_all};
use crate::position::{Incarnation, Seq};
use crate::store::{Put, Record, RecordKind, StoreError, StoreErrorKind};
use crate::time::BootTime;

const VERSION: u32 = 1;

/// Whose it is to cut everything off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// This node's.
    Ours(Held),
    /// Another node's.
    Theirs,
}

/// A claim of this node's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    of: Incarnation,
    version: u64,
    /// When it began to be written.
    began: BootTime,
}

/// Another node's claim, as this node first saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    of: Incarnation,
    version: u64,
    since: BootTime,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    by: String,
    /// The bound of whoever claims. **Units:** milliseconds.
    bound_ms: u64,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Claimed,
    /// There was nothing to cut off after all.
    Withdrawn,
}

impl Follower {
    /// Claims it for this node, unless another one has and may still deliver.
    pub(super) async fn claim(&mut self, of: Incarnation) -> Result<Turn, FollowError> {
        let record = self.claim_record(of).await?;
        let expected = record.as_ref().map_or(0, |record| record.version);
        let began = self.clock.boot();
        if record.is_some_and(|record| self.is_waited_for(of, &record, began)) {
            return Ok(Turn::Theirs);
        }
        Ok(match self.put_claim(of, expected, Standing::Claimed).await? {
            Put::Written(version) => Turn::Ours(Held { of, version, began }),
            Put::Stale => Turn::Theirs,
        })
    }

    /// Says that there is nothing to cut off after all, so that nobody waits for it.
    pub(super) async fn withdraw(&self, held: Held) -> Result<(), StoreError> {
        // Where another node has taken it over, it is that one's.
        self.put_claim(held.of, held.version, Standing::Withdrawn).await.map(drop)
    }

    /// Whether anybody has claimed it.
    pub(super) async fn is_claimed(&self, of: Incarnation) -> Result<bool, StoreError> {
        Ok(self.claim_record(of).await?.is_some_and(|record| {
            let document = serde_json::from_slice(&record.body);
            !matches!(document, Ok(Document { standing: Standing::Withdrawn, .. }))
        }))
    }

    /// Renews the keys and cuts everything off, by a claim of this node's.
    ///
    /// The keys first: what is revoked and cannot be named may be a key, and whoever stole that signs tokens of any
    /// position. The cut-off comes last, so that a crash between the steps is found: nothing covers the gap.
    pub(super) async fn deliver(&self, held: Held) -> Result<(), FollowError> {
        self.renew.renew().await.map_err(HealError::Keys)?;
        if self.clock.boot().since(held.began) > self.view.mark().bound() / 2 {
            let late =
                "the keys took so long that another node may cut everything off instead; the next round claims it anew";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "append", late).into());
        }
        let now = patient(self.patience(), "health", self.store.health()).await?.now;
        self.store.append(vec![everything(self.widely(now))]).await?;
        Ok(())
    }

    /// Whether the history that began at `base` has been cut off as a whole.
    pub(super) async fn is_cut_off(&self, of: Incarnation, base: Seq) -> Result<bool, FollowError> {
        Ok(self.entries_after(base, of).await?.iter().any(stands_for_all))
    }

    async fn put_claim(&self, of: Incarnation, expected: u64, standing: Standing) -> Result<Put, StoreError> {
        let now = patient(self.patience(), "health", self.store.health()).await?.now;
        let bound_ms = u64::try_from(self.view.mark().bound().as_millis()).unwrap_or(u64::MAX);
        let document = Document { version: VERSION, by: self.peers.me(), bound_ms, standing };
        let broken = |error| StoreError::new(StoreErrorKind::Broken, "put_record", error);
        let body = serde_json::to_vec(&document).map_err(broken)?;
        let (id, ends) = (name(of), Some(self.widely(now)));
        let put = self.store.put_record(RecordKind::HEALINGS, &id, expected, body, ends);
        patient(self.patience(), "put_record", put).await
    }

    async fn claim_record(&self, of: Incarnation) -> Result<Option<Record>, StoreError> {
        patient(self.patience(), "record", self.store.record(RecordKind::HEALINGS, &name(of))).await
    }

    /// Whether a claim is another node's that may still deliver. One that cannot be read is given as long as one of this node's.
    fn is_waited_for(&mut self, of: Incarnation, record: &Record, now: BootTime) -> bool {
        let bound = match serde_json::from_slice::<Document>(&record.body) {
            Ok(Document { standing: Standing::Withdrawn, .. }) => return false,
            // This node's own, of a round that failed, or of the process before this one.
            Ok(Document { by, .. }) if by == self.peers.me() => return false,
            Ok(Document { bound_ms, .. }) => Duration::from_millis(bound_ms),
            Err(_) => self.view.mark().bound(),
        };
        let known = self.claimed.filter(|seen| seen.of == of && seen.version == record.version);
        let seen = *self.claimed.insert(known.unwrap_or(Seen { of, version: record.version, since: now }));
        now.since(seen.since) <= bound
    }
}

/// The claim's name among the healings, which are named after what they led to.
fn name(of: Incarnation) -> String {
    format!("{of}/all")
}
