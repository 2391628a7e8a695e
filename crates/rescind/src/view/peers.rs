//! The other nodes on a store, as far as healing has to know of them: a node that is away may be the only one that knows
//! of a revocation. Owns the question; who keeps the nodes' records answers it.

use std::time::Duration;

use async_trait::async_trait;

use crate::position::{Incarnation, Seq};
use crate::store::StoreError;

/// Who else follows the same log.
///
/// A listing of the nodes' records counts only once a round of the feed that began after it was completed: before that it
/// may come from a store that has lost what it is asked about. So the listing that counts is always one from before a
/// loss, and a heal never asks the store that lost for who there was.
#[async_trait]
pub(crate) trait Peers: Send + Sync {
    /// The name of this node.
    fn me(&self) -> String;

    /// The highest position that any peer was known to have applied, by the listings that count.
    fn highest(&self) -> Seq;

    /// The peers that lived by the last listing that counts from before `incarnation`, and those that were found since to live
    /// and follow another one, of which the store does not say now that they joined it (their record names it as theirs) or
    /// left for good. A node that had just started knows of no such listing, and waits for all who live when it asks first.
    async fn absent(&self, incarnation: Incarnation) -> Result<Vec<String>, StoreError>;

    /// The peers that by their records have not come to an end with a healing that led to `incarnation`, whether they live,
    /// fell silent or left at it.
    async fn unheard(&self, incarnation: Incarnation) -> Result<Vec<Unheard>, StoreError>;

    /// The highest position that a peer says now to have applied in the history `incarnation`. Where the log ends below it,
    /// the store has lost something that this peer has yet to find.
    async fn applied_in(&self, incarnation: Incarnation) -> Result<Seq, StoreError>;
}

/// A peer that answers nothing of a history, by its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unheard {
    pub(crate) id: String,
    pub(crate) stage: Stage,
    pub(crate) is_live: bool,
    /// Its staleness bound.
    pub(crate) bound: Duration,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has just started, and follows none.
    Starting,
    /// It follows another one.
    Elsewhere,
    /// It has joined this one and answers nothing of it: it waits for somebody, or its clock stepped.
    Waiting,
}

/// None: the store refuses a second process.
pub(crate) struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    fn me(&self) -> String {
        "this node".to_owned()
    }

    fn highest(&self) -> Seq {
        Seq::ZERO
    }

    async fn absent(&self, _: Incarnation) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn unheard(&self, _: Incarnation) -> Result<Vec<Unheard>, StoreError> {
        Ok(Vec::new())
    }

    async fn applied_in(&self, _: Incarnation) -> Result<Seq, StoreError> {
        Ok(Seq::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn on_a_store_of_ones_own_nobody_else_knows_anything_or_is_waited_for() {
        assert_eq!((NoPeers.me().as_str(), NoPeers.highest()), ("this node", Seq::ZERO));
        let absent = NoPeers.absent(Incarnation::from_bytes([1; 16])).await.unwrap();
        assert!(absent.is_empty());
        assert_eq!(NoPeers.unheard(Incarnation::from_bytes([1; 16])).await.unwrap(), []);
        assert_eq!(NoPeers.applied_in(Incarnation::from_bytes([1; 16])).await.unwrap(), Seq::ZERO);
    }
}
