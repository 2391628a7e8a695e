//! The claim to cut everything off in a new history, so that one node does it, and not each of them one after the other:
//! who signed in between two cut-offs would be out again. Owns the record, and when another node's claim is taken over.
//!
//! A claim is made and taken over by compare-and-set. Whoever made it delivers within half of its term, however often it
//! has to try; the others wait for the whole of it from when they saw the claim, and so does whoever was late. Each
//! measures by its own clock that never steps, so no two clocks need to agree. As a rule one cut-off comes of it: a
//! claimant that is stopped between its last look at the clock and the append may add a second one.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::contact::{patient, with_keys};
use super::failure::FollowError;
use super::follow::{Follower, PAUSE};
use super::heal::{everything, stands_for_all};
use crate::log::NewEntry;
use crate::position::{Incarnation, Seq};
use crate::store::{Batch, Feed, Put, Record, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::{BootTime, Timestamp};

/// A claim is given this long at least: to renew the keys takes several writes, whatever the bound is.
const TERM: Duration = Duration::from_secs(10);

/// How a claim's name ends.
const ON_ALL: &str = "/all";
/// Records read at once.
const PAGE: usize = 500;

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
    /// Whether a cut-off was sent by it, so that nobody can say any more that none comes.
    is_sent: bool,
}

/// A claim that is waited for, as this node first saw it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    of: Incarnation,
    version: u64,
    since: BootTime,
}

#[derive(Serialize, Deserialize)]
struct Document {
    by: String,
    /// How long whoever claims is waited for. **Units:** milliseconds.
    term_ms: u64,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Claimed,
    /// Nothing comes of it: there was nothing to cut off after all, or whoever claimed could not.
    Withdrawn,
}

