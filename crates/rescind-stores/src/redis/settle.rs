//! Settling: what was appended becomes part of the log, and only then is anybody shown it. Owns the order: read what is
//! not settled, have it safe, compute its tags, which Redis cannot, and put it into the log where that still ends as it did.
//!
//! The tags follow from the log alone, so it does not matter which node settles: whoever comes second has nothing left to
//! do. One task per process settles for all who wait, round after round.

use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use rescind::log::Entry;
use rescind::position::{Incarnation, Seq};
use rescind::time::{BootTime, Clock, SystemClock};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, digits};
use super::entry;
use super::fault::Fault;
use super::keys;
use super::reply::Tip;

/// So many entries are settled at once: a script keeps everybody else waiting meanwhile.
const MOST: usize = 5_000;

/// So many may wait.
const QUEUE: usize = 4_000;

/// What is not settled for so long was left by a writer that has died, or could not be made safe at its time.
const LEFT: Duration = Duration::from_millis(500);

/// What is waited for.
pub(super) struct Target {
    pub(super) incarnation: Incarnation,
    pub(super) seq: Seq,
    /// What was placed there, where that is known.
    pub(super) entry: Option<Entry>,
}

impl Target {
    /// Everything that is taken at a moment.
    pub(super) const fn all_of(tip: &Tip) -> Self {
        Self { incarnation: tip.head.incarnation, seq: tip.last, entry: None }
    }
}

/// What came of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// This process has put the very entry into the log.
    AsPlaced,
    /// The position is settled, or there is no such position any more: the log has the entry, or has not.
    Perhaps,
}

struct Waiting {
    target: Target,
    done: oneshot::Sender<Result<Settled, Fault>>,
}

/// Where a log was found not to be settled, and since when.
struct Left {
    incarnation: Incarnation,
    settled: Seq,
    since: BootTime,
}

/// The way to the task that settles.
pub(super) struct Settler {
    queue: mpsc::Sender<Waiting>,
    left: Mutex<Option<Left>>,
}

impl Settler {
    pub(super) fn new(core: Weak<Core>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(serve(core, waiting));
        Self { queue, left: Mutex::new(None) }
    }

    /// Returns when the target's position is settled, or cannot be any more.
    pub(super) async fn settled(&self, target: Target) -> Result<Settled, Fault> {
        let (done, said) = oneshot::channel();
        let ended = || Fault::unavailable("the task that settles has ended; restart");
        self.queue.send(Waiting { target, done }).await.map_err(|_| ended())?;
        said.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Hears of every answer that a reader gets: what stays unsettled is settled by whoever sees that it does.
    pub(super) fn notice(&self, tip: &Tip) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if tip.is_settled() {
            *left = None;
            return;
        }
        let (incarnation, settled, now) = (tip.head.incarnation, tip.head.seq, SystemClock.boot());
        let same = left.as_ref().filter(|left| (left.incarnation, left.settled) == (incarnation, settled));
        match same {
            Some(left) if now.since(left.since) < LEFT => return,
            // Nobody waits for the answer; a full queue means that it is settled anyway.
            Some(_) => drop(self.queue.try_send(Waiting { target: Target::all_of(tip), done: oneshot::channel().0 })),
            None => {}
        }
        *left = Some(Left { incarnation, settled, since: now });
    }
}

/// What a round found and did.
struct Round {
    /// Where the log stood then.
    tip: Tip,
    /// What this process put into it.
    moved: Vec<Entry>,
}

impl Round {
    /// What it means for a target that was known when it began; `None` where that is to be settled yet.
    fn says(&self, target: &Target) -> Option<Settled> {
        let Tip { head, last, .. } = &self.tip;
        if head.incarnation == target.incarnation && head.seq < target.seq && target.seq <= *last {
            return None;
        }
        Some(self.moved(target).unwrap_or(Settled::Perhaps))
    }

    /// Whether it has put the target's very entry into the log; true of every target, whenever it came.
    fn moved(&self, target: &Target) -> Option<Settled> {
        let first = self.moved.first()?.seq;
        let place = usize::try_from(target.seq.get().checked_sub(first.get())?).ok()?;
        (self.moved.get(place)? == target.entry.as_ref()?).then_some(Settled::AsPlaced)
    }
}

async fn serve(core: Weak<Core>, mut queue: mpsc::Receiver<Waiting>) {
    let (mut new, mut last): (_, Option<Round>) = (Vec::new(), None);
    while queue.recv_many(&mut new, QUEUE).await > 0 {
        let mut waiting = Vec::new();
        loop {
            // A round that had read their entries before they asked has done what they wait for.
            let moved = |target: &Target| last.as_ref()?.moved(target);
            waiting.extend(tell(new.drain(..), moved));
            if waiting.is_empty() {
                break;
            }
            let Some(core) = core.upgrade() else { return };
            last = match round(&core).await {
                Ok(round) => {
                    waiting = tell(waiting.drain(..), |target| round.says(target));
                    Some(round)
                }
                Err(fault) => {
                    waiting.drain(..).for_each(|Waiting { done, .. }| drop(done.send(Err(fault.clone()))));
                    None
                }
            };
            // Who has come meanwhile goes with the next round.
            while let Ok(more) = queue.try_recv() {
                new.push(more);
            }
        }
    }
}

