//! Appending: one owner task gathers the calls that wait, and writes them with one script. Owns what is computed here
//! because Redis cannot: positions, times, ends and chain tags, all for one head; the script writes them where that still
//! is the head, and else says what is. So of several nodes one always makes progress, and whoever loses often gets a turn.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rescind::log::{Act, ChainTag, Entry, NewEntry, Scope};
use rescind::position::Seq;
use rescind::store::{Appended, Head, StoreErrorKind};
use rescind::time::{Clock, SystemClock, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, digits};
use super::entry::{self, State};
use super::fault::Fault;
use super::keys;
use super::reply::{Reply, Tip};
use super::row::storable;

/// At most so many calls share one script.
const BATCH: usize = 1_000;
/// And at most so many entries, but for a single call that has more.
const ENTRIES: usize = 5_000;
/// A batch waits for its writers at most this long.
const PATIENCE: Duration = Duration::from_millis(2);
/// How often a batch is computed anew before its callers are told that it could not be written.
const ATTEMPTS: u32 = 200;
/// How far ahead of the store's time, as it is estimated, a batch's time is set: an answer's way and a little.
const AHEAD: Duration = Duration::from_millis(5);

/// A call that waits.
struct Call {
    entries: Vec<NewEntry>,
    answer: oneshot::Sender<Result<Appended, Fault>>,
}

/// The way to the owner task.
pub(super) struct Appender {
    queue: mpsc::Sender<Call>,
}

impl Appender {
    pub(super) fn new(core: &Arc<Core>, writer: Vec<u8>) -> Self {
        let (queue, calls) = mpsc::channel(BATCH);
        let work = Work { core: Arc::downgrade(core), writer, tip: None, estimate: Estimate::default() };
        tokio::spawn(work.serve(calls));
        Self { queue }
    }

