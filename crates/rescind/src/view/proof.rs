//! The proof that the store which this node reads is the one that all write to: a durable write of this node's own.
//! Owns when the last successful one began. Writes nothing itself: who keeps this node's record in the store does.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::time::BootTime;

/// When this node last wrote durably.
///
/// After a failover, a node that still talks to the old primary reads a log that the others no longer write to; it fits,
/// and it is complete for ever. A durable write fails there: nobody replicates it, or it has no quorum. So a view of a
/// shared store is complete up to the beginning of the last write that succeeded, and no further.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Milliseconds since boot, plus one; 0 for "never".
    began: AtomicU64,
    wanted: Notify,
}

impl Proof {
    #[cfg_attr(not(test), expect(dead_code, reason = "for who keeps this node's record in the store"))]
    /// A durable write that began at `began` succeeded.
    pub(crate) fn proved(&self, began: BootTime) {
        self.began.fetch_max(began.as_millis().saturating_add(1), Ordering::AcqRel);
    }

    /// When the last durable write that succeeded began; `None` before the first.
    pub(crate) fn latest(&self) -> Option<BootTime> {
        self.began.load(Ordering::Acquire).checked_sub(1).map(BootTime::from_millis)
    }

    /// Waits until a write is wanted before its time: the view would be stale soon for want of one.
    #[cfg_attr(not(test), expect(dead_code, reason = "for who keeps this node's record in the store"))]
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Asks for a write.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proof_never_goes_back_and_a_wish_waits_for_who_hears_it() {
        let proof = Proof::default();
        assert_eq!(proof.latest(), None);
        proof.proved(BootTime::from_millis(0));
        assert_eq!(proof.latest(), Some(BootTime::from_millis(0)));
        proof.proved(BootTime::from_millis(7));
        proof.proved(BootTime::from_millis(3));
        assert_eq!(proof.latest(), Some(BootTime::from_millis(7)));
        proof.want();
        proof.wanted().await;
    }
}