/// Answers those of whom something can be said; who goes on waiting.
fn tell(waiting: impl Iterator<Item = Waiting>, says: impl Fn(&Target) -> Option<Settled>) -> Vec<Waiting> {
    let mut rest = Vec::new();
    for Waiting { target, done } in waiting {
        match says(&target) {
            Some(settled) => drop(done.send(Ok(settled))),
            None => rest.push(Waiting { target, done }),
        }
    }
    rest
}

/// Settles what is there, up to [`MOST`].
async fn round(core: &Core) -> Result<Round, Fault> {
    let (_, number) = core.link.connection().await?;
    let (tip, mut rest) = core.headed(&core.scripts.unsettled, Vec::new(), vec![digits(MOST as u64)]).await?;
    let mut found = rest.list()?;
    if found.len() == 0 {
        return Ok(Round { tip, moved: Vec::new() });
    }
    // Begun after the read, so all that was read is safe then.
    core.flushed(number).await?;
    let (mut moved, mut tag, mut mark) = (Vec::with_capacity(found.len()), tip.head.tag, Vec::new());
    let mut pairs = Vec::with_capacity(found.len() * 2);
    while found.len() > 0 {
        let (entry, marked) = entry::parse_unsettled(found.list()?)?;
        tag = tag.next(&entry);
        pairs.extend([tag.as_bytes().to_vec(), keys::field(&entry.scope)]);
        mark = marked;
        moved.push(entry);
    }
    let head = tip.head;
    let mut args =
        vec![head.incarnation.as_bytes().to_vec(), digits(head.seq.get()), mark, core.keys.channel().into_bytes()];
    args.extend(pairs);
    let answer = core.headed(&core.scripts.settle, Vec::new(), args).await;
    let (tip, mut rest) = core.noted(answer)?;
    if rest.number()? == 0 {
        moved.clear();
    }
    Ok(Round { tip, moved })
}

#[cfg(test)]
mod tests {
    use rescind::log::{ChainTag, Scope};
    use rescind::store::Head;
    use rescind::testing::{cut_off, jti};
    use rescind::time::Timestamp;

    use super::*;

    const HERE: Incarnation = Incarnation::from_bytes([1; 16]);

    fn entry(seq: u64, n: u64) -> Entry {
        Entry::new(Seq::new(seq), Timestamp::EPOCH, Timestamp::EPOCH, cut_off(Scope::token(jti(n))))
    }

    fn target(seq: u64, entry: Option<Entry>) -> Target {
        Target { incarnation: HERE, seq: Seq::new(seq), entry }
    }

    /// A round that has settled 4 and 5; another position is taken already.
    fn round() -> Round {
        let head = Head { incarnation: HERE, seq: Seq::new(5), tag: ChainTag::genesis(HERE), now: Timestamp::EPOCH };
        Round { tip: Tip { head, last: Seq::new(6), era: [0; 6] }, moved: vec![entry(4, 4), entry(5, 5)] }
    }

    #[test]
    fn only_the_very_entry_that_was_placed_is_known_to_be_in_the_log() {
        let round = round();
        assert_eq!(round.says(&target(5, Some(entry(5, 5)))), Some(Settled::AsPlaced));
        assert_eq!(round.says(&target(5, Some(entry(5, 6)))), Some(Settled::Perhaps), "another one's entry");
        assert_eq!(round.says(&target(3, Some(entry(3, 3)))), Some(Settled::Perhaps), "before this round");
        assert_eq!(round.says(&target(5, None)), Some(Settled::Perhaps));
    }

    #[test]
    fn what_is_placed_and_not_settled_goes_on_waiting_and_what_is_nowhere_does_not() {
        let round = round();
        assert_eq!(round.says(&target(6, Some(entry(6, 6)))), None);
        assert_eq!(round.says(&target(7, Some(entry(7, 7)))), Some(Settled::Perhaps), "no such position is taken");
        let other = Target { incarnation: Incarnation::from_bytes([2; 16]), ..target(6, None) };
        assert_eq!(round.says(&other), Some(Settled::Perhaps), "another history");
    }

    #[test]
    fn a_round_that_is_over_says_nothing_of_positions_that_were_taken_after_it() {
        assert_eq!(round().moved(&target(7, Some(entry(7, 7)))), None);
        assert_eq!(round().moved(&target(4, Some(entry(4, 4)))), Some(Settled::AsPlaced));
    }
}
