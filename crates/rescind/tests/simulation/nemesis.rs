//! What goes wrong in a life: nodes die, stand still and are cut off, the store goes away, goes back and is replaced, and
//! clocks step. Owns which faults may meet: knowledge that nobody has any more cannot be kept by anyone, so whoever alone
//! knows of a revocation is not killed in the moment in which the store loses it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::clocks::pass;
use super::dice::Dice;
use super::network::{Link, Replaced};
use super::world::World;

const HOUR: i64 = 3_600_000;

pub(crate) struct Nemesis {
    world: Arc<World>,
    dice: Dice,
    /// What is to be undone, and when.
    due: Vec<(u64, Undo)>,
    /// When something last came between a node and the store.
    parted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    Mend(usize),
    GoOn(usize),
    Start(usize),
    Up,
}

/// What can go wrong. Each life has some of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Partition,
    Stop,
    Kill,
    Outage,
    Lag,
    FailOver,
    PutBack,
    NodeClock,
    StoreClock,
    Leap,
}

impl Fault {
    pub(crate) const EVERY: [Self; 10] = [
        Self::Partition,
        Self::Stop,
        Self::Kill,
        Self::Outage,
        Self::Lag,
        Self::FailOver,
        Self::PutBack,
        Self::NodeClock,
        Self::StoreClock,
        Self::Leap,
    ];
}

impl Nemesis {
    pub(crate) fn new(world: &Arc<World>, dice: Dice) -> Self {
        Self { world: Arc::clone(world), dice, due: Vec::new(), parted: 0 }
    }

    /// Undoes what is due.
    pub(crate) async fn tend(&mut self) {
        let now = self.world.now();
        while let Some(at) = self.due.iter().position(|(due, _)| *due <= now) {
            let (_, undo) = self.due.remove(at);
            self.undo(undo).await;
        }
    }

    /// Undoes everything.
    pub(crate) async fn end(&mut self) {
        // The store first: nobody starts without it.
        self.due.sort_by_key(|(_, undo)| *undo != Undo::Up);
        for (_, undo) in std::mem::take(&mut self.due) {
            self.undo(undo).await;
        }
    }

    async fn undo(&mut self, undo: Undo) {
        let world = Arc::clone(&self.world);
        world.say(&format!("{undo:?}"));
        match undo {
            Undo::Mend(node) => {
                if let Some(running) = world.running(node) {
                    running.link.mend();
                    world.set_connected(node, true);
                }
            }
            Undo::GoOn(node) => {
                if let Some(running) = world.running(node) {
                    running.link.go_on();
                    world.set_connected(node, true);
                }
            }
            // Nobody starts without a store.
            Undo::Start(node) if world.store.is_down() => self.due.push((world.now() + 300, Undo::Start(node))),
            Undo::Start(node) if world.running(node).is_none() => world.start(node).await,
            Undo::Start(_) => {}
            Undo::Up => world.store.set_down(false),
        }
    }

