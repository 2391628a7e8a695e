//! The nemesis of three nodes on one store: nodes, the store, and the network between them.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rescind_test_kit::{Error, NodeOptions, Proxy, Result, SmallDisk, until, until_within};

use crate::BOUND;
use crate::asked::{Answer, At, What};
use crate::cycle::{Dealt, Nemesis, Settings, Strike, within};
use crate::load::{Load, Running};
use crate::moment::{Stopwatch, rest};
use crate::nodes::{Nodes, kill};
use crate::plan::Fault;
use crate::server::{Reached, Server, ServerKind};
use crate::tally::Cycle;
use crate::widely;

const NODES: usize = 3;
const ALL: [usize; NODES] = [0, 1, 2];
const HOUR: i64 = 3600;
/// Longer than a node may take to give up what it asked through a link that says nothing.
const BACK: Duration = Duration::from_secs(30);
/// A start is aimed at so often, so that the kill comes while it recovers.
const AIMS: usize = 16;
/// By then a start is past its recovery, most likely. **Units:** microseconds, as all of the aim.
const SOON: usize = 150_000;
/// Nothing is aimed at more closely.
const CLOSE: usize = 2_000;

/// Three nodes, their store, and each one's way to it.
#[derive(Debug)]
pub(crate) struct Several {
    nodes: Nodes,
    store: Server,
    links: Vec<Proxy>,
    other: Option<PathBuf>,
    is_over: bool,
}

impl Several {
    /// Starts them; on a small disk, where that is to be full.
    pub(crate) fn begin(settings: &Settings, kind: ServerKind, first: Fault) -> Result<Self> {
        let full = first == Fault::StoreFull;
        let disk = full.then(|| SmallDisk::mount(Server::least_disk(kind))).transpose()?;
        let store = Server::start(kind, disk)?;
        let links: Vec<Proxy> = ALL.iter().map(|_| Proxy::start(store.address())).collect::<Result<_>>()?;
        let urls: Vec<Option<String>> = links.iter().map(|link| Some(link.through(&store.url()))).collect();
        let steps = settings.brings(Fault::ClockStep);
        let shape = |options: NodeOptions| if steps { options.stepped_clock() } else { options };
        let nodes = Nodes::start(&settings.program, &urls, shape)?;
        Ok(Self { nodes, store, links, other: settings.other.clone(), is_over: false })
    }

    fn link(&self, number: usize) -> Result<&Proxy> {
        self.links.get(number).ok_or_else(|| Error::Failed(format!("there is no link {number}")))
    }

    /// For longer than the bound.
    fn past_the_bound(dealt: &mut Dealt) {
        rest(BOUND + Duration::from_millis(200 + dealt.luck.below(800) as u64));
    }

    fn strike(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        match dealt.fault {
            Fault::Kill | Fault::Double | Fault::Hang | Fault::ClockStep | Fault::OtherBuild => {
                self.strike_nodes(dealt, running, cycle)
            }
            Fault::Partition | Fault::PartitionAll | Fault::SlowLink | Fault::HalfOpen => {
                self.strike_links(dealt, running, cycle)
            }
            _ => self.strike_store(dealt, running, cycle),
        }
    }

    fn strike_nodes(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        let victim = dealt.luck.below(NODES);
        cycle.say(&format!("node {victim}"));
        let more = running.acknowledged() + 20 + dealt.luck.below(20);
        let usual = self.nodes.options(victim);
        match dealt.fault {
            Fault::Hang => {
                let still = self.nodes.pause(victim)?;
                Self::past_the_bound(dealt);
                self.nodes.resume(victim)?;
                cycle.count(Fault::Hang, still);
                Ok(())
            }
            Fault::ClockStep => {
                cycle.count(Fault::Kill, self.nodes.kill(victim)?);
                self.nodes.start_again(victim, &usual.clone().stepped_clock())?;
                self.nodes.node(victim)?.wait_until_ready()?;
                self.steps_clock(victim, running)?;
                cycle.count(Fault::ClockStep, true);
                cycle.count(Fault::Kill, self.nodes.kill(victim)?);
                self.nodes.start_again(victim, &usual)
            }
            Fault::OtherBuild => {
                let Some(other) = &self.other else { return Ok(()) };
                for node in ALL {
                    self.nodes.restart(node, &self.nodes.options(node).program(other))?;
                    self.nodes.node(node)?.wait_until_ready()?;
                    let runs = fs::read_link(format!("/proc/{}/exe", self.nodes.node(node)?.pid()?));
                    cycle.count(Fault::OtherBuild, runs.ok() == fs::canonicalize(other).ok());
                }
                running.goes_on_until(more)?;
                ALL.iter().try_for_each(|node| self.nodes.restart(*node, &self.nodes.options(*node)))
            }
            _ => {
                cycle.count(Fault::Kill, self.nodes.kill(victim)?);
                running.goes_on_until(more)?;
                if dealt.fault == Fault::Double {
                    for _ in 0..=dealt.luck.below(3) {
                        let node = self.nodes.node(victim)?;
                        node.spawn_with(&usual)?;
                        rest(Duration::from_millis(dealt.luck.below(120) as u64));
                        let early = node.readiness() != Some(200);
                        cycle.count(Fault::Double, kill(node)? && early);
                    }
                }
                self.nodes.start_again(victim, &usual)
            }
        }
    }

