//! What a node tells those who follow it: that its log has grown, and for how long cut-offs matter.

use std::time::Duration;

use super::Rescind;
use crate::position::Seq;

impl Rescind {
    /// Waits until the view has taken in an entry above `seq`; for ever, where none comes.
    ///
    /// **Cost:** none while it waits: the log is followed no faster for it.
    pub async fn grown(&self, seq: Seq) {
        self.0.progress.grown(seq).await;
    }

    /// `exp - iat` above this is refused: the largest access lifetime of any node that shares the store.
    pub fn max_access_lifetime(&self) -> Duration {
        self.0.expectations.max_lifetime()
    }
}
