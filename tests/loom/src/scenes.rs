//! The scenes: one writer, who takes cut-offs in and moves the mark, and readers, who must never find less than the mark
//! that they took promises.

use loom::model::Builder;
use loom::thread;

use crate::position::Seq;
use crate::sync::Arc;
use crate::time::{BootTime, Timestamp};
use crate::view::freshness::{Freshness, Mark, Now};
use crate::view::layers::{Change, Key, Layers, Name, Names};
use crate::view::neighbours;

const SEED: [u64; 2] = [3, 5];
const BOUND: std::time::Duration = std::time::Duration::from_secs(1);

/// In which order a reader takes the mark and the tables.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// As every check does.
    MarkFirst,
    /// As none must.
    TablesFirst,
}

/// A view of so many cut-offs on neighbours, complete up to a moment far in the past.
struct Scene {
    layers: Layers,
    mark: Mark,
    keys: Vec<Key>,
}

fn at(boot: u64) -> Now {
    Now { wall: Timestamp::from_millis(boot), boot: BootTime::from_millis(boot) }
}

/// When the writer's last cut-off is known. A view that is complete only up to before it is stale at [`ASKED`].
const KNOWN: u64 = 10_000;
const ASKED: u64 = 10_500;

impl Scene {
    fn new(held: u64, more: usize) -> Self {
        let keys = neighbours(SEED, usize::try_from(held).unwrap_or(0) + more);
        let scene = Self { layers: Layers::new(SEED, BOUND), mark: Mark::new(BOUND), keys };
        for seq in 1..=held {
            scene.cut_off(seq);
        }
        scene.mark.complete_up_to(BootTime::from_millis(1), at(1));
        scene
    }

    fn key(&self, seq: u64) -> Option<Key> {
        usize::try_from(seq - 1).ok().and_then(|at| self.keys.get(at)).copied()
    }

    fn cut_off(&self, seq: u64) {
        let name = self.key(seq).map(Name::Session);
        self.layers.apply(name.map(|name| (name, Change::CutOff(Seq::new(seq)))), BootTime::from_millis(1));
    }

    fn is_covered(&self, key: Option<Key>, position: u64) -> bool {
        let names = Names { session: key, ..Names::default() };
        self.layers.covering(&names, Seq::new(position)).is_some()
    }

    /// What a check says of a token: nothing, or whether it is covered.
    fn check(&self, order: Order, key: Option<Key>, position: u64) -> Option<bool> {
        let (freshness, covered) = match order {
            Order::MarkFirst => self.mark.before(at(ASKED), || self.is_covered(key, position)),
            Order::TablesFirst => {
                let covered = self.is_covered(key, position);
                (self.mark.freshness(at(ASKED)), covered)
            }
        };
        (freshness == Freshness::Fresh).then_some(covered)
    }
}

/// Explores a scene, with as many switches between threads as find what there is to find.
fn explore(scene: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 20_000;
    builder.check(scene);
}

/// A writer adds cut-offs behind `held` others and moves the mark; whoever then finds the view fresh finds them.
///
/// # Panics
/// Where a reader finds a fresh view in which a cut-off is missing that was known by then.
pub fn fresh_is_complete(held: u64, more: u64, order: Order) {
    explore(move || {
        let scene = Arc::new(Scene::new(held, usize::try_from(more).unwrap_or(0)));
        let writer = thread::spawn({
            let scene = Arc::clone(&scene);
            move || {
                for seq in held + 1..=held + more {
                    scene.cut_off(seq);
                }
                scene.mark.complete_up_to(BootTime::from_millis(KNOWN), at(KNOWN));
            }
        });
        for seq in [held + 1, held + more] {
            let found = scene.check(order, scene.key(seq), seq - 1);
            assert!(found != Some(false), "the view is fresh, and cut-off {seq} is missing");
        }
        // What stood before stands all the time, whatever grows meanwhile.
        assert!(held == 0 || scene.is_covered(scene.key(1), 0), "a cut-off is gone for a moment");
        drop(writer.join());
    });
}

/// A name is cut off once more, and everything is loaded again: readers see the one or the other, and never neither.
///
/// # Panics
/// Where a reader finds a moment in which nothing is cut off.
pub fn replaced_at_once() {
    explore(|| {
        let scene = Arc::new(Scene::new(1, 0));
        let key = scene.key(1);
        let writer = thread::spawn({
            let scene = Arc::clone(&scene);
            move || {
                let name = key.map(Name::Session);
                scene.layers.replace(name.map(|name| (name, Seq::new(9))), BootTime::from_millis(1));
                scene.mark.complete_up_to(BootTime::from_millis(KNOWN), at(KNOWN));
            }
        });
        // Of a session opened between the two, which only the second one covers.
        assert!(
            scene.check(Order::MarkFirst, key, 5) != Some(false),
            "the view is fresh, and the newer one is missing"
        );
        assert!(scene.is_covered(key, 0), "for a moment nothing is cut off");
        drop(writer.join());
    });
}