    /// An hour on, an hour back, and right again.
    fn steps_clock(&self, victim: usize, running: &Running) -> Result<()> {
        for seconds in [HOUR, -HOUR, 0] {
            let steps = self.nodes.stat(victim, "clock_steps").unwrap_or_default();
            if seconds < 0 {
                self.nodes.history.falls_behind(victim);
            }
            self.nodes.node(victim)?.set_clock(seconds)?;
            until("the step is seen", || self.nodes.stat(victim, "clock_steps").is_some_and(|now| now > steps))?;
            if seconds == 0 {
                self.nodes.history.catches_up(victim);
            }
            running.goes_on_until(running.acknowledged() + 20)?;
        }
        Ok(())
    }

    fn strike_links(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        let victim = dealt.luck.below(NODES);
        let whom = if matches!(dealt.fault, Fault::Partition | Fault::HalfOpen) { vec![victim] } else { ALL.to_vec() };
        cycle.say(&format!("nodes {whom:?}"));
        let since = self.nodes.history.now();
        for node in &whom {
            let link = self.link(*node)?;
            match dealt.fault {
                Fault::SlowLink => link.delay(BOUND / 20)?,
                Fault::HalfOpen => link.half_open()?,
                _ => link.cut()?,
            }
        }
        if dealt.fault == Fault::SlowLink {
            running.goes_on_until(running.acknowledged() + 60)?;
            let median = self.nodes.history.median(What::Revoke, since..At::MAX);
            cycle.count(Fault::SlowLink, median >= BOUND / 20);
        } else {
            rest(BOUND);
            Self::past_the_bound(dealt);
            let unanswered = self.nodes.history.checks(&whom, &Answer::Unavailable, since..At::MAX);
            let is_away = |node: &usize| self.nodes.all.get(*node).is_some_and(|node| node.readiness() == Some(503));
            cycle.count(dealt.fault, unanswered > 0 || whom.iter().all(is_away));
        }
        whom.iter().try_for_each(|node| self.link(*node)?.heal())
    }

    fn strike_store(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        match dealt.fault {
            Fault::StoreKill | Fault::StoreDouble => {
                cycle.count(Fault::StoreKill, self.store.kill()?);
                rest(Duration::from_millis(dealt.luck.below(3000) as u64));
                if dealt.fault == Fault::StoreDouble {
                    self.kills_in_recovery(dealt, cycle)?;
                }
                self.store.start_again()
            }
            Fault::StoreHang => {
                self.store.process().pause()?;
                let still = until("the store stands still", || self.store.process().is_paused()).is_ok();
                Self::past_the_bound(dealt);
                self.store.process().resume()?;
                cycle.count(Fault::StoreHang, still);
                Ok(())
            }
            Fault::BothKill => {
                let victim = dealt.luck.below(NODES);
                cycle.say(&format!("node {victim}"));
                let (node, store) = thread::scope(|scope| {
                    let node = scope.spawn(|| self.nodes.kill(victim));
                    let store = self.store.kill();
                    (node.join().unwrap_or(Ok(false)), store)
                });
                cycle.count(Fault::BothKill, node? && store?);
                rest(Duration::from_millis(dealt.luck.below(3000) as u64));
                self.store.start_again()?;
                self.nodes.start_again(victim, &self.nodes.options(victim))
            }
            Fault::StoreFull => self.fills_up(running, cycle),
            Fault::OldCopy => self.forgets(dealt, running, cycle),
            _ => Ok(()),
        }
    }

    /// Starts the store and kills it, until it was killed once or twice while it recovered. How long that takes is found by
    /// what it had come to at the kills before.
    fn kills_in_recovery(&self, dealt: &mut Dealt, cycle: &mut Cycle) -> Result<()> {
        let wanted = 1 + dealt.luck.below(2);
        let (mut hit, mut early, mut late) = (0, 0, SOON);
        for _ in 0..AIMS {
            let micros = early + dealt.luck.below(late - early + 1);
            match self.store.start_again_and_kill(Duration::from_micros(micros as u64))? {
                Reached::Recovery => {
                    hit += 1;
                    cycle.count(Fault::StoreDouble, true);
                    cycle.say(&format!("again after {} ms", micros / 1000));
                }
                Reached::Nothing => (early, late) = (micros, late.max(micros * 2)),
                Reached::Ready => late = micros,
            }
            if hit == wanted {
                return Ok(());
            }
            if late < early + CLOSE {
                // One of them was a start that the machine held up.
                (early, late) = (0, late.max(CLOSE) * 2);
            }
        }
        Ok(())
    }

