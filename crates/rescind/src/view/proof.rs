//! The proof that the store which this node reads is the one that all write to: a durable write of this node's own.
//! Owns when the last successful one began, and who waits for the next. Writes nothing itself: who keeps this node's
//! record in the store does.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::signal::Signal;
use crate::time::BootTime;

/// When this node last wrote durably.
///
/// After a failover, a node that still talks to the old primary reads a log that the others no longer write to; it fits,
/// and it is complete for ever. A durable write fails there: nobody replicates it, or it has no quorum. So a view of a
/// shared store is complete up to the beginning of the last write that succeeded, and no further; and what was read of
/// it is certain once a write that began after the reading has succeeded.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// Writes that have begun.
    begun: AtomicU64,
    proved: Signal<Proved>,
    /// The number of the first write that is enough for all who want one.
    wanted: Signal<u64>,
}

/// A durable write that is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    number: u64,
    began: BootTime,
}

/// What the writes that succeeded prove.
#[derive(Debug, Clone, Copy, Default)]
struct Proved {
    /// The last write that succeeded; 0 before the first.
    number: u64,
    began: Option<BootTime>,
}

impl Proof {
    /// A durable write begins.
    pub(crate) fn begin(&self, now: BootTime) -> Write {
        Write { number: self.begun.fetch_add(1, Ordering::AcqRel) + 1, began: now }
    }

    /// The write succeeded.
    pub(crate) fn succeeded(&self, write: Write) {
        self.proved.change(|proved| {
            proved.number = proved.number.max(write.number);
            proved.began = proved.began.max(Some(write.began));
        });
    }

    /// When the last durable write that succeeded began; `None` before the first.
    pub(crate) fn latest(&self) -> Option<BootTime> {
        self.proved.read().began
    }

    /// Waits until a write that begins after this call has succeeded; for ever, where none does.
    ///
    /// **Cost:** one write, however many wait for it.
    pub(crate) async fn after_now(&self) {
        let begun = self.begun.load(Ordering::Acquire);
        let mut proved = self.proved.waiter();
        self.want();
        proved.until(|proved| proved.number > begun).await;
    }

    /// Waits until a write is wanted before its time: somebody waits for one, or the view would be stale soon for want of
    /// one. One that has begun since it was wanted is that one.
    pub(crate) async fn wanted(&self) {
        self.wanted.waiter().until(|wanted| *wanted > self.begun.load(Ordering::Acquire)).await;
    }

    /// Asks for a write that begins from now on.
    pub(super) fn want(&self) {
        let next = self.begun.load(Ordering::Acquire) + 1;
        self.wanted.change_if(|wanted| {
            let is_later = next > *wanted;
            *wanted = next.max(*wanted);
            is_later
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn at(millis: u64) -> BootTime {
        BootTime::from_millis(millis)
    }

    #[tokio::test]
    async fn a_proof_never_goes_back_and_a_wish_waits_for_who_hears_it() {
        let proof = Proof::default();
        assert_eq!(proof.latest(), None);
        let (first, second) = (proof.begin(at(0)), proof.begin(at(7)));
        proof.succeeded(second);
        assert_eq!(proof.latest(), Some(at(7)));
        proof.succeeded(first);
        assert_eq!(proof.latest(), Some(at(7)));
        proof.want();
        proof.wanted().await;
        // Whoever heard it and was held up hears it again, until a write has begun.
        proof.wanted().await;
        proof.begin(at(8));
        assert!(timeout(Duration::ZERO, proof.wanted()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_write_that_began_later_is_waited_for_and_all_share_it() {
        let proof = Arc::new(Proof::default());
        let before = proof.begin(at(1));
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let proof = Arc::clone(&proof);
                tokio::spawn(async move { proof.after_now().await })
            })
            .collect();
        tokio::task::yield_now().await;
        proof.succeeded(before);
        assert!(timeout(Duration::from_secs(1), pending::<()>()).await.is_err());
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "it may have been done before they read");
        let after = proof.begin(at(1));
        proof.succeeded(after);
        for waiting in waiting {
            waiting.await.unwrap();
        }
        assert!(timeout(Duration::ZERO, proof.wanted()).await.is_err(), "one write was enough");
    }
    #[tokio::test(start_paused = true)]
    async fn who_waits_to_be_asked_for_a_write_is_called_once_for_each() {
        let proof = Arc::new(Proof::default());
        let called = {
            let proof = Arc::clone(&proof);
            tokio::spawn(async move { proof.wanted().await })
        };
        tokio::task::yield_now().await;
        assert!(!called.is_finished());
        proof.want();
        called.await.unwrap();
        let mut calls = proof.wanted.waiter();
        proof.want();
        assert!(timeout(Duration::ZERO, calls.changed()).await.is_err(), "that write is wanted already");
        proof.begin(at(1));
        proof.want();
        assert!(timeout(Duration::ZERO, calls.changed()).await.is_ok());
    }
}