    /// Appends the entries of one call. Once queued, they are written whether or not anybody waits.
    pub(super) async fn append(&self, entries: Vec<NewEntry>) -> Result<Appended, Fault> {
        if entries.is_empty() {
            return Ok(Appended::Done(Vec::new()));
        }
        let (answer, answered) = oneshot::channel();
        let ended = || Fault::new(StoreErrorKind::Broken, "the task that appends has ended; restart");
        self.queue.send(Call { entries, answer }).await.map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// What the store's time is, as far as it can be told from here.
#[derive(Default)]
struct Estimate {
    /// How far the store's time is ahead of this machine's boot time, at most; milliseconds.
    offset: Option<i128>,
    /// How long an answer took lately.
    way: Duration,
    /// Grows while estimates are too low.
    more: Duration,
}

impl Estimate {
    /// Learns from an answer that was asked for at `asked`.
    fn learn(&mut self, asked: u64, now: Timestamp) {
        self.offset = Some(i128::from(now.as_millis()) - i128::from(asked));
        self.way =
            Duration::from_millis(SystemClock.boot().as_millis().saturating_sub(asked)).min(Duration::from_secs(1));
    }

    /// A time that the store's will not have passed when a script runs that is sent now.
    fn soon(&self) -> Option<Timestamp> {
        let now = i128::from(SystemClock.boot().as_millis()) + self.offset?;
        let now = Timestamp::from_millis(u64::try_from(now).ok()?);
        Some(now.plus(AHEAD + self.way * 2 + self.more))
    }
}

struct Work {
    core: Weak<Core>,
    writer: Vec<u8>,
    /// The head as this node has seen it last.
    tip: Option<Tip>,
    estimate: Estimate,
}

impl Work {
    async fn serve(mut self, mut queue: mpsc::Receiver<Call>) {
        let (mut expected, mut patience) = (0, Duration::ZERO);
        let mut calls: Vec<Call> = Vec::new();
        while queue.recv_many(&mut calls, BATCH).await > 0 {
            // Waits a little for those who wrote with the last ones and are about to again. A lone writer never waits.
            let gather =
                async { while calls.len() < expected.min(BATCH) && queue.recv_many(&mut calls, BATCH).await > 0 {} };
            drop(tokio::time::timeout(patience, gather).await);
            let begun = SystemClock.boot();
            while !calls.is_empty() {
                let mut entries = 0;
                let fit = calls.iter().take_while(|call| {
                    entries += call.entries.len();
                    entries <= ENTRIES
                });
                let fit = fit.count().max(1).min(calls.len());
                let batch: Vec<_> = calls.drain(..fit).collect();
                expected = batch.len();
                self.write(batch).await;
            }
            expected += queue.len();
            patience = (SystemClock.boot().since(begun) / 2).clamp(Duration::from_micros(500), PATIENCE);
        }
    }

    /// Writes a batch and answers its calls.
    async fn write(&mut self, batch: Vec<Call>) {
        let Some(core) = self.core.upgrade() else { return };
        let entries: Vec<_> = batch.iter().map(|call| call.entries.clone()).collect();
        let done = self.settle(&core, &entries).await;
        if done.is_err() {
            self.tip = None;
        }
        match done {
            Ok(placed) => {
                for (call, placed) in batch.into_iter().zip(placed) {
                    let answer = match placed {
                        Ok(entries) => Ok(Appended::Done(entries)),
                        Err(scope) => newest(&core, &scope).await.map(|newest| Appended::Conflict { newest }),
                    };
                    drop(call.answer.send(answer));
                }
            }
            Err(fault) => batch.into_iter().for_each(|call| drop(call.answer.send(Err(fault.clone())))),
        }
    }

    /// Computes the batch for the head that is known, again and again until it is written.
    async fn settle(&mut self, core: &Core, calls: &[Vec<NewEntry>]) -> Result<Vec<Result<Vec<Entry>, Scope>>, Fault> {
        // Whether a lift stands on its scope's newest cannot be told without asking.
        let lifts = calls.iter().flatten().any(|entry| matches!(entry.act, Act::Lift { .. }));
        let mut states = HashMap::new();
        let mut known = self.tip.take().filter(|_| !lifts);
        for attempt in 0..ATTEMPTS {
            let (Some(tip), Some(at)) = (known, core.given().or_else(|| self.estimate.soon())) else {
                known = Some(self.look(core, calls, &mut states).await?);
                continue;
            };
            let placed = place(calls, tip, at, &states)?;
            if placed.entries == 0 {
                self.tip = Some(tip);
                return Ok(placed.calls);
            }
            let asked = SystemClock.boot().as_millis();
            let args = self.args(core, tip, attempt, at, &placed);
            let (now, mut rest) = core.written(&core.scripts.append, vec![core.keys.turn()], args).await?;
            self.estimate.learn(asked, now.head.now);
            if rest.len() == 0 {
                self.estimate.more = Duration::ZERO;
                self.tip = Some(Tip {
                    head: Head { seq: placed.seq, tag: placed.tag, ..now.head },
                    at: at.max(tip.at),
                    ..now
                });
                return Ok(placed.calls);
            }
            let late = now.head.now > at;
            if late {
                self.estimate.more = (self.estimate.more * 2 + AHEAD).min(Duration::from_secs(2));
            } else if (now.head.seq, now.head.incarnation) == (tip.head.seq, tip.head.incarnation) {
                // The head is as it was: another node has its turn, or a scope's state was not known.
                tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(5)))).await;
            }
            // Every entry was sent, so the answer has the state of every scope; where a lift was left out, it has not.
            known = if lifts { None } else { Some(now) };
            if !lifts {
                read_states(calls, &mut rest.list()?, &mut states)?;
            }
        }
        Err(Fault::unavailable("other nodes' writes came first every time; nothing was written"))
    }

    fn args(&self, core: &Core, tip: Tip, attempt: u32, at: Timestamp, placed: &Placed) -> Vec<Vec<u8>> {
        let mut args = vec![
            self.writer.clone(),
            digits(u64::from(attempt)),
            tip.head.incarnation.as_bytes().to_vec(),
            digits(tip.head.seq.get()),
            digits(tip.revision),
            digits(at.max(tip.at).as_millis()),
            core.keys.channel().into_bytes(),
            digits(placed.entries),
        ];
        args.extend_from_slice(&placed.args);
        args
    }

    /// Reads the head and the states of all scopes of the calls.
    async fn look(
        &mut self,
        core: &Core,
        calls: &[Vec<NewEntry>],
        states: &mut HashMap<Scope, State>,
    ) -> Result<Tip, Fault> {
        let fields = calls.iter().flatten().map(|entry| keys::field(&entry.scope)).collect();
        let asked = SystemClock.boot().as_millis();
        let (tip, mut rest) = core.headed(&core.scripts.cover, Vec::new(), fields).await?;
        self.estimate.learn(asked, tip.head.now);
        read_states(calls, &mut rest.list()?, states)?;
        Ok(tip)
    }
}

