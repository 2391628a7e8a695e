//! The nemesis of one node with a file of its own: each cycle brings a fault, and ends with a kill.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rescind_test_kit::{Error, NodeOptions, Result, Scratch, until, until_within};

use crate::BOUND;
use crate::asked::At;
use crate::cycle::{Dealt, Nemesis, NotTheirs, Settings, Strike, within};
use crate::load::{Load, Running};
use crate::luck::Luck;
use crate::moment::{Stopwatch, rest};
use crate::nodes::{Nodes, kill};
use crate::pages::Pages;
use crate::plan::Fault;
use crate::strace::{Injection, Strace};
use crate::tally::Cycle;
use crate::widely;

const NODE: usize = 0;
const HOUR: i64 = 3600;
/// Behind the end of every access token, and of what is remembered for it.
const LONG: i64 = 2 * 24 * HOUR;
/// A write-ahead log that fails is found by the next write.
const SOON: Duration = Duration::from_secs(30);

/// One node, and what is done to it.
#[derive(Debug)]
pub(crate) struct Single {
    nodes: Nodes,
    home: Scratch,
    pages: Option<Pages>,
    other: Option<PathBuf>,
    /// Everybody was signed out for good: there is nothing left to lose.
    is_over: bool,
}

impl Single {
    /// Starts it as the first fault asks for.
    pub(crate) fn begin(settings: &Settings, first: Fault) -> Result<Self> {
        let home = Scratch::new("torture")?;
        // Named before the first cycle, and not by the hundredth.
        if settings.brings(Fault::FsyncError) || settings.brings(Fault::NoSpace) {
            Strace::is_there()?;
        }
        let steps = settings.brings(Fault::ClockStep);
        let shape = |options: NodeOptions| if steps { options.stepped_clock() } else { options };
        let nodes = Nodes::start(&settings.program, &[None], shape)?;
        let loses = settings.brings(Fault::LostPages) || settings.brings(Fault::FsyncError);
        let pages = loses.then(|| Pages::of(home.path(), &nodes.node(NODE)?.data_dir())).transpose()?;
        let single = Self { nodes, home, pages, other: settings.other.clone(), is_over: false };
        // Until now it ran as whatever comes first would not need it.
        single.nodes.kill(NODE)?;
        single.come_back(first)?;
        Ok(single)
    }

    /// What a start needs for the next fault.
    fn options_for(&self, fault: Fault) -> NodeOptions {
        let options = self.nodes.options(NODE);
        match (fault, &self.pages) {
            (Fault::LostPages | Fault::FsyncError, Some(pages)) => {
                pages.forget();
                pages
                    .environment()
                    .into_iter()
                    .fold(options, |options, (name, value)| options.environment(name, &value))
            }
            (Fault::ClockStep, _) => options.stepped_clock(),
            _ => options,
        }
    }

    fn come_back(&self, next: Fault) -> Result<()> {
        self.nodes.start_again(NODE, &self.options_for(next))?;
        self.nodes.node(NODE)?.wait_until_ready()
    }

    /// strace, where the fault is a call that fails.
    fn attach(&self, dealt: &mut Dealt, cycle: &mut Cycle) -> Result<Option<Strace>> {
        let first = 1 + dealt.luck.below(30);
        let injection = match dealt.fault {
            // For once, as where the system forgets what it could not write and the next flush succeeds; or for good.
            Fault::FsyncError => {
                let last = dealt.cycle.is_multiple_of(2).then_some(first);
                Injection { calls: "fsync,fdatasync", error: "EIO", first, last }
            }
            Fault::NoSpace => {
                let last = Some(first + 1 + dealt.luck.below(20));
                Injection { calls: "pwrite64,write", error: "ENOSPC", first, last }
            }
            _ => return Ok(None),
        };
        cycle.say(&format!("calls {}", injection.when()));
        let node = self.nodes.node(NODE)?;
        let file = node.data_dir().join("rescind.db-wal");
        Strace::attach(node.pid()?, &file, injection, self.home.path()).map(Some)
    }

