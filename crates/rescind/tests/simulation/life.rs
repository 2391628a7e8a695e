//! One life: what users, operators and the nemesis do, in an order that follows from the seed, and what must be true when
//! everything has settled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rescind::log::Scope;
use rescind::testing::{client, subject};
use rescind::{Error, Policy};

use tokio::time::timeout;

use super::browser::{CLIENTS, NAMES, browse};
use super::clocks::pass;
use super::dice::Dice;
use super::judge::{named, text};
use super::model::By;
use super::nemesis::{Fault, Nemesis};
use super::scenes::{Scene, play};
use super::trace::Tally;
use super::world::World;

/// A life that takes so long hangs.
const TOO_LONG: Duration = Duration::from_mins(20);

/// An operator waits so long for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a life came to.
pub(crate) struct Lived {
    pub(crate) digest: u64,
    pub(crate) notes: Vec<u64>,
    pub(crate) tally: Tally,
    pub(crate) verdict: Result<(), String>,
}

/// Lives the life of a seed.
pub(crate) fn live(seed: u64) -> Lived {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    // No other thread is at work, so nothing comes at a moment that the seed does not decide.
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(lived(seed))
}

async fn lived(seed: u64) -> Lived {
    let dice = Dice::new(!seed);
    let world = Arc::new(World::new(seed, usize::try_from(dice.one_of(&[1_u64, 2, 2, 3])).unwrap()));
    let mut life = Life { world: Arc::clone(&world), dice, entries: Vec::new() };
    if timeout(TOO_LONG, life.run()).await.is_err() {
        world.violate("the life does not end: somebody waits for ever".to_owned());
    }
    world.trace.note(world.now());
    let trace = &world.trace;
    Lived { digest: trace.digest(), notes: trace.notes(), tally: trace.tally(), verdict: trace.verdict(seed) }
}

struct Life {
    world: Arc<World>,
    dice: Dice,
    entries: Vec<rescind::log::Entry>,
}

impl Life {
    async fn run(&mut self) {
        let world = Arc::clone(&self.world);
        for node in 0..world.nodes() {
            world.start(node).await;
        }
        // Nobody knows who is there before each has looked around.
        pass(1500).await;
        let mut nemesis = Nemesis::new(&world, self.dice.fork(1));
        // Each life has some faults, so that each meets every other, and every one has lives of its own.
        let mut faults: Vec<_> = Fault::EVERY.into_iter().filter(|_| self.dice.happens(400)).collect();
        if faults.contains(&Fault::FailOver) {
            faults.extend([Fault::Lag, Fault::FailOver]);
        }
        world.say(&format!("{} nodes, faults {faults:?}", world.nodes()));
        let browsers: Vec<_> = (0..3).map(|n| tokio::spawn(browse(Arc::clone(&world), self.dice.fork(n)))).collect();
        let mut put_back = self.dice.happens(100);
        for _ in 0..self.dice.between(8, 24) {
            pass(self.dice.one_of(&[0, 20, 150, 500])).await;
            nemesis.tend().await;
            if !faults.is_empty() && self.dice.happens(350) {
                let fault = self.dice.one_of(&faults);
                // It takes long, so it comes once and in few lives.
                if fault != Fault::PutBack || std::mem::take(&mut put_back) {
                    nemesis.strike(fault).await;
                }
            } else {
                self.act().await;
            }
            self.look_around().await;
            if world.trace.is_violated() {
                return;
            }
        }
        nemesis.end().await;
        world.is_over.store(true, Ordering::Relaxed);
        world.say("nothing more goes wrong, and nobody begins anything more");
        for browser in browsers {
            if browser.await.is_err() {
                world.violate("a browser's task ended early".to_owned());
            }
        }
        for scene in Scene::EVERY {
            if !world.trace.is_violated() && self.dice.happens(scene.per_mille()) {
                play(&world, &self.dice, scene).await;
            }
        }
        if !world.trace.is_violated() {
            super::settled::settle_and_look(&world, &self.dice).await;
        }
        let (healings, swept) = world.store.truth.healings_and_swept();
        world.trace.add("healings", healings);
        world.trace.add("rows swept", swept);
        let (losses, of_log) = world.store.truth.losses();
        world.trace.add("losses of what was written", losses as u64);
        world.trace.add("losses of a piece of the log", of_log as u64);
        world.trace.add("log entries", world.store.truth.entries() as u64);
    }

