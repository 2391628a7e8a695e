//! Settling: what was appended becomes part of the log, and only then is anybody shown it. Owns the order: read what is
//! not settled, have it safe, compute its tags, which Redis cannot, and put it into the log where that still ends as it did.
//!
//! The tags follow from the log alone, so it does not matter which node settles: whoever comes second has nothing left to
//! do. One task per process settles for all who wait, round after round. So that not every node does all of it, who has
//! placed what comes first settles it, and goes on until nothing is left; the others are called, as readers are, or lose
//! patience.

use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use rescind::log::Entry;
use rescind::position::{Incarnation, Seq};
use rescind::store::{Head, StoreErrorKind};
use rescind::time::{BootTime, Clock, SystemClock};
use tokio::sync::{mpsc, oneshot};

use super::core::{Core, digits};
use super::entry;
use super::fault::Fault;
use super::keys;
use super::reply::{Tip, number};

/// So many entries are settled at once: a script keeps everybody else waiting meanwhile.
const MOST: usize = 5_000;

/// So many may wait.
const QUEUE: usize = 4_000;

/// So long is it left to others to settle what comes before one's own. Who does has died then, or is slow.
const FOLLOW: Duration = Duration::from_millis(10);

/// What is not settled for so long was left by a writer that has died, or could not be made safe at its time.
const LEFT: Duration = Duration::from_millis(500);

/// What lies between a settled head and a position behind it.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// The connection by which it is known.
    pub(super) number: u64,
    pub(super) settled: Head,
    pub(super) entries: Vec<Entry>,
    /// The mark of the last entry.
    pub(super) mark: Vec<u8>,
}

/// What is waited for.
pub(super) struct Target {
    pub(super) incarnation: Incarnation,
    pub(super) seq: Seq,
    /// What was placed there, where that is known.
    pub(super) entry: Option<Entry>,
    pub(super) place: Place,
}

/// How a target lies to the settled head.
#[derive(Debug)]
pub(super) enum Place {
    /// Right behind it, and this is all that lies between.
    First(Unsettled),
    /// Others' entries come first, and whoever placed them settles them.
    Behind,
    /// Not known: it is to be settled now.
    Somewhere,
}