impl Follower {
    /// Cuts everything off in a history that goes up to `base`, unless somebody else has written there. Counts, and says, whether
    /// this node did it.
    pub(super) async fn cut_off_everything(&mut self, of: Incarnation, base: Seq) -> Result<bool, FollowError> {
        let mut answered = self.clock.boot();
        loop {
            match self.turn(of, base).await {
                Ok(ControlFlow::Break(Some(held))) => {
                    self.deliver(held).await?;
                    self.progress.healed.fetch_add(1, Ordering::Relaxed);
                    return Ok(true);
                }
                Ok(ControlFlow::Break(None)) => return Ok(false),
                Ok(ControlFlow::Continue(())) => answered = self.clock.boot(),
                // Whoever is starting would begin the whole wait anew for one answer that was lost, which shows after a while.
                Err(error) if error.is_outage() && self.clock.boot().since(answered) <= self.patience() * 2 => {}
                Err(error) => return Err(error),
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether it is this node's to cut everything off. Ends with none where somebody else has written there.
    async fn turn(&mut self, of: Incarnation, base: Seq) -> Result<ControlFlow<Option<Held>>, FollowError> {
        let turn = self.claim(of).await?;
        let (Feed::Batch(Batch { head, .. }) | Feed::Gone(head)) = self.read(base, 1).await?;
        Ok(match turn {
            _ if head.incarnation != of => ControlFlow::Break(None),
            // Asked behind the claim: whoever held it before may have been late.
            Turn::Ours(held) => ControlFlow::Break((!self.is_cut_off(of, base).await?).then_some(held)),
            Turn::Theirs if head.seq == base => ControlFlow::Continue(()),
            Turn::Theirs => ControlFlow::Break(None),
        })
    }

    /// Claims it for this node, unless another one has and may still deliver. A claim of this node's is gone on with.
    pub(super) async fn claim(&mut self, of: Incarnation) -> Result<Turn, FollowError> {
        let record = self.claim_record(of).await?;
        let expected = record.as_ref().map_or(0, |record| record.version);
        let began = self.clock.boot();
        if let Some(held) = self.held.filter(|held| held.of == of && held.version == expected && !self.is_late(held)) {
            // Not written anew: the others' wait for it would begin anew, too.
            return Ok(Turn::Ours(held));
        }
        if record.is_some_and(|record| self.is_waited_for(of, &record, began)) {
            return Ok(Turn::Theirs);
        }
        Ok(match self.put_claim(of, expected, Standing::Claimed).await? {
            Put::Written(version) => Turn::Ours(*self.held.insert(Held { of, version, began, is_sent: false })),
            Put::Stale => Turn::Theirs,
        })
    }

    /// Says that nothing comes of it, so that nobody waits for it.
    pub(super) async fn withdraw(&mut self, held: Held) -> Result<(), StoreError> {
        // Where another node has taken it over, it is that one's.
        self.put_claim(held.of, held.version, Standing::Withdrawn).await?;
        self.held = None;
        Ok(())
    }

    /// Whether anybody has claimed it.
    pub(super) async fn is_claimed(&self, of: Incarnation) -> Result<bool, StoreError> {
        Ok(self.claim_record(of).await?.is_some_and(|record| stands(&record)))
    }

    /// The same, at the store's time `now`, where what was lost may still matter: to sessions that have not ended since.
    pub(super) async fn is_claimed_of_late(&self, of: Incarnation, now: Timestamp) -> Result<bool, StoreError> {
        let matters = |record: &Record| stands(record) && record.ends.is_none_or(|ends| ends > now);
        Ok(self.claim_record(of).await?.as_ref().is_some_and(matters))
    }

    /// The cut-off of an earlier claim is told again, which the store lost with the claim: as long as either stands, nothing
    /// that covers it may be lifted.
    pub(super) async fn claim_again(&self, of: Incarnation) -> Result<(), StoreError> {
        let present = self.claim_record(of).await?;
        if present.as_ref().is_some_and(stands) {
            return Ok(());
        }
        match self.put_claim(of, present.map_or(0, |record| record.version), Standing::Claimed).await? {
            Put::Written(_) => Ok(()),
            Put::Stale => {
                let raced = "another node claims or withdraws at the same time; the next round looks again";
                Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", raced))
            }
        }
    }

    /// Renews the keys and cuts everything off, by a claim of this node's.
    ///
    /// The keys first: what is revoked and cannot be named may be a key, and whoever stole that signs tokens of any
    /// position. The cut-off comes last, so that a crash between the steps is found: nothing covers the gap.
    pub(super) async fn deliver(&mut self, held: Held) -> Result<(), FollowError> {
        let cut_off = match self.renew_in_time(&held).await {
            Ok(cut_off) => cut_off,
            Err(error) => {
                // Not where one was sent: it may be in the log already, or still come.
                if !held.is_sent && self.withdraw(held).await.is_err() {
                    tracing::debug!("the claim could not be withdrawn and stands until its term is over");
                }
                return Err(error);
            }
        };
        self.held = Some(Held { is_sent: true, ..held });
        self.store.append(vec![cut_off]).await?;
        Ok(())
    }

    /// Renews the keys and returns the cut-off, unless another node may make it by now.
    async fn renew_in_time(&self, held: &Held) -> Result<NewEntry, FollowError> {
        with_keys(self.renew.renew()).await?;
        let now = patient(self.patience(), "health", self.store.health()).await?.now;
        // Last, so that nothing but the append comes behind it.
        if self.is_late(held) {
            let late = "the keys took so long that another node may cut everything off instead; it is tried again";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "append", late).into());
        }
        Ok(everything(self.widely(now)))
    }

    /// Whether it is too late to deliver. Nobody else takes a claim over on a store of one's own.
    fn is_late(&self, held: &Held) -> bool {
        self.store.is_shared() && self.clock.boot().since(held.began) > self.term() / 2
    }

    pub(super) fn term(&self) -> Duration {
        self.view.mark().bound().max(TERM)
    }

    /// Whether the history that began at `base` has been cut off as a whole.
    pub(super) async fn is_cut_off(&self, of: Incarnation, base: Seq) -> Result<bool, FollowError> {
        Ok(self.entries_after(base, of).await?.iter().any(stands_for_all))
    }

    async fn put_claim(&self, of: Incarnation, expected: u64, standing: Standing) -> Result<Put, StoreError> {
        let now = patient(self.patience(), "health", self.store.health()).await?.now;
        let term_ms = u64::try_from(self.term().as_millis()).unwrap_or(u64::MAX);
        let document = Document { by: self.peers.me(), term_ms, standing };
        let broken = |error| StoreError::new(StoreErrorKind::Broken, "put_record", error);
        let body = serde_json::to_vec(&document).map_err(broken)?;
        let (id, ends) = (name(of), Some(self.widely(now)));
        let put = self.store.put_record(RecordKind::HEALINGS, &id, expected, body, ends);
        patient(self.patience(), "put_record", put).await
    }

    async fn claim_record(&self, of: Incarnation) -> Result<Option<Record>, StoreError> {
        patient(self.patience(), "record", self.store.record(RecordKind::HEALINGS, &name(of))).await
    }

    /// Whether whoever made a claim may still deliver: another node, this one before it was started again, or this one too
    /// late, so that the others come first. One that cannot be read is given as long as one of this node's.
    fn is_waited_for(&mut self, of: Incarnation, record: &Record, now: BootTime) -> bool {
        if !self.store.is_shared() {
            return false;
        }
        let (by, term) = match serde_json::from_slice(&record.body) {
            Ok(Document { standing: Standing::Withdrawn, .. }) => return false,
            Ok(Document { by, term_ms, .. }) => (by, Duration::from_millis(term_ms)),
            Err(_) => ("a node that cannot be told".to_owned(), self.term()),
        };
        let known = self.claimed.filter(|seen| seen.of == of && seen.version == record.version);
        if known.is_none() {
            tracing::info!(by, ?term, "everything is about to be cut off; whoever claimed that is waited for");
        }
        let seen = *self.claimed.insert(known.unwrap_or(Seen { of, version: record.version, since: now }));
        now.since(seen.since) <= term
    }
}

/// Whether a cut-off on everything stands for revocations that the store has lost, as far back as that can matter.
pub(crate) async fn was_everything_lost(store: &dyn Store) -> Result<bool, StoreError> {
    let mut last: Option<String> = None;
    loop {
        let records = store.records(RecordKind::HEALINGS, last.as_deref(), PAGE).await?;
        if records.iter().any(|(name, record)| name.ends_with(ON_ALL) && stands(record)) {
            return Ok(true);
        }
        match records.last() {
            Some((name, _)) if records.len() == PAGE => last = Some(name.clone()),
            _ => return Ok(false),
        }
    }
}

fn stands(record: &Record) -> bool {
    let document = serde_json::from_slice(&record.body);
    !matches!(document, Ok(Document { standing: Standing::Withdrawn, .. }))
}

/// The claim's name among the healings, which are named after what they led to.
fn name(of: Incarnation) -> String {
    format!("{of}{ON_ALL}")
}
