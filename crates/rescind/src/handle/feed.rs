//! What a node tells those who follow it: that its log has grown, and for how long cut-offs matter.

use std::time::Duration;

use super::Rescind;
use crate::position::Seq;
use crate::view::Now;

impl Rescind {
    /// How old what the store says has to be taken for, at least: zero where it is this process's alone or says so
    /// itself, and else as old as the view, which goes no further than this node's own last durable write. `None` where
    /// nothing may be told of the log at all.
    pub fn log_age(&self) -> Option<Duration> {
        let age = self.0.view.age(Now::read(&*self.0.clock))?;
        Some(if self.0.store.is_shared() { age } else { Duration::ZERO })
    }

    /// Waits until the view has taken in an entry above `seq`; for ever, where none comes.
    ///
    /// **Cost:** none while it waits: the log is followed no faster for it.
    pub async fn grown(&self, seq: Seq) {
        self.0.progress.grown(seq).await;
    }

    /// `exp - iat` above this is refused: the largest access lifetime of any node that shares the store.
    pub fn max_access_lifetime(&self) -> Duration {
        self.0.expectations.load().max_lifetime()
    }
}