impl Target {
    /// Everything that is taken at a moment.
    pub(super) const fn all_of(tip: &Tip) -> Self {
        Self { incarnation: tip.head.incarnation, seq: tip.last, entry: None, place: Place::Somewhere }
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

/// What the task is told.
enum Message {
    Wait(Box<Waiting>),
    /// Somebody has settled this history up to there.
    Heard(Incarnation, Seq),
}

/// Where a log was found not to be settled, and since when.
struct Left {
    incarnation: Incarnation,
    settled: Seq,
    since: BootTime,
}

/// The way to the task that settles.
pub(super) struct Settler {
    queue: mpsc::Sender<Message>,
    left: Mutex<Option<Left>>,
}

impl Settler {
    pub(super) fn new(core: Weak<Core>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let work = Work { core, queue: waiting, waiting: Vec::new(), heard: None, last: None };
        tokio::spawn(work.serve());
        Self { queue, left: Mutex::new(None) }
    }

    /// Returns when the target's position is settled, or cannot be any more.
    pub(super) async fn settled(&self, target: Target) -> Result<Settled, Fault> {
        let (done, said) = oneshot::channel();
        let ended = || Fault::new(StoreErrorKind::Broken, "the task that settles has ended; restart");
        self.queue.send(Message::Wait(Box::new(Waiting { target, done }))).await.map_err(|_| ended())?;
        said.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Hears that somebody has settled something: how far, behind the name of the history, as `settle.lua` calls it.
    pub(super) fn hear(&self, call: &[u8]) {
        let Some((incarnation, seq)) = call.split_first_chunk::<16>() else { return };
        if let Some(seq) = number(seq) {
            drop(self.queue.try_send(Message::Heard(Incarnation::from_bytes(*incarnation), Seq::new(seq))));
        }
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
            Some(_) => {
                let waiting = Waiting { target: Target::all_of(tip), done: oneshot::channel().0 };
                drop(self.queue.try_send(Message::Wait(Box::new(waiting))));
            }
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

    /// Whether it was this process that settled, and others have something left that they leave to it.
    fn leads(&self) -> bool {
        !self.moved.is_empty() && !self.tip.is_settled()
    }

    /// Whether it has put the target's very entry into the log; true of every target, whenever it came.
    fn moved(&self, target: &Target) -> Option<Settled> {
        if self.tip.head.incarnation != target.incarnation {
            return None;
        }
        let first = self.moved.first()?.seq;
        let place = usize::try_from(target.seq.get().checked_sub(first.get())?).ok()?;
        (self.moved.get(place)? == target.entry.as_ref()?).then_some(Settled::AsPlaced)
    }
}

struct Work {
    core: Weak<Core>,
    queue: mpsc::Receiver<Message>,
    waiting: Vec<Waiting>,
    /// What was heard last.
    heard: Option<(Incarnation, Seq)>,
    last: Option<Round>,
}

impl Work {
    async fn serve(mut self) {
        while let Some(message) = self.queue.recv().await {
            self.take(message);
            loop {
                // Who has come during a round goes with the next one.
                while let Ok(message) = self.queue.try_recv() {
                    self.take(message);
                }
                let leads = self.last.as_ref().is_some_and(Round::leads);
                if !leads {
                    drop(tokio::time::timeout(FOLLOW, self.follow()).await);
                }
                if self.waiting.is_empty() && !leads {
                    break;
                }
                let Some(core) = self.core.upgrade() else { return };
                self.settle(&core).await;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Heard(incarnation, seq) => self.heard = Some((incarnation, seq)),
            // A round that had read an entry before it was asked for has done what is asked.
            Message::Wait(waiting) => {
                let moved = |target: &Target| self.last.as_ref()?.moved(target);
                self.waiting.extend(tell(std::iter::once(*waiting), moved));
            }
        }
    }

    /// Leaves it to others as long as all who wait are behind others' entries.
    async fn follow(&mut self) {
        loop {
            if let Some((incarnation, seq)) = self.heard {
                let settled = |target: &Target| {
                    let settled = matches!(target.place, Place::Behind) && target.incarnation == incarnation;
                    (settled && target.seq <= seq).then_some(Settled::Perhaps)
                };
                self.waiting = tell(self.waiting.drain(..), settled);
            }
            let follows = self.waiting.iter().all(|waiting| matches!(waiting.target.place, Place::Behind));
            if self.waiting.is_empty() || !follows {
                return;
            }
            let Some(message) = self.queue.recv().await else { return };
            self.take(message);
        }
    }

    async fn settle(&mut self, core: &Core) {
        // A batch that stands alone need not be read to be settled.
        let known = match self.waiting.as_mut_slice() {
            [Waiting { target, .. }] => match std::mem::replace(&mut target.place, Place::Somewhere) {
                Place::First(known) => Some(known),
                Place::Behind | Place::Somewhere => None,
            },
            _ => None,
        };
        self.last = match round(core, known).await {
            Ok(round) => {
                self.waiting = tell(self.waiting.drain(..), |target| round.says(target));
                Some(round)
            }
            Err(fault) => {
                self.waiting.drain(..).for_each(|Waiting { done, .. }| drop(done.send(Err(fault.clone()))));
                None
            }
        };
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

/// Settles what is there: up to [`MOST`], or what is known.
async fn round(core: &Core, known: Option<Unsettled>) -> Result<Round, Fault> {
    let Unsettled { number, settled, entries, mark } = match known {
        Some(known) => known,
        None => match read(core).await? {
            (_, Some(found)) => found,
            (tip, None) => return Ok(Round { tip, moved: Vec::new() }),
        },
    };
    // Begun after they were seen, so all of them are safe then.
    core.flushed(number).await?;
    let mut args = vec![
        settled.incarnation.as_bytes().to_vec(),
        digits(settled.seq.get()),
        mark,
        core.keys.channel().into_bytes(),
    ];
    let mut tag = settled.tag;
    for entry in &entries {
        tag = tag.next(entry);
        args.extend([tag.as_bytes().to_vec(), keys::field(&entry.scope)]);
    }
    let answer = core.headed(&core.scripts.settle, Vec::new(), args).await;
    let (tip, mut rest) = core.noted(answer)?;
    let moved = if rest.number()? == 1 { entries } else { Vec::new() };
    // Another instance may have taken over since: what is safe there was not asked.
    if core.link.number() != number && !moved.is_empty() {
        return Err(Fault::unavailable(
            "the connection changed while it was settled: whether the write is safe is unknown",
        ));
    }
    Ok(Round { tip, moved })
}

/// Reads what is not settled.
async fn read(core: &Core) -> Result<(Tip, Option<Unsettled>), Fault> {
    let (_, number) = core.link.connection().await?;
    let (tip, mut rest) = core.headed(&core.scripts.unsettled, Vec::new(), vec![digits(MOST as u64)]).await?;
    let mut found = rest.list()?;
    let (mut entries, mut mark) = (Vec::with_capacity(found.len()), Vec::new());
    while found.len() > 0 {
        let (entry, marked) = entry::parse_unsettled(found.list()?)?;
        entries.push(entry);
        mark = marked;
    }
    let found = (!entries.is_empty()).then_some(Unsettled { number, settled: tip.head, entries, mark });
    Ok((tip, found))
}

#[cfg(test)]
mod tests {
    use rescind::log::{ChainTag, Scope};
    use rescind::testing::{cut_off, jti};
    use rescind::time::Timestamp;

    use super::*;

    const HERE: Incarnation = Incarnation::from_bytes([1; 16]);

    fn entry(seq: u64, n: u64) -> Entry {
        Entry::new(Seq::new(seq), Timestamp::EPOCH, Timestamp::EPOCH, cut_off(Scope::token(jti(n))))
    }

    fn target(seq: u64, entry: Option<Entry>) -> Target {
        Target { incarnation: HERE, seq: Seq::new(seq), entry, place: Place::Somewhere }
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