    fn fills_up(&self, running: &Running, cycle: &mut Cycle) -> Result<()> {
        let refused = || running.shared.unavailable.load(std::sync::atomic::Ordering::Relaxed);
        let before = refused();
        self.store.disk()?.fill()?;
        until("writes find no room", || {
            self.store.use_up_reserve();
            refused() > before + 5
        })?;
        cycle.count(Fault::StoreFull, true);
        self.store.disk()?.free()?;
        self.store.come_back()
    }

    /// The store's data is replaced by a copy from before the last revocations. The nodes know better, and heal it.
    fn forgets(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        running.shared.never_again.store(true, std::sync::atomic::Ordering::Relaxed);
        self.store.stop()?;
        let copied = self.nodes.history.now();
        let copy = self.store.copy()?;
        self.store.start_again()?;
        self.wait_until_served(&mut Cycle::default())?;
        running.goes_on_until(running.acknowledged() + 50 + dealt.luck.below(50))?;
        let healed = self.nodes.total("history_healed")?;
        self.nodes.history.store_goes_away();
        self.store.stop()?;
        self.store.restore(&copy)?;
        self.nodes.history.sessions_are_lost_since(copied);
        self.store.start_again()?;
        let is_healed = || self.nodes.total("history_healed").is_ok_and(|now| now > healed);
        until("the nodes have healed the store", is_healed)?;
        cycle.count(Fault::OldCopy, true);
        self.wait_until_served(&mut Cycle::default())?;
        if self.lost_for_good()? {
            self.nodes.history.everyone_is_out();
            cycle.say("everybody signed out");
        }
        Ok(())
    }

    /// Whether the log says that everybody had to be signed out.
    fn lost_for_good(&self) -> Result<bool> {
        let mut after = 0;
        loop {
            let path = format!("/admin/v1/revocations?after={after}");
            let page = self.nodes.node(0)?.send_admin("GET", &path, "")?.json();
            let entries = page.get("revocations").and_then(|entries| entries.as_array());
            let lost = |entry: &serde_json::Value| entry.get("reason").is_some_and(|reason| reason == "history_lost");
            if entries.into_iter().flatten().any(lost) {
                return Ok(true);
            }
            match page.get("next").and_then(serde_json::Value::as_u64) {
                Some(next) => after = next,
                None => return Ok(false),
            }
        }
    }

    /// Until every node is ready, and has opened a session.
    fn wait_until_served(&self, cycle: &mut Cycle) -> Result<()> {
        let watch = Stopwatch::start();
        let opened = |number: usize| {
            let reply = self
                .nodes
                .all
                .get(number)
                .map(|node| node.send_admin("POST", "/admin/v1/sessions", "{\"subject\":\"back\"}"));
            reply.and_then(Result::ok).is_some_and(|reply| reply.status == 200)
        };
        let ready = |number: usize| self.nodes.all.get(number).is_some_and(|node| node.readiness() == Some(200));
        until_within(BACK, "every node serves again", || ALL.iter().all(|node| ready(*node) && opened(*node)))?;
        cycle.recovery = watch.now();
        Ok(())
    }
}

impl Nemesis for Several {
    fn cycle(&mut self, dealt: &mut Dealt, load: Load) -> Result<(Cycle, Load)> {
        let mut cycle = Cycle { number: dealt.cycle, ..Cycle::default() };
        let running = load.begin(dealt.load_seed);
        running.goes_on_until(within(dealt.luck, dealt.quota))?;
        widely::cut_off(&self.nodes, dealt, &running, &mut cycle)?;
        self.strike(dealt, &running, &mut cycle)?;
        self.wait_until_served(&mut cycle)?;
        running.goes_on_until(running.acknowledged() + 20)?;
        let (mut load, shared) = running.end()?;
        cycle.take(&shared);
        // Then every node has to know of everything.
        rest(BOUND);
        cycle.checked = load.ask_about_all(&ALL, dealt.earlier)?;
        // An older copy is the one fault that takes acknowledged writes away; of revocations the nodes know themselves.
        if dealt.fault != Fault::OldCopy {
            cycle.broken.extend(self.nodes.lost_refreshes()?);
        }
        self.is_over = matches!(dealt.fault, Fault::OldCopy | Fault::StoreFull) || dealt.next == Fault::StoreFull;
        Ok((cycle, load))
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}