    /// Something that users and operators do.
    async fn act(&mut self) {
        let world = Arc::clone(&self.world);
        let Some(node) = world.any_node(&self.dice) else { return };
        match self.dice.below(10) {
            0 => self.lift(node).await,
            1 if self.dice.happens(150) => {
                let Some(running) = world.running(node) else { return };
                if matches!(timeout(PATIENCE, running.rescind.rotate_keys()).await, Ok(Ok(_))) {
                    world.trace.count("key rotations");
                }
            }
            _ => {
                let Some(scope) = self.scope() else { return };
                let revoking = tokio::spawn(Arc::clone(&world).revoke(node, scope));
                if self.dice.happens(700) {
                    let answer = timeout(PATIENCE, revoking).await;
                    self.entries.extend(answer.ok().and_then(Result::ok).flatten());
                }
            }
        }
    }

    fn scope(&self) -> Option<Scope> {
        let tokens = self.world.model.tokens() as u64;
        // Of what was given out lately.
        let lately = |dice: &Dice| tokens.checked_sub(1 + dice.below(tokens.min(8)));
        let token = || Some(self.world.model.token(usize::try_from(lately(&self.dice)?).ok()?));
        Some(match self.dice.below(40) {
            0 => Scope::All,
            1 => Scope::Key(token()?.kid),
            2..4 => Scope::Client(client(self.dice.one_of(&CLIENTS))),
            4..14 => Scope::Subject(subject(self.dice.one_of(&NAMES))),
            14..24 => Scope::token(token()?.jti),
            _ => Scope::session(token()?.sid),
        })
    }

    async fn lift(&mut self, node: usize) {
        let Some(running) = self.world.running(node) else { return };
        if self.entries.is_empty() {
            return;
        }
        let entry = self.entries.swap_remove(self.dice.index(self.entries.len()));
        self.world.say(&format!("node {node}: lift {} on {}", entry.seq, named(&entry.scope)));
        let (rescind, seq) = (running.rescind.clone(), entry.seq);
        let lifting = tokio::spawn(async move { rescind.lift(seq, text("a mistake"), text("nobody")).await });
        // Whoever stands still is not waited for.
        let Ok(Ok(answer)) = timeout(PATIENCE, lifting).await else { return };
        match answer {
            _ if running.link.is_stopped_or_dead() => {}
            Ok(lift) => {
                let world = &self.world;
                world.trace.count("lifts acknowledged");
                world.must(world.model.lifted(&lift, world.now(), By::Node(node), &world.store.truth));
            }
            Err(Error::Internal(error)) => self.world.violate(format!("a lift came to {error}")),
            Err(_) => self.world.trace.count("lifts refused or without an answer"),
        }
    }

    /// Checks some tokens at some nodes.
    async fn look_around(&self) {
        let (world, tokens) = (&self.world, self.world.model.tokens());
        for _ in 0..6 {
            let Some(node) = world.any_node(&self.dice).filter(|_| tokens > 0) else { return };
            let newest = self.dice.index(tokens.min(12));
            let token = if self.dice.happens(800) { tokens - 1 - newest } else { self.dice.index(tokens) };
            if self.dice.happens(100) {
                let world = Arc::clone(world);
                drop(tokio::spawn(async move { world.check(node, token, Some(Policy::Strict)).await }));
                self.world.trace.count("strict checks");
            } else if self.dice.happens(150) {
                let sid = world.model.token(token).sid;
                let Some(refresh_token) = world.model.newest_of(sid) else { continue };
                world.introspect(node, &refresh_token, sid).await;
            } else {
                world.check(node, token, None).await;
            }
        }
    }
}