    /// The call fails, and writes are refused; where there is room again, the node goes on. Gives since when nothing may be
    /// acknowledged any more, where that is so.
    fn fails(&self, dealt: &mut Dealt, running: &Running, strace: &Strace) -> Result<Option<At>> {
        until_within(SOON, "a call has failed", || strace.failed() > 0).not_theirs()?;
        let broken = self.nodes.history.now();
        let are_refused = || running.shared.unavailable.load(std::sync::atomic::Ordering::Relaxed) > 0;
        if dealt.fault == Fault::NoSpace {
            until_within(SOON, "writes are refused", are_refused)?;
            let more = running.acknowledged() + 20;
            return running.goes_on_until(more).map(|()| None);
        }
        let is_told = || are_refused() || self.nodes.history.writes_after(broken) > 0;
        until_within(SOON, "a write is refused, or acknowledged", is_told)?;
        rest(Duration::from_millis(100 + dealt.luck.below(400) as u64));
        Ok(Some(broken))
    }

    fn strikes(&self, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
        let more = running.acknowledged() + 20 + dealt.luck.below(20);
        match dealt.fault {
            Fault::Hang => {
                let still = self.nodes.pause(NODE)?;
                rest(BOUND + Duration::from_millis(100 + dealt.luck.below(900) as u64));
                self.nodes.resume(NODE)?;
                cycle.count(Fault::Hang, still);
                running.goes_on_until(more)
            }
            Fault::ClockStep => {
                let away = if dealt.cycle.is_multiple_of(2) { LONG } else { -HOUR };
                self.steps_clock(away, dealt.luck, running, cycle)
            }
            Fault::OtherBuild => {
                let Some(other) = &self.other else { return Ok(()) };
                self.nodes.restart(NODE, &self.nodes.options(NODE).program(other))?;
                self.nodes.node(NODE)?.wait_until_ready()?;
                let runs = fs::read_link(format!("/proc/{}/exe", self.nodes.node(NODE)?.pid()?));
                cycle.count(Fault::OtherBuild, runs.ok() == fs::canonicalize(other).ok());
                running.goes_on_until(more)
            }
            Fault::OldCopy => {
                self.nodes.kill(NODE)?;
                self.copy("rescind.db", Way::Away)?;
                self.come_back(Fault::Kill)?;
                running.goes_on_until(more)
            }
            _ => Ok(()),
        }
    }

    /// An hour back, or so far ahead that every token is over and nothing would have to be remembered; and right again.
    fn steps_clock(&self, away: i64, luck: &mut Luck, running: &Running, cycle: &mut Cycle) -> Result<()> {
        let (node, history) = (self.nodes.node(NODE)?, &self.nodes.history);
        cycle.say(&format!("by {} h", away / HOUR));
        for seconds in [away, 0] {
            let steps = self.nodes.stat(NODE, "clock_steps").unwrap_or_default();
            match seconds {
                LONG => history.runs_ahead(NODE),
                0 => {}
                _ => history.falls_behind(NODE),
            }
            node.set_clock(seconds).not_theirs()?;
            until("the step is seen", || self.nodes.stat(NODE, "clock_steps").is_some_and(|now| now > steps))?;
            if seconds == 0 {
                history.catches_up(NODE);
            }
            running.goes_on_until(running.acknowledged() + 20 + luck.below(20))?;
        }
        cycle.count(Fault::ClockStep, true);
        Ok(())
    }

    /// Brings it back after the last kill.
    fn recover(&mut self, dealt: &mut Dealt, cycle: &mut Cycle) -> Result<()> {
        match dealt.fault {
            Fault::LostPages | Fault::FsyncError => {
                let lost = self
                    .pages
                    .as_ref()
                    .map(|pages| pages.lose(dealt.luck).not_theirs())
                    .transpose()?
                    .unwrap_or_default();
                cycle.count(Fault::LostPages, !lost.is_nothing());
                cycle.say(&format!("{} of {} sectors lost, {} names", lost.sectors, lost.written, lost.names));
            }
            Fault::Double => self.kills_again(dealt.luck, cycle)?,
            Fault::OldCopy => {
                self.nodes.history.sessions_are_lost_since(At::ZERO);
                self.copy("rescind.db", Way::Back)?;
            }
            _ => {}
        }
        let watch = Stopwatch::start();
        self.come_back(dealt.next)?;
        cycle.recovery = watch.now();
        if dealt.fault == Fault::OldCopy {
            self.nodes.history.everyone_is_out();
            self.is_over = true;
        }
        Ok(())
    }

