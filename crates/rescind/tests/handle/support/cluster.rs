//! Several nodes on one store that loses history: a replica that lags is promoted, a link is cut, a node dies. Time is
//! the runtime's, which stands still while anybody has something to do.

use std::future::pending;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rescind::log::{Entry, Scope};
use rescind::position::Seq;
use rescind::store::{FailingStore, Fault, Feed, MemoryStore, Operation, Store, StoreErrorKind, Which};
use rescind::testing::{SeededRandom, subject};
use rescind::time::{BootTime, Clock, Timestamp};
use rescind::{BuildError, Builder, Error, Rescind, TokenPair};
use tokio::time::{Instant, timeout};

use super::swap::SwapStore;
use super::{AUDIENCE, ISSUER, ROOT, opening, revocation};

/// Tells the runtime's time.
pub(crate) struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_secs(1_750_000_000).plus(self.0.elapsed())
    }

    fn boot(&self) -> BootTime {
        BootTime::from_millis(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// The store of all nodes, and what they need to start.
pub(crate) struct Cluster {
    pub(crate) clock: Arc<RuntimeClock>,
    primary: Mutex<Arc<MemoryStore>>,
    swap: Arc<SwapStore>,
    folder: tempfile::TempDir,
}

/// One of the nodes, and its link to the store.
pub(crate) struct Node {
    pub(crate) rescind: Rescind,
    link: Arc<FailingStore<SwapStore>>,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Valid,
    Refused,
    Nothing,
}

impl Cluster {
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    pub(crate) fn new() -> Self {
        let clock = Arc::new(RuntimeClock(Instant::now()));
        let memory = MemoryStore::with(Arc::clone(&clock) as _, &SeededRandom::new(1)).unwrap().shared();
        let primary = Arc::new(memory);
        let swap = Arc::new(SwapStore::new(Arc::new(FailingStore::new(Arc::clone(&primary)))));
        Self { clock, primary: Mutex::new(primary), swap, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a node. Its name is its seed and that of its high-water file.
    pub(crate) async fn node(&self, seed: u64) -> Node {
        self.try_node(seed).await.unwrap()
    }

    /// The same, where it may not come up.
    pub(crate) async fn try_node(&self, seed: u64) -> Result<Node, BuildError> {
        let link = self.link();
        let builder = self.over(Arc::clone(&link) as Arc<dyn Store>, seed).high_water(self.high_water(seed));
        Ok(Node { rescind: builder.build().await?, link })
    }

    /// A node's way to the store.
    pub(crate) fn link(&self) -> Arc<FailingStore<SwapStore>> {
        Arc::new(FailingStore::new(Arc::clone(&self.swap)))
    }

    /// What a node is made of, over a store of the test's own.
    pub(crate) fn over(&self, store: Arc<dyn Store>, seed: u64) -> Builder {
        Rescind::builder(ISSUER, AUDIENCE)
            .store(store)
            .clock(Arc::clone(&self.clock) as _)
            .random(Arc::new(SeededRandom::new(seed + self.clock.boot().as_millis() * 1000)))
            .root_secret(rescind::keys::RootSecret::from_bytes(ROOT))
            .node(format!("node-{seed}"))
    }

    fn high_water(&self, seed: u64) -> PathBuf {
        self.folder.path().join(format!("high-water-{seed}"))
    }

    /// The store as it stands.
    pub(crate) fn primary(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.primary.lock().unwrap())
    }

    /// What a replica has that gets nothing more from now on.
    pub(crate) fn lagging(&self) -> Arc<MemoryStore> {
        Arc::new(self.primary().copy().unwrap())
    }

    /// The replica takes the primary's place: what it has not is lost.
    pub(crate) fn promote(&self, replica: Arc<MemoryStore>) -> Arc<FailingStore<MemoryStore>> {
        let failing = Arc::new(FailingStore::new(Arc::clone(&replica)));
        self.swap.replace(Arc::clone(&failing));
        *self.primary.lock().unwrap() = replica;
        failing
    }

    /// The entries of the present history.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let primary = self.primary();
        let head = primary.health().await.unwrap().seq;
        let mut entries = Vec::new();
        let mut after = head;
        // Backwards to where the history begins, or the log was swept.
        while let Some(before) = after.get().checked_sub(1).map(Seq::new) {
            match primary.after(before, 1).await.unwrap() {
                Feed::Batch(batch) => entries.extend(batch.entries),
                Feed::Gone(_) => break,
            }
            after = before;
        }
        entries.reverse();
        entries
    }

    /// Whether the log has a cut-off on everything.
    pub(crate) async fn everything_is_cut_off(&self) -> bool {
        let whole = self.primary().snapshot(Timestamp::EPOCH).await.unwrap();
        whole.cut_offs.iter().any(|cut_off| cut_off.scope == Scope::All)
    }
}

impl Node {
    pub(crate) async fn login(&self, name: &str) -> TokenPair {
        self.rescind.open_session(opening(name)).await.unwrap()
    }

    pub(crate) async fn revoke(&self, scope: Scope) -> Entry {
        self.rescind.revoke(revocation(scope)).await.unwrap()
    }

    pub(crate) async fn revoke_subject(&self, name: &str) -> Entry {
        self.revoke(Scope::Subject(subject(name))).await
    }

    pub(crate) async fn check(&self, pair: &TokenPair) -> Answer {
        answer(&self.rescind, pair).await
    }

    pub(crate) fn healed(&self) -> u64 {
        self.rescind.stats().healed
    }

    /// Nothing comes through between this node and the store.
    pub(crate) fn cut(&self) {
        for operation in Operation::EVERY {
            self.link.inject(*operation, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
        }
    }

    /// Whatever is written comes through, and nothing of the log comes back.
    pub(crate) fn cut_reads(&self) {
        for operation in [Operation::After, Operation::Snapshot] {
            self.link.inject(operation, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
        }
    }

    /// One operation goes wrong from now on.
    pub(crate) fn fail(&self, operation: Operation, fault: Fault) {
        self.link.inject(operation, Which::Every, fault);
    }

    pub(crate) fn mend(&self) {
        self.link.clear();
    }

    /// The store is there again, but the connection has to be made anew.
    pub(crate) fn reconnect(&self) {
        self.link.clear();
        for operation in [Operation::After, Operation::Append] {
            self.link.inject(operation, Which::Nth(1), Fault::Refuse(StoreErrorKind::Unavailable));
        }
    }
}

/// What a check says.
pub(crate) async fn answer(rescind: &Rescind, pair: &TokenPair) -> Answer {
    match rescind.check(&pair.access_token).await {
        Ok(_) => Answer::Valid,
        Err(Error::Rejected(_)) => Answer::Refused,
        Err(Error::Stale { .. } | Error::Store(_)) => Answer::Nothing,
        Err(other) => panic!("{other}"),
    }
}

/// Lets time pass. Everybody has done by then what they had to do.
pub(crate) async fn pass(span: Duration) {
    // Nothing comes of it, so the runtime's clock goes on to the end of the span.
    assert!(timeout(span, pending::<()>()).await.is_err());
}
