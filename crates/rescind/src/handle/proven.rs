//! Answers that rest on a reading of the store and on nothing that was written: no such session, it has ended, it is cut
//! off, there is nothing to end. Owns that such an answer is given only of the store that all write to.
//!
//! After a failover a node may still be connected to the old primary, which goes on alone and has all there was. What the
//! others have opened, used or lifted since is not there, and a client that is told so throws its tokens away: a fault
//! would have been taken for a refusal. So the node writes first, durably, which the old primary cannot, and then reads
//! again, for by then it may be connected to the new one. Whoever gets what they asked for waits for nothing of this.

use tokio::time::timeout;

use super::error::Error;
use super::{Inner, Rescind};
use crate::store::{StoreError, StoreErrorKind};

impl Rescind {
    /// Makes sure that what is read of the store from now on is read of the one that all nodes write to: for rows of the
    /// application's own in it, where it would refuse by what it has read. Read them again behind this.
    ///
    /// **Cost:** on a store that is shared a durable write and a round of the feed, each one for all who wait; else none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] where the store takes no durable write within the staleness bound, or has lost history:
    /// nothing can be said then.
    pub async fn prove(&self) -> Result<(), StoreError> {
        self.0.prove().await
    }
}

impl Inner {
    /// Asks; and where the answer rests on a reading alone, asks again behind the proof that it was the right store.
    ///
    /// **Cost:** where it does, on a store that is shared: a durable write and a round of the feed, each one for all who
    /// wait, and the second reading.
    ///
    /// # Errors
    /// Those of `ask`; [`Error::Store`] where the store takes no durable write within the staleness bound, or has lost
    /// history: nothing is said then.
    pub(super) async fn proven<T, F>(
        &self,
        ask: impl Fn() -> F,
        rests_on_reading: impl Fn(&Result<T, Error>) -> bool,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answer = ask().await;
        if !self.store.is_shared() || !rests_on_reading(&answer) {
            return answer;
        }
        self.prove().await?;
        ask().await
    }

    /// As [`Rescind::prove`].
    pub(super) async fn prove(&self) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let unproven = |_| {
            let why = "no durable write succeeded since the store was read, so it may be one that nobody else writes to \
                       any more; try again";
            StoreError::new(StoreErrorKind::Unavailable, "put_record", why)
        };
        timeout(self.settings.staleness_bound, self.progress.proof.after_now()).await.map_err(unproven)?;
        // The store that took the write may be another one than was read, and lack what this node knows.
        self.fits_now().await
    }
}
