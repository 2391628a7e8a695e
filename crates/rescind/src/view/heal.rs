//! What to do when a store lost or forked its history. Owns the judgement and the cure: a new incarnation far ahead
//! of everything known, new signing keys, and a cut-off on `all`. Everyone signs in again; nobody revoked comes back.

use async_trait::async_trait;

use crate::high_water::HighWater;
use crate::log::{Act, NewEntry, Scope, Text};
use crate::position::{Incarnation, Seq};
use crate::random::{Random, RandomFailed};
use crate::store::{Feed, Head, Snapshot, Store, StoreError};
use crate::time::Timestamp;

/// The reason of the cut-off that stands for everything that a store has lost.
pub(crate) const HISTORY_LOST: &str = "history_lost";

/// How a store's answer fits what a node has already seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The history goes on from there.
    Fits,
    /// The same history, but the entries behind the mark were swept: load a snapshot.
    Swept,
    /// Another history, or an older copy of this one.
    Lost,
}

/// Judges the feed after `known`. An empty store is never "nothing revoked": it has another incarnation.
pub(super) fn fit(known: HighWater, feed: &Feed) -> Fit {
    match feed {
        Feed::Batch(batch) if batch.head.incarnation == known.incarnation && batch.prev_tag == known.tag => Fit::Fits,
        Feed::Gone(head) if head.incarnation == known.incarnation && head.seq >= known.seq => Fit::Swept,
        Feed::Batch(_) | Feed::Gone(_) => Fit::Lost,
    }
}

/// Whether a snapshot is whole for a node that has seen `known`: it is of another incarnation, and everything that the
/// node could know of is covered by a cut-off on `all` above it. So the healing is done, whoever did it.
pub(super) fn is_healed(known: HighWater, snapshot: &Snapshot) -> bool {
    snapshot.head.incarnation != known.incarnation
        && snapshot.cut_offs.iter().any(|cut_off| cut_off.scope == Scope::All && cut_off.seq > known.seq)
}

/// A store that could not be healed.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There was no randomness.
    #[error(transparent)]
    Random(#[from] RandomFailed),
    /// The signing keys could not be renewed.
    #[error("the signing keys cannot be renewed: {0}")]
    Keys(Box<dyn std::error::Error + Send + Sync>),
    /// Others changed the store's incarnation every time.
    #[error("other nodes heal the store as well and none gets to the end; stop all but one")]
    Contended,
    /// The positions are used up: only a log of another maker comes here.
    #[error(
        "the log stands at {0}, too close to the highest position for a new incarnation; start with an empty store"
    )]
    Exhausted(Seq),
}

/// What an older copy of the store could bring back beside the log.
#[async_trait]
pub(crate) trait Renew: Send + Sync {
    /// Revokes every signing key and makes new ones.
    async fn renew(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Takes over the signing keys that somebody else has made.
    async fn take_over(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Starts a new incarnation ahead of everything known, renews the keys, and cuts off `all` in it. Returns false where
/// somebody else is quicker: then nothing is changed.
///
/// The caller reads again and judges anew in either case. The cut-off comes last, so that a crash between the steps is
/// found: the incarnation is another one and nothing covers the gap.
pub(super) async fn heal(
    store: &dyn Store,
    known: HighWater,
    present: Head,
    remember_until: Timestamp,
    random: &dyn Random,
    renew: &dyn Renew,
) -> Result<bool, HealError> {
    // A healing that ended half way is gone on with: every further jump would use positions up.
    let jumped = present.incarnation != known.incarnation && present.seq >= known.seq.plus(Seq::JUMP);
    if !jumped {
        let mut fresh = [0; 16];
        random.fill(&mut fresh)?;
        let highest = known.seq.max(present.seq);
        let head = highest.plus(Seq::JUMP);
        if head > Seq::MAX {
            return Err(HealError::Exhausted(highest));
        }
        if !store.reincarnate(present.incarnation, Incarnation::from_bytes(fresh), head).await? {
            return Ok(false);
        }
    }
    renew.renew().await.map_err(HealError::Keys)?;
    let everything = NewEntry {
        scope: Scope::All,
        act: Act::CutOff,
        reason: Text::known(HISTORY_LOST),
        actor: Text::known("rescind"),
        remember_until,
    };
    store.append(vec![everything]).await?;
    Ok(true)
}