    /// Kills it while it recovers, once or more: sooner, where it was ready by then.
    fn kills_again(&self, luck: &mut Luck, cycle: &mut Cycle) -> Result<()> {
        let node = self.nodes.node(NODE)?;
        let (mut left, mut longest) = (1 + luck.below(3), 120);
        while left > 0 {
            let wait = Duration::from_millis(luck.below(longest) as u64);
            node.spawn_with(&self.options_for(Fault::Kill))?;
            rest(wait);
            let early = node.readiness() != Some(200);
            let killed = kill(node)?;
            cycle.count(Fault::Kill, killed);
            cycle.count(Fault::Double, killed && early);
            cycle.say(&format!("again after {wait:?}{}", if early { "" } else { ", when it was ready" }));
            if early || longest == 1 {
                left -= 1;
            } else {
                longest = (longest / 2).max(1);
            }
        }
        Ok(())
    }

    /// Of an older copy the node knows by its own mark: since this start it has healed it, and signed everybody out.
    fn looks_healed(&self, since: At, cycle: &mut Cycle) -> Result<()> {
        let healed = self.nodes.known_stat(NODE, "history_healed")?;
        cycle.count(Fault::OldCopy, healed > 0);
        if healed == 0 {
            cycle.broken.push("the database is an older copy, and the node has not noticed".to_owned());
        }
        let good = self.nodes.history.good_from_before(since);
        if good > 0 {
            cycle
                .broken
                .push(format!("of {good} tokens of before an older copy came back the node says they are good"));
        }
        Ok(())
    }

    fn copy(&self, prefix: &str, way: Way) -> Result<()> {
        let (data, aside) = (self.nodes.node(NODE)?.data_dir(), self.home.path().join("copy"));
        let failed = |error: std::io::Error| Error::Missing(format!("the database cannot be copied: {error}"));
        fs::create_dir_all(&aside).map_err(failed)?;
        let (from, to) = match way {
            Way::Away => (data, aside),
            Way::Back => (aside, data),
        };
        let ours = |folder: &PathBuf| -> std::io::Result<Vec<PathBuf>> {
            let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
            let is_ours =
                |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
            Ok(entries.filter(is_ours).collect())
        };
        ours(&to).map_err(failed)?.iter().try_for_each(fs::remove_file).map_err(failed)?;
        for file in ours(&from).map_err(failed)? {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, to.join(name)).map_err(failed)?;
        }
        Ok(())
    }
}

impl Nemesis for Single {
    fn cycle(&mut self, dealt: &mut Dealt, load: Load) -> Result<(Cycle, Load)> {
        let mut cycle = Cycle { number: dealt.cycle, ..Cycle::default() };
        let running = load.begin(dealt.load_seed);
        running.goes_on_until(within(dealt.luck, dealt.quota))?;
        widely::cut_off(&self.nodes, dealt, &running, &mut cycle)?;
        let strace = self.attach(dealt, &mut cycle)?;
        let broken_since = match &strace {
            Some(strace) => self.fails(dealt, &running, strace)?,
            None => self.strikes(dealt, &running, &mut cycle).map(|()| None)?,
        };
        rest(Duration::from_micros(dealt.luck.below(20_000) as u64));
        cycle.count(Fault::Kill, self.nodes.kill(NODE)?);
        let (mut load, shared) = running.end()?;
        let acknowledged = broken_since.map_or(0, |since| self.nodes.history.writes_after(since));
        if acknowledged > 0 {
            cycle.broken.push(format!("after a flush failed {acknowledged} writes were acknowledged"));
        }
        if let Some(strace) = strace {
            cycle.count(dealt.fault, strace.failed() > 0);
            strace.detach()?;
        }
        cycle.take(&shared);
        let down = self.nodes.history.now();
        self.recover(dealt, &mut cycle)?;
        cycle.checked = load.ask_about_all(&[NODE], dealt.earlier)?;
        if dealt.fault == Fault::OldCopy {
            self.looks_healed(down, &mut cycle)?;
        } else {
            cycle.broken.extend(self.nodes.lost_refreshes()?);
        }
        Ok((cycle, load))
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Away,
    Back,
}
