//! Clocks that are wrong by an hour, the store's or a node's, ahead or behind, for a while or for good: what was revoked
//! under them stays revoked, also at a node that was started since and has seen no step.

use std::sync::Arc;

use crate::support::{builder, opening, revocation, secs};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{FailingStore, MemoryStore, Store};
use rescind::testing::{ManualClock, SeededRandom};
use rescind::time::Timestamp;
use rescind::{Error, Rejection, Rescind, Settings, TokenPair};

const HOUR: i64 = 3600;

/// A store and two nodes, each with a clock of its own.
struct World {
    store_clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    clocks: [Arc<ManualClock>; 2],
    nodes: [Rescind; 2],
    elapsed: u64,
}

fn off_by(seconds: i64) -> Timestamp {
    Timestamp::from_secs(ManualClock::START.as_secs().checked_add_signed(seconds).unwrap())
}

async fn node(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>, seed: u64) -> Rescind {
    let store = Arc::new(FailingStore::new(Arc::clone(store))) as Arc<dyn Store>;
    let settings = Settings { access_jitter: 0, ..Settings::default() };
    builder(store, clock, seed).settings(settings).build().await.unwrap()
}

impl World {
    /// The clocks of the store and of the nodes are off by so many seconds.
    async fn new(store: i64, nodes: [i64; 2]) -> Self {
        let store_clock = Arc::new(ManualClock::new(off_by(store)));
        let memory = MemoryStore::with(Arc::clone(&store_clock) as _, &SeededRandom::new(1)).unwrap();
        let memory = Arc::new(memory);
        let clocks = nodes.map(|node| Arc::new(ManualClock::new(off_by(node))));
        let nodes = [node(&memory, &clocks[0], 2).await, node(&memory, &clocks[1], 3).await];
        Self { store_clock, store: memory, clocks, nodes, elapsed: 0 }
    }

    async fn pass(&mut self, seconds: u64) {
        self.elapsed += seconds;
        for clock in self.clocks.iter().chain([&self.store_clock]) {
            clock.advance(secs(seconds));
        }
        for node in &self.nodes {
            node.sync().await.unwrap();
        }
    }

    fn put_right(&self, clock: &ManualClock) {
        clock.step_wall(off_by(0).plus(secs(self.elapsed)));
    }

    fn store_is_off_by(&self, seconds: i64) {
        self.store_clock.step_wall(off_by(seconds).plus(secs(self.elapsed)));
    }

    /// The second node is started again.
    async fn start_again(&mut self) {
        self.nodes[1].shutdown().await;
        self.nodes[1] = node(&self.store, &self.clocks[1], 4).await;
    }

    /// Nobody says "valid" for four hours.
    async fn stays_dead(&mut self, pair: &TokenPair, what: &str) {
        for _ in 0..48 {
            for (at, node) in self.nodes.iter().enumerate() {
                let answer = node.check(&pair.access_token).await;
                // By its times it may be over, or not have begun at a node that is behind. Where they are right only the
                // log can refuse it, and a fault is no refusal.
                let by_times = node.verify(&pair.access_token).err();
                let expected = by_times.unwrap_or(Rejection::Revoked(ScopeKind::Session));
                let is_dead = matches!(answer, Err(Error::Rejected(rejection)) if rejection == expected);
                assert!(is_dead, "{what}: {answer:?} and not {expected:?} at node {at}, {} s later", self.elapsed);
            }
            self.pass(300).await;
        }
    }

    async fn login(&self) -> TokenPair {
        self.nodes[0].open_session(opening("alice")).await.unwrap()
    }

    async fn revoke(&self, pair: &TokenPair) {
        self.nodes[0].revoke(revocation(Scope::session(pair.session_id))).await.unwrap();
        self.nodes[1].sync().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_issued_by_a_clock_that_was_ahead_stays_revoked() {
    for (store, issuer) in [(HOUR, 0), (0, HOUR), (HOUR, HOUR)] {
        let mut world = World::new(store, [issuer, 0]).await;
        let pair = world.login().await;
        world.put_right(&world.store_clock);
        world.put_right(&world.clocks[0]);
        world.revoke(&pair).await;
        world.stays_dead(&pair, "issued ahead").await;
    }
}

#[tokio::test]
async fn at_a_node_that_is_behind_what_was_revoked_stays_so() {
    for store in [-HOUR, 0, HOUR] {
        let mut world = World::new(store, [0, -HOUR]).await;
        let pair = world.login().await;
        world.revoke(&pair).await;
        world.stays_dead(&pair, "judged behind").await;
    }
}

#[tokio::test]
async fn a_node_that_starts_later_has_seen_no_step_and_believes_nobody_who_was_revoked() {
    // A token's life is over after two and a quarter hours at the latest, by the clocks that are wrong here.
    for minutes in [5, 65, 125, 130] {
        // Ahead when the token is issued, behind when it is revoked, ahead when the view is loaded.
        let mut world = World::new(HOUR, [0, -HOUR]).await;
        let pair = world.login().await;
        world.store_is_off_by(-HOUR);
        world.revoke(&pair).await;
        world.pass(minutes * 60).await;
        world.store_is_off_by(HOUR);
        world.start_again().await;
        world.stays_dead(&pair, "started later").await;
    }
}