/// Reads one state for each entry of the calls.
fn read_states(calls: &[Vec<NewEntry>], found: &mut Reply, states: &mut HashMap<Scope, State>) -> Result<(), Fault> {
    states.clear();
    for entry in calls.iter().flatten() {
        if let Some(state) = found.bytes_or_none()? {
            states.insert(entry.scope.clone(), State::parse(&state)?);
        }
    }
    Ok(())
}

/// What the calls of a batch become on one head.
struct Placed {
    /// For each call its entries, or the scope of the first lift that does not fit.
    calls: Vec<Result<Vec<Entry>, Scope>>,
    /// For each entry that is to be written, what the script takes.
    args: Vec<Vec<u8>>,
    entries: u64,
    /// The head after them.
    seq: Seq,
    tag: ChainTag,
}

/// Gives the entries their positions behind `tip`. A call whose lift does not fit uses none up.
fn place(calls: &[Vec<NewEntry>], tip: Tip, now: Timestamp, states: &HashMap<Scope, State>) -> Result<Placed, Fault> {
    let mut placed = Placed {
        calls: Vec::with_capacity(calls.len()),
        args: Vec::new(),
        entries: 0,
        seq: tip.head.seq,
        tag: tip.head.tag,
    };
    let mut newest: HashMap<Scope, State> = HashMap::new();
    for call in calls {
        let (mut seq, mut tag) = (placed.seq, placed.tag);
        let (mut entries, mut args) = (Vec::with_capacity(call.len()), Vec::new());
        let mut here: HashMap<Scope, State> = HashMap::new();
        let mut unfit = None;
        for new in call {
            seq = seq.next();
            if seq > Seq::MAX {
                return Err(Fault::new(StoreErrorKind::Full, "the log has no positions left"));
            }
            let before = here.get(&new.scope).or_else(|| newest.get(&new.scope));
            let stored = states.get(&new.scope);
            let state = before.or(stored);
            if let Act::Lift { of } = new.act
                && state.is_none_or(|state| state.act != Act::CutOff || state.seq != of)
            {
                unfit = Some(new.scope.clone());
                break;
            }
            let mut entry = Entry::new(seq, now, tip.at, new.clone());
            let superseded = state.map_or(Timestamp::EPOCH, |state| state.until);
            entry.remember_until = storable(entry.remember_until.max(superseded));
            tag = tag.next(&entry);
            let expected = match before {
                Some(_) => "-".to_owned(),
                None => stored.map_or_else(String::new, State::text),
            };
            args.extend(arguments(&entry, expected, tag));
            here.insert(entry.scope.clone(), State::of(&entry));
            entries.push(entry);
        }
        if let Some(scope) = unfit {
            placed.calls.push(Err(scope));
            continue;
        }
        placed.entries += entries.len() as u64;
        (placed.seq, placed.tag) = (seq, tag);
        placed.args.extend(args);
        placed.calls.push(Ok(entries));
        newest.extend(here);
    }
    Ok(placed)
}

/// What the script takes for an entry, in its order.
fn arguments(entry: &Entry, expected: String, tag: ChainTag) -> [Vec<u8>; 9] {
    let lifted = match entry.act {
        Act::CutOff => Vec::new(),
        Act::Lift { of } => digits(of.get()),
    };
    [
        keys::field(&entry.scope),
        expected.into_bytes(),
        digits(entry.seq.get()),
        lifted,
        digits(entry.remember_until.as_millis()),
        entry.scope.to_string().into_bytes(),
        entry.reason.as_str().as_bytes().to_vec(),
        entry.actor.as_str().as_bytes().to_vec(),
        tag.as_bytes().to_vec(),
    ]
}

/// The newest entry of a scope, as it is stored now.
async fn newest(core: &Core, scope: &Scope) -> Result<Option<Entry>, Fault> {
    let (_, mut rest) = core.headed(&core.scripts.newest, Vec::new(), vec![keys::field(scope)]).await?;
    if rest.len() == 0 {
        return Ok(None);
    }
    let mut found = rest.list()?;
    if found.len() == 0 {
        return Err(Fault::corrupt(format!("the newest entry of {scope} is missing in the log")));
    }
    entry::parse(found.list()?).map(|(entry, _)| Some(entry))
}
