//! The record of a healing: which history was lost, and up to which position the one that took its place goes on with
//! it. Owns its shape, and the way back from a store's history to the one that a node knows.

use serde::{Deserialize, Serialize};

use crate::high_water::hex;
use crate::log::ChainTag;
use crate::position::{Incarnation, Seq};
use crate::store::{Put, RecordKind, Store, StoreError, StoreErrorKind};
use crate::time::Timestamp;

const VERSION: u32 = 1;
/// So many losses after each other are followed back; who was away for more is told nothing by them.
const LINKS: usize = 16;

/// How one incarnation took the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Healing {
    /// The history that was lost.
    pub(super) lost: Incarnation,
    /// The last position at which the store and the node that healed it agreed: everything up to it is there.
    pub(super) fork: Seq,
    /// The tag at that position.
    pub(super) tag: ChainTag,
    /// The position at which the new history begins.
    pub(super) base: Seq,
    /// The node that healed.
    pub(super) by: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    lost: String,
    fork: Seq,
    tag: String,
    base: Seq,
    by: String,
}

impl Healing {
    /// Writes the record of the incarnation `new`, before it begins: who finds the incarnation finds the record.
    pub(super) async fn write(&self, store: &dyn Store, new: Incarnation, ends: Timestamp) -> Result<Put, StoreError> {
        let document = Document {
            version: VERSION,
            lost: self.lost.to_string(),
            fork: self.fork,
            tag: self.tag.to_string(),
            base: self.base,
            by: self.by.clone(),
        };
        let broken = |error| StoreError::new(StoreErrorKind::Broken, "put_record", error);
        let body = serde_json::to_vec(&document).map_err(broken)?;
        store.put_record(RecordKind::HEALINGS, &new.to_string(), 0, body, Some(ends)).await
    }

    /// Whether it may be used for a loss of this history behind this tag, where positions up to `highest` are known of.
    pub(super) fn fits(&self, lost: Incarnation, tag: ChainTag, highest: Seq) -> bool {
        self.lost == lost && self.tag == tag && self.base >= highest.plus(Seq::JUMP)
    }

    /// Whether the store has this record for the incarnation `new`.
    pub(super) async fn is_in(&self, store: &dyn Store, new: Incarnation) -> Result<bool, StoreError> {
        Ok(Self::read(store, new).await?.as_ref() == Some(self))
    }

    /// Whether an incarnation goes on with one that was lost.
    pub(super) async fn is_of(store: &dyn Store, incarnation: Incarnation) -> Result<bool, StoreError> {
        Ok(Self::read(store, incarnation).await?.is_some())
    }

    /// Reads the record of an incarnation. One that cannot be read, or is of a newer version, is as none: then
    /// everything is cut off.
    async fn read(store: &dyn Store, of: Incarnation) -> Result<Option<Self>, StoreError> {
        let record = store.record(RecordKind::HEALINGS, &of.to_string()).await?;
        Ok(record.and_then(|record| {
            let document: Document = serde_json::from_slice(&record.body).ok()?;
            let Document { version, lost, fork, tag, base, by } = document;
            let lost = Incarnation::from_bytes(hex(&lost)?);
            let tag = ChainTag::from_bytes(hex(&tag)?);
            (version == VERSION).then_some(Self { lost, fork, tag, base, by })
        }))
    }

    /// The healings that lead from the history `known` to the one that is `present`, in their order; `None` where the
    /// records do not lead there.
    pub(super) async fn between(
        store: &dyn Store,
        known: Incarnation,
        present: Incarnation,
    ) -> Result<Option<Vec<Self>>, StoreError> {
        let mut back = Vec::new();
        let mut at = present;
        while at != known {
            if back.len() == LINKS {
                return Ok(None);
            }
            let Some(healing) = Self::read(store, at).await? else { return Ok(None) };
            at = healing.lost;
            back.push(healing);
        }
        back.reverse();
        Ok(Some(back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn named(n: u8) -> Incarnation {
        Incarnation::from_bytes([n; 16])
    }

    async fn write(store: &MemoryStore, lost: u8, new: u8) -> Healing {
        let healing = Healing {
            lost: named(lost),
            fork: Seq::new(u64::from(lost)),
            tag: ChainTag::from_bytes([lost; 16]),
            base: Seq::new(u64::from(new) << 32),
            by: "a".to_owned(),
        };
        healing.write(store, named(new), Timestamp::from_millis(0)).await.unwrap();
        healing
    }

    #[tokio::test]
    async fn healings_lead_from_a_known_history_to_the_present_one_in_their_order() {
        let store = MemoryStore::new().unwrap();
        let first = write(&store, 1, 2).await;
        let second = write(&store, 2, 3).await;
        let between = |known, present| Healing::between(&store, named(known), named(present));
        assert_eq!(between(1, 3).await.unwrap(), Some(vec![first, second.clone()]));
        assert_eq!(between(2, 3).await.unwrap(), Some(vec![second]));
        assert_eq!(between(3, 3).await.unwrap(), Some(vec![]));
        assert_eq!(between(9, 3).await.unwrap(), None, "nobody healed that one");
        assert_eq!(between(1, 4).await.unwrap(), None, "nobody healed to that one");
    }

    #[tokio::test]
    async fn a_ring_of_healings_ends() {
        let store = MemoryStore::new().unwrap();
        write(&store, 1, 2).await;
        write(&store, 2, 1).await;
        assert_eq!(Healing::between(&store, named(9), named(1)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_none() {
        let store = MemoryStore::new().unwrap();
        for (id, body) in [(1, "no JSON"), (2, r#"{"version":2,"lost":"","fork":1,"tag":"","base":2,"by":"a"}"#)] {
            let id = named(id).to_string();
            store.put_record(RecordKind::HEALINGS, &id, 0, body.into(), None).await.unwrap();
        }
        assert_eq!(Healing::read(&store, named(1)).await.unwrap(), None);
        assert_eq!(Healing::read(&store, named(2)).await.unwrap(), None);
    }
    #[tokio::test]
    async fn a_record_serves_for_the_same_loss_as_long_as_it_leads_ahead_and_the_store_has_it() {
        let store = MemoryStore::new().unwrap();
        let healing = write(&store, 1, 2).await;
        let highest = Seq::new(healing.base.get() - Seq::JUMP);
        assert!(healing.fits(named(1), healing.tag, highest));
        assert!(!healing.fits(named(1), healing.tag, highest.next()), "somebody has seen more since");
        assert!(!healing.fits(named(3), healing.tag, highest));
        assert!(!healing.fits(named(1), ChainTag::from_bytes([3; 16]), highest));
        assert!(healing.is_in(&store, named(2)).await.unwrap());
        assert!(!healing.is_in(&store, named(3)).await.unwrap());
        let other = Healing { by: "b".to_owned(), ..healing };
        assert!(!other.is_in(&store, named(2)).await.unwrap());
    }
}
