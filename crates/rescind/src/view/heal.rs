//! What to do when a store lost or forked its history. Owns the judgement and the cure: a new incarnation far ahead
//! of everything known, and a cut-off on `all`. Everyone signs in again; nobody revoked comes back.

use crate::high_water::HighWater;
use crate::log::{Act, NewEntry, Scope, Text};
use crate::position::{Incarnation, Seq};
use crate::random::{Random, RandomFailed};
use crate::store::{Feed, Head, Snapshot, Store, StoreError};
use crate::time::Timestamp;

/// How a store's answer fits what a node has already seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The history goes on from there.
    Fits,
    /// The same history, but the entries behind the mark were swept: load a snapshot.
    Swept,
    /// Another history, or an older copy of this one.
    Lost(Head),
}

/// Judges the feed after `known`. An empty store is never "nothing revoked": it has another incarnation.
pub(super) fn fit(known: HighWater, feed: &Feed) -> Fit {
    match feed {
        Feed::Batch(batch) if batch.head.incarnation == known.incarnation && batch.prev_tag == known.tag => Fit::Fits,
        Feed::Batch(batch) => Fit::Lost(batch.head),
        Feed::Gone(head) if head.incarnation == known.incarnation && head.seq >= known.seq => Fit::Swept,
        Feed::Gone(head) => Fit::Lost(*head),
    }
}

/// Whether a snapshot of another incarnation is whole for a node that has seen `known`: everything that the node
/// could know of is covered by a cut-off on `all` above it, so somebody has healed the store already.
pub(super) fn is_healed(known: HighWater, snapshot: &Snapshot) -> bool {
    snapshot.cut_offs.iter().any(|cut_off| cut_off.scope == Scope::All && cut_off.seq > known.seq)
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
    /// The positions are used up: only a log of another maker comes here.
    #[error(
        "the log stands at {0}, too close to the highest position for a new incarnation; start with an empty store"
    )]
    Exhausted(Seq),
}

/// Starts a new incarnation ahead of everything known, and cuts off `all` in it.
///
/// Where somebody else is quicker, nothing is changed; the caller reads again and judges anew. A crash between the two
/// steps is found at the next start: the incarnation is another one and nothing covers the gap.
pub(super) async fn heal(
    store: &dyn Store,
    known: HighWater,
    lost: Head,
    remember_until: Timestamp,
    random: &dyn Random,
) -> Result<(), HealError> {
    let mut fresh = [0; 16];
    random.fill(&mut fresh)?;
    let highest = known.seq.max(lost.seq);
    let head = highest.plus(Seq::JUMP);
    if head > Seq::MAX {
        return Err(HealError::Exhausted(highest));
    }
    if store.reincarnate(lost.incarnation, Incarnation::from_bytes(fresh), head).await? {
        let everything = NewEntry {
            scope: Scope::All,
            act: Act::CutOff,
            reason: Text::known("history_lost"),
            actor: Text::known("rescind"),
            remember_until,
        };
        store.append(vec![everything]).await?;
    }
    Ok(())
}
