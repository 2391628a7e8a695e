//! What to do when a store lost or forked its history. Owns the judgement, and what the last resort is made of, where no
//! living view covers the gap: a new incarnation far ahead of everything known, new signing keys, and a cut-off on `all`.
//! Everyone signs in again; nobody revoked comes back. What else can be done is in `recover`, who does it in `claim`.

use async_trait::async_trait;

use crate::high_water::HighWater;
use crate::id::KeyId;
use crate::log::{Act, Entry, NewEntry, Scope, Text};
use crate::position::{Incarnation, Seq};
use crate::random::{Random, RandomFailed};
use crate::store::{Batch, Feed, Snapshot, Store, StoreError};
use crate::time::Timestamp;

/// The reason of the cut-off that stands for everything that a store has lost.
pub(crate) const HISTORY_LOST: &str = "history_lost";

/// What is done about a store that lost or forked its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnLoss {
    /// It is healed, by this node or another one.
    Heals,
    /// Nothing can be written: wait until the store that it is a copy of is healed.
    Waits,
}

impl OnLoss {
    /// What becomes of a store.
    pub(super) fn of(store: &dyn Store) -> Self {
        if store.behind().is_zero() { Self::Heals } else { Self::Waits }
    }
}

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

/// Judges the feed after `known`. An empty store is never "nothing revoked": it has another incarnation. A head below
/// the `highest` position that any node has told of is an older copy, too, though this node has seen no more than that.
pub(super) fn fit(known: HighWater, highest: Seq, feed: &Feed) -> Fit {
    match feed {
        Feed::Batch(Batch { head, .. }) | Feed::Gone(head) if head.seq < highest => Fit::Lost,
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
    /// This store is a copy of one that lost its history.
    #[error(
        "the store that this one is a copy of lost its history and is not healed yet; nothing is answered until it is"
    )]
    Upstream,
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

    /// Puts the signing keys that this node holds and those of the store together; `revoked` are revoked in any case.
    async fn unite(&self, revoked: &[KeyId]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Takes over the signing keys that somebody else has made.
    async fn take_over(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Takes over what became of the signing keys while this node was away.
    async fn keep_up(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.take_over().await
    }
}

/// A new name for a history, and the position at which it begins: ahead of every position that is known of, so that no
/// token from a lost future stands above a later cut-off.
pub(super) fn ahead_of(highest: Seq, random: &dyn Random) -> Result<(Incarnation, Seq), HealError> {
    let base = highest.plus(Seq::JUMP);
    if base > Seq::MAX {
        return Err(HealError::Exhausted(highest));
    }
    let mut fresh = [0; 16];
    random.fill(&mut fresh)?;
    Ok((Incarnation::from_bytes(fresh), base))
}

/// The cut-off that stands for everything that was lost.
pub(super) fn everything(remember_until: Timestamp) -> NewEntry {
    NewEntry {
        scope: Scope::All,
        act: Act::CutOff,
        reason: Text::known(HISTORY_LOST),
        actor: Text::known("rescind"),
        remember_until,
    }
}

/// Whether an entry stands for everything that was lost and cannot be named.
pub(super) fn stands_for_all(entry: &Entry) -> bool {
    entry.scope == Scope::All && entry.act == Act::CutOff && entry.reason.as_str() == HISTORY_LOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ChainTag;
    use crate::store::Head;
    use crate::testing::{NoRandom, SeededRandom, subject};

    #[test]
    fn a_history_begins_ahead_of_everything_as_long_as_there_are_positions() {
        let last = Seq::new(Seq::MAX.get() - Seq::JUMP);
        let ahead = |highest| ahead_of(highest, &SeededRandom::new(1)).map(|(_, base)| base);
        assert_eq!(ahead(Seq::new(7)).unwrap(), Seq::new(7 + Seq::JUMP));
        assert_eq!(ahead(last).unwrap(), Seq::MAX);
        assert!(matches!(ahead(last.next()), Err(HealError::Exhausted(at)) if at == last.next()));
        assert!(matches!(ahead_of(Seq::new(7), &NoRandom), Err(HealError::Random(_))));
    }

    #[test]
    fn a_store_fits_where_its_history_goes_on_from_what_was_seen_and_is_nowhere_below_what_anybody_saw() {
        let (history, other) = (Incarnation::from_bytes([1; 16]), Incarnation::from_bytes([2; 16]));
        let (tag, wrong) = (ChainTag::from_bytes([5; 16]), ChainTag::from_bytes([6; 16]));
        let known = HighWater { incarnation: history, seq: Seq::new(5), tag };
        let head = |incarnation, seq| Head { incarnation, seq: Seq::new(seq), tag, now: Timestamp::from_secs(1) };
        let batch = |prev_tag, head| Feed::Batch(Batch { prev_tag, entries: Vec::new(), tag: prev_tag, head });
        let cases = [
            (batch(tag, head(history, 5)), 5, Fit::Fits),
            (batch(tag, head(history, 5)), 6, Fit::Lost),
            (batch(wrong, head(history, 5)), 5, Fit::Lost),
            (batch(tag, head(other, 5)), 5, Fit::Lost),
            (Feed::Gone(head(history, 5)), 5, Fit::Swept),
            (Feed::Gone(head(history, 9)), 9, Fit::Swept),
            (Feed::Gone(head(history, 9)), 10, Fit::Lost),
            (Feed::Gone(head(history, 4)), 0, Fit::Lost),
            (Feed::Gone(head(other, 9)), 5, Fit::Lost),
        ];
        for (feed, highest, expected) in cases {
            assert_eq!(fit(known, Seq::new(highest), &feed), expected, "{feed:?} where {highest} was seen");
        }
    }

    #[test]
    fn only_a_cut_off_on_everything_for_a_lost_history_stands_for_all() {
        let now = Timestamp::from_secs(1);
        let of = |change: fn(&mut Entry)| {
            let NewEntry { scope, act, reason, actor, remember_until } = everything(now);
            let mut entry = Entry { seq: Seq::new(1), at: now, scope, act, reason, actor, remember_until };
            change(&mut entry);
            stands_for_all(&entry)
        };
        assert!(of(|_| {}));
        assert!(!of(|entry| entry.scope = Scope::Subject(subject("alice"))));
        assert!(!of(|entry| entry.act = Act::Lift { of: Seq::new(1) }));
        assert!(!of(|entry| entry.reason = Text::known("a break-in")));
    }
}
