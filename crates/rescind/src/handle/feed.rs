//! What a node tells those who follow it: that its log has grown, and for how long cut-offs matter.

use std::time::Duration;

use super::Rescind;
use crate::position::Seq;
use crate::store::Head;
use crate::view::Now;

/// What this node knew of the log before it read it for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLog(Seq);

impl Rescind {
    /// To be asked before a reading that begins for others; [`log_age`](Self::log_age) judges by it what was read.
    pub fn known_log(&self) -> KnownLog {
        KnownLog(self.0.progress.done().applied)
    }

    /// How old what the store said has to be taken for, at least: zero where it is this process's alone or says so
    /// itself, and else as old as the view, which goes no further than this node's own last durable write. `None` where
    /// nothing may be told of the log: the view says nothing, or the head that was read is of another history than the
    /// view or behind what the view knew before. A store that was put back to an older copy is then passed on to nobody,
    /// although this node has yet to find out what it lost.
    pub fn log_age(&self, known: KnownLog, head: &Head) -> Option<Duration> {
        let age = self.0.view.age(Now::read(&*self.0.clock))?;
        let is_mine = self.0.progress.joined() == Some(head.incarnation);
        if !is_mine || head.seq < known.0 {
            return None;
        }
        Some(if self.0.store.is_shared() { age } else { Duration::ZERO })
    }

    /// Waits until the view has taken in an entry above `seq`; for ever, where none comes.
    ///
    /// **Cost:** none while it waits: the log is followed no faster for it.
    pub async fn grown(&self, seq: Seq) {
        self.0.progress.grown(seq).await;
    }

    /// For how long after its issue, by the store's clock, a token may pass at those who follow: the largest access
    /// lifetime of any node that shares the store, and the largest lead of a clock that tokens count from.
    pub fn max_access_lifetime(&self) -> Duration {
        self.0.expectations.load().max_lifetime().saturating_add(self.0.lead.largest())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Revoke;
    use crate::keys::RootSecret;
    use crate::log::{Scope, Text};
    use crate::position::Incarnation;
    use crate::store::MemoryStore;
    use crate::testing::{ManualClock, SeededRandom};

    #[tokio::test]
    async fn a_store_that_lost_what_this_node_knows_is_passed_on_to_nobody() {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::with(Arc::clone(&clock) as _, &SeededRandom::new(1)).unwrap();
        let builder = Rescind::builder("https://login.example", "https://api.example").store(store);
        let random = Arc::new(SeededRandom::new(2));
        let built = builder.clock(clock).random(random).root_secret(RootSecret::from_bytes([7; 32]));
        let rescind = built.build().await.unwrap();
        let text = || Text::new("test").unwrap();
        let early = rescind.known_log();
        rescind.revoke(Revoke { scope: Scope::All, reason: text(), actor: text() }).await.unwrap();
        let (known, head) = (rescind.known_log(), rescind.store().health().await.unwrap());
        assert_eq!(rescind.log_age(known, &head), Some(Duration::ZERO));
        let older = Head { seq: Seq::ZERO, ..head };
        assert_eq!(rescind.log_age(known, &older), None, "an older copy of the store");
        assert!(rescind.log_age(early, &older).is_some(), "read before this node knew more");
        let other = Head { incarnation: Incarnation::from_bytes([9; 16]), ..head };
        assert_eq!(rescind.log_age(known, &other), None, "another history");
    }
}
