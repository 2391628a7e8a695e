//! Appending: one owner task gathers the calls that wait, and one script places all their entries, whatever other nodes
//! append meanwhile. Owns the batches, and when a call is answered: once its entries are settled, and not before.
//!
//! While a batch is being settled, the next one is placed: what waits then is settled together.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rescind::log::{Act, Entry, NewEntry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Appended, StoreErrorKind};
use rescind::time::{Clock, SystemClock, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, digits};
use super::fault::Fault;
use super::log;
use super::reply::Reply;
use super::row::storable;
use super::settle::{Place, Settled, Target, Unsettled};
use super::{keys, reply};

/// At most so many calls share one script.
const BATCH: usize = 1_000;
/// And at most so many entries, but for a single call that has more.
const ENTRIES: usize = 5_000;
/// A batch waits for its writers at most this long.
const PATIENCE: Duration = Duration::from_millis(2);

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
    pub(super) fn new(core: &Arc<Core>) -> Self {
        let (queue, calls) = mpsc::channel(BATCH);
        tokio::spawn(serve(Arc::downgrade(core), calls));
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

async fn serve(core: Weak<Core>, mut queue: mpsc::Receiver<Call>) {
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
            let Some(core) = core.upgrade() else { return };
            match place(&core, &batch).await {
                Ok(placed) => drop(tokio::spawn(finish(core, batch, placed))),
                Err(fault) => {
                    core.doubt();
                    for call in batch {
                        drop(call.answer.send(Err(fault.clone())));
                    }
                }
            }
        }
        expected += queue.len();
        patience = (SystemClock.boot().since(begun) / 2).clamp(Duration::from_micros(500), PATIENCE);
    }
}

/// Where the calls of a batch were placed.
struct Placed {
    /// For each call its entries, or the scope of the first lift that does not fit.
    calls: Vec<Result<Vec<Entry>, Scope>>,
    incarnation: Incarnation,
    /// The last position that was taken after them.
    last: Seq,
    place: Place,
}

/// Has the script place a batch behind the last position that is taken.
async fn place(core: &Core, batch: &[Call]) -> Result<Placed, Fault> {
    let mark = core.mark()?;
    let mut args = vec![mark.clone(), digits(batch.len() as u64)];
    for Call { entries, .. } in batch {
        args.push(digits(entries.len() as u64));
        args.extend(entries.iter().flat_map(arguments));
    }
    let (_, number) = core.link.connection().await?;
    let answer = core.headed(&core.scripts.append, Vec::new(), args).await;
    let (tip, mut rest) = core.noted(answer)?;
    let at = Timestamp::from_millis(rest.number()?);
    let mut answers = rest.list()?;
    let calls = batch.iter().map(|call| placed(&call.entries, at, &mut answers.list()?));
    let calls = calls.collect::<Result<Vec<_>, Fault>>()?;
    let entries: Vec<Entry> = calls.iter().flatten().flatten().cloned().collect();
    let place = match entries.first() {
        Some(first) if first.seq == tip.head.seq.next() => {
            Place::First(Unsettled { number, settled: tip.head, entries, mark })
        }
        Some(_) => Place::Behind,
        None => Place::Somewhere,
    };
    Ok(Placed { calls, incarnation: tip.head.incarnation, last: tip.last, place })
}

/// What the script takes for an entry, in its order.
fn arguments(new: &NewEntry) -> [Vec<u8>; 6] {
    let lifted = match new.act {
        Act::CutOff => Vec::new(),
        Act::Lift { of } => digits(of.get()),
    };
    [
        keys::field(&new.scope),
        lifted,
        digits(storable(new.remember_until).as_millis()),
        new.scope.to_string().into_bytes(),
        new.reason.as_str().as_bytes().to_vec(),
        new.actor.as_str().as_bytes().to_vec(),
    ]
}

/// Reads what became of a call.
fn placed(call: &[NewEntry], at: Timestamp, answer: &mut Reply) -> Result<Result<Vec<Entry>, Scope>, Fault> {
    let mut seq = Seq::new(answer.number()?);
    if seq == Seq::ZERO {
        let unfit = answer.count()?;
        let unfit = call.get(unfit).ok_or_else(|| reply::odd("a lift of the call"))?;
        return Ok(Err(unfit.scope.clone()));
    }
    let mut ends = answer.list()?;
    let mut entries = Vec::with_capacity(call.len());
    for NewEntry { scope, act, reason, actor, .. } in call.iter().cloned() {
        let remember_until = Timestamp::from_millis(ends.number()?);
        entries.push(Entry { seq, at, scope, act, reason, actor, remember_until });
        seq = seq.next();
    }
    Ok(Ok(entries))
}

/// Answers the calls of a batch when its last position is settled.
async fn finish(core: Arc<Core>, batch: Vec<Call>, placed: Placed) {
    let Placed { calls, incarnation, last, place } = placed;
    let entry = calls.iter().rev().find_map(|call| call.as_ref().ok()?.last().cloned());
    let settled = settled(&core, Target { incarnation, seq: last, entry, place }).await;
    if settled.is_err() {
        core.doubt();
    }
    for (call, placed) in batch.into_iter().zip(calls) {
        let answer = match (&settled, placed) {
            (Err(fault), _) => Err(fault.clone()),
            (Ok(()), Ok(entries)) => Ok(Appended::Done(entries)),
            // What the lift did not fit is settled by now, too.
            (Ok(()), Err(scope)) => log::newest(&core, &scope).await.map(|newest| Appended::Conflict { newest }),
        };
        drop(call.answer.send(answer));
    }
}

/// Returns when everything up to the batch's last position is settled, its own entries as they were placed.
async fn settled(core: &Core, target: Target) -> Result<(), Fault> {
    let Target { incarnation, seq, entry, place } = target;
    // What was heard may be of an instance that is gone: then once more, and not by hearsay.
    for place in [place, Place::Somewhere] {
        let target = Target { incarnation, seq, entry: entry.clone(), place };
        let settled = core.settler.settled(target).await?;
        let Some(entry) = entry.as_ref().filter(|_| settled == Settled::Perhaps) else { return Ok(()) };
        // Another node was first, or the history has changed; or an instance took over that never had these entries and gave
        // their positions to others. The log says which.
        let (_, number) = core.link.connection().await?;
        if log::entry(core, entry.seq).await?.as_ref() == Some(entry) {
            // Who settled it may ask less of what is safe than this process does.
            return core.flushed(number).await;
        }
    }
    Err(Fault::unavailable("the entry is not where it was placed: whether it is kept is unknown"))
}