    pub(crate) async fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Partition => self.partition(),
            Fault::Stop => self.stop(),
            Fault::Kill => self.kill().await,
            Fault::Outage => self.outage(),
            Fault::Lag => {
                self.world.say("from here on a copy lags");
                self.world.store.copy_now();
            }
            Fault::FailOver => self.fail_over().await,
            Fault::PutBack => self.put_back().await,
            Fault::NodeClock => {
                let (node, off) = (self.dice.index(self.world.nodes()), self.off());
                self.world.say(&format!("the wall clock of node {node} is off by {off} ms"));
                self.world.clock(node).step_to(off);
                self.world.trace.count("steps of a node's clock");
            }
            Fault::StoreClock => {
                let off = self.off();
                self.world.say(&format!("the store's clock is off by {off} ms"));
                self.world.store.clock.step_to(off);
                self.world.trace.count("steps of the store's clock");
            }
            Fault::Leap => self.leap().await,
        }
    }

    fn off(&self) -> i64 {
        self.dice.one_of(&[0, 0, 700, -700, 2500, -2500, 30_000, -30_000, HOUR / 3, -HOUR / 3, HOUR, -HOUR])
    }

    async fn leap(&self) {
        let world = &self.world;
        let tokens = world.model.tokens();
        // To the last moment of some token, or for a while.
        let to_the_end = (tokens > 0 && self.dice.happens(500)).then(|| {
            let known = world.model.token(self.dice.index(tokens));
            let wall = rescind::time::Clock::wall(&*world.store.clock).as_millis();
            ((known.exp + world.settings.leeway.as_secs()) * 1000).saturating_sub(wall + 300)
        });
        let span = to_the_end
            .unwrap_or_else(|| self.dice.one_of(&[1000, 2100, 11_000, 61_000, 301_000, 4_000_000, 11_000_000]));
        world.say(&format!("all machines are suspended for {span} ms"));
        world.trace.count("suspensions");
        world.time.leap(span);
        pass(self.dice.one_of(&[0, 150, 400])).await;
    }

    fn connected_node(&self) -> Option<usize> {
        let connected = self.world.connected();
        (!connected.is_empty()).then(|| connected[self.dice.index(connected.len())].0)
    }

    fn undo_in(&mut self, millis: u64, undo: Undo) {
        self.due.push((self.world.now() + millis, undo));
        self.parted = self.world.now();
    }

    fn partition(&mut self) {
        let Some((node, running)) = self.connected_node().and_then(|node| Some((node, self.world.running(node)?)))
        else {
            return;
        };
        self.world.say(&format!("node {node} is cut off from the store"));
        self.world.trace.count("partitions");
        running.link.cut();
        self.world.set_connected(node, false);
        self.undo_in(self.dice.one_of(&[100, 900, 2500, 5000]), Undo::Mend(node));
    }

    fn stop(&mut self) {
        let Some((node, running)) = self.connected_node().and_then(|node| Some((node, self.world.running(node)?)))
        else {
            return;
        };
        self.world.say(&format!("node {node} stands still"));
        self.world.trace.count("stops");
        running.link.stop();
        self.world.set_connected(node, false);
        self.undo_in(self.dice.one_of(&[50, 1000, 3000]), Undo::GoOn(node));
    }

    async fn kill(&mut self) {
        let Some(node) = self.world.any_node(&self.dice) else { return };
        self.due.retain(|(_, undo)| !matches!(undo, Undo::Mend(of) | Undo::GoOn(of) if *of == node));
        if self.dice.happens(700) {
            self.world.say(&format!("node {node} is killed"));
            self.world.trace.count("kills");
            self.world.kill(node);
        } else {
            self.world.say(&format!("node {node} ends"));
            self.world.trace.count("orderly ends");
            self.world.end(node).await;
            self.world.say(&format!("node {node} has ended"));
        }
        if self.dice.happens(250) {
            self.world.trace.count("restarts without the high-water file");
            drop(std::fs::remove_file(self.world.high_water(node)));
        }
        self.undo_in(self.dice.one_of(&[0, 0, 300, 2500]), Undo::Start(node));
    }

    fn outage(&mut self) {
        let span = self.dice.one_of(&[50, 500, 1900, 3500]);
        self.world.say(&format!("the store is down for {span} ms"));
        self.world.trace.count("outages");
        self.world.store.set_down(true);
        self.undo_in(span, Undo::Up);
    }

    /// Waits until somebody who is connected knows everything that anybody acknowledged.
    async fn calm(&mut self) -> bool {
        self.due.sort_by_key(|(due, _)| *due);
        if let Some(at) = self.due.iter().position(|(_, undo)| *undo == Undo::Up) {
            let (_, undo) = self.due.remove(at);
            self.undo(undo).await;
        }
        let since = self.world.now() - self.parted.min(self.world.now());
        pass(1000_u64.saturating_sub(since)).await;
        let mut knows = 0;
        for (node, _) in self.world.connected() {
            let Some(running) = self.world.running(node) else { continue };
            if !matches!(timeout(Duration::from_secs(4), running.rescind.sync()).await, Ok(Ok(_))) {
                return false;
            }
            knows += 1;
        }
        knows > 0
    }

    /// A copy takes the primary's place. Everybody who was connected is connected again soon.
    async fn fail_over(&mut self) {
        let world = Arc::clone(&self.world);
        if !self.calm().await {
            return;
        }
        let connected = world.connected();
        let is_witnessed = world.store.copied_at().is_some_and(|at| connected.iter().any(|(_, since)| *since < at));
        if !is_witnessed {
            world.store.copy_now();
        }
        world.say(&format!("failover; what was written since {:?} is lost", world.store.copied_at()));
        let links: Vec<_> =
            connected.iter().filter_map(|(node, _)| Some((*node, world.running(*node)?.link))).collect();
        for (_, link) in &links {
            link.cut();
        }
        pass(self.dice.one_of(&[0, 60, 1500, 3000])).await;
        let Replaced { old, is_lossy } = world.store.promote_copy();
        world.trace.count(if is_lossy { "failovers to a copy that lagged" } else { "failovers without a loss" });
        let replaced = world.now();
        // Not whoever alone knows of something.
        let applied = |node: usize| world.running(node).map(|running| running.rescind.stats().applied);
        let known_to_others = |at: &usize| {
            let knows =
                |(other, (node, _)): (usize, &(usize, Link))| other != *at && applied(*node) >= applied(links[*at].0);
            links.iter().enumerate().any(knows)
        };
        let pinned = self.dice.happens(250).then(|| self.dice.index(links.len())).filter(known_to_others);
        for (at, (node, link)) in links.iter().enumerate() {
            pass(self.dice.below(40)).await;
            link.mend();
            if pinned == Some(at) {
                world.say(&format!("node {node} is still connected to the old primary"));
                world.trace.count("connections to an old primary");
                world.was_pinned.store(true, Ordering::Relaxed);
                link.pin(Arc::clone(&old));
                self.undo_in(self.dice.one_of(&[200, 700, 5000]), Undo::Mend(*node));
            }
        }
        // Whatever comes next comes when it is whole again, or after a while.
        for _ in 0..self.dice.between(20, 60) {
            pass(250).await;
            self.tend().await;
            if self.is_well_since(replaced) {
                break;
            }
        }
    }

    /// Whether every connected node answers by what it has read since then. Within its bound one answers by what it read before,
    /// and may be the only one that knows what the store has lost.
    fn is_well_since(&self, then: u64) -> bool {
        let passed = Duration::from_millis(self.world.now() - then);
        let has_read = |node: usize| {
            let staleness = self.world.running(node).and_then(|running| running.rescind.stats().staleness);
            staleness.is_some_and(|age| age < passed)
        };
        self.world.connected().iter().all(|(node, _)| has_read(*node))
    }

    /// Everything is stopped, and an older copy or an empty store is put in the place of the store.
    async fn put_back(&mut self) {
        let world = Arc::clone(&self.world);
        self.end().await;
        pass(3000).await;
        if !self.calm().await || world.up().len() < world.nodes() {
            return;
        }
        let is_flushed = self.dice.happens(500);
        world.say(if is_flushed {
            "all nodes end, and the store is empty"
        } else {
            "all nodes end, and a backup is put back"
        });
        for node in world.up() {
            if self.dice.happens(500) { world.kill(node) } else { world.end(node).await }
        }
        if is_flushed {
            world.store.flush(&self.dice);
            world.trace.count("stores flushed");
        } else {
            world.store.promote_copy();
            world.trace.count("backups put back");
        }
        let first = self.dice.index(world.nodes());
        for n in 0..world.nodes() {
            world.start((first + n) % world.nodes()).await;
        }
    }
}
