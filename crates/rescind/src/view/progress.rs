//! How far following the log has come, for those who wait for it: a revocation for its entry, a strict check for a
//! round, an operator for numbers. Owns waiting and waking; reads no log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::proof::Proof;
use super::tail::Tail;
use crate::log::Entry;
use crate::position::{Incarnation, Seq};
use crate::signal::{Signal, Waiter};
use crate::store::Store;

/// What the feed has come to; shared with those who wait for it.
#[derive(Debug)]
pub(crate) struct Progress {
    nudge: Notify,
    /// Rounds that have begun.
    begun: AtomicU64,
    /// The newest position that any answer of the store told of.
    seen: AtomicU64,
    done: Signal<Done>,
    /// What is damaged, where, and how to repair it, once that was found.
    damage: Signal<Option<String>>,
    /// The history that everything which this node knew is part of.
    joined: Signal<Option<Incarnation>>,
    /// When this node last wrote durably.
    pub(crate) proof: Proof,
    /// The newest entries that were read, for whoever has to know that one is among them.
    tail: Mutex<Tail>,
    /// Entries that were appended again to a store that had lost them.
    pub(crate) appended_again: AtomicU64,
    /// How often a lost or forked history was healed.
    pub(crate) healed: AtomicU64,
    /// The loss that this node is in was told of.
    alarmed: AtomicBool,
    /// How often the wall clock stepped.
    pub(crate) steps: AtomicU64,
    /// Rounds that failed.
    pub(crate) failed: AtomicU64,
}

/// How far the rounds have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Done {
    /// The last round that was completed.
    pub(crate) round: u64,
    /// The last round that ended, completed or not.
    pub(crate) ended: u64,
    /// The newest position in the view.
    pub(crate) applied: Seq,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            nudge: Notify::new(),
            begun: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            done: Signal::new(Done::default()),
            damage: Signal::new(None),
            joined: Signal::new(None),
            proof: Proof::default(),
            tail: Mutex::new(Tail::empty()),
            appended_again: AtomicU64::new(0),
            healed: AtomicU64::new(0),
            alarmed: AtomicBool::new(false),
            steps: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// How far the rounds have come.
    pub(crate) fn done(&self) -> Done {
        self.done.read()
    }

    /// The store told of a position: from now on it lost history where its head is lower.
    pub(crate) fn saw(&self, seq: Seq) {
        self.seen.fetch_max(seq.get(), Ordering::AcqRel);
    }

    /// The newest position that the store told of beside the feed.
    pub(crate) fn seen(&self) -> Seq {
        Seq::new(self.seen.load(Ordering::Acquire))
    }

    /// Tells when a round has ended. Asks for none.
    pub(crate) fn watch(&self) -> Waiter<Done> {
        self.done.waiter()
    }

    /// Rounds that have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Waits until the view has taken in the entry at `seq`. Never returns while the store is down.
    pub(crate) async fn applied(&self, seq: Seq) {
        self.wait(|done| done.applied >= seq).await;
    }

    /// Waits until the view has taken in something above `seq`. Hurries nobody, and may wait for long.
    pub(crate) async fn grown(&self, seq: Seq) {
        self.done.waiter().until(|done| done.applied > seq).await;
    }

    /// Waits for a round that began after this call: the view is then complete as of the call.
    pub(crate) async fn round(&self) {
        let begun = self.begun.load(Ordering::Acquire);
        self.wait(|done| done.round > begun).await;
    }

    /// Whether the last round that ended was completed: the store then had the history that this node knows.
    pub(crate) fn in_touch(&self) -> bool {
        let done = self.done();
        done.round == done.ended
    }

    /// Waits for the end of a round that began after this call, and says whether it was completed.
    pub(crate) async fn attempt(&self) -> bool {
        let begun = self.begun.load(Ordering::Acquire);
        self.wait(|done| done.ended > begun).await;
        self.in_touch()
    }

    /// Waits until the store is found to be damaged, and says what is, where, and how to repair it.
    pub(crate) async fn damage(&self) -> String {
        self.damage.waiter().until(Option::is_some).await.unwrap_or_default()
    }

    /// Whether the entry that was read at this one's position is this one; `None` where that cannot be told any more.
    pub(crate) fn has_read(&self, entry: &Entry) -> Option<bool> {
        self.tail().entry(entry.seq).map(|read| read == entry)
    }

    /// The newest entries that were read.
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        // Nothing in it can panic half way.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The history that this node follows and to which it has added what only it knew; `None` before the first.
    pub(crate) fn joined(&self) -> Option<Incarnation> {
        self.joined.read()
    }

    /// Tells when it has joined another one. Its record in the store should name it at once: others wait for that after a
    /// loss.
    pub(crate) fn watch_joined(&self) -> Waiter<Option<Incarnation>> {
        self.joined.waiter()
    }

    /// This node has added what it knew to a history.
    pub(super) fn join(&self, incarnation: Incarnation) {
        self.joined.change_if(|joined| joined.replace(incarnation) != Some(incarnation));
    }

    /// A round begins.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
    }

    /// The round was completed: the view has everything up to `applied`.
    pub(super) fn complete(&self, applied: Seq) {
        let round = self.begun.load(Ordering::Acquire);
        self.done.set(Done { round, ended: round, applied });
        self.alarmed.store(false, Ordering::Relaxed);
    }

    /// Whether nobody has been told yet of the loss that this node is in; from now on somebody has.
    pub(super) fn is_news(&self) -> bool {
        !self.alarmed.swap(true, Ordering::Relaxed)
    }

    /// The round failed.
    pub(super) fn fail(&self) {
        self.done.change(|done| done.ended = self.begun.load(Ordering::Acquire));
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// The round ended well, but others are waited for: nothing may be answered yet.
    pub(super) fn hold(&self) {
        self.done.change(|done| done.ended = self.begun.load(Ordering::Acquire));
    }

    /// The store is damaged.
    pub(super) fn damaged(&self, how: String) {
        self.damage.set(Some(how));
    }

    /// Waits for a nudge or the store's call, at most until the next round is due.
    pub(super) async fn due(&self, poll: Duration, store: &dyn Store) {
        tokio::select! {
            // In their order and not at random, so that a simulated life follows from its seed.
            biased;
            () = self.nudge.notified() => {}
            () = store.woken() => {}
            () = sleep(poll) => {}
        }
    }

    async fn wait(&self, reached: impl Fn(&Done) -> bool) {
        let mut done = self.done.waiter();
        while !reached(&done.read()) {
            self.nudge.notify_one();
            done.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use super::*;
    use crate::log::{ChainTag, NewEntry, Scope};
    use crate::testing::{cut_off, subject};

    /// What has come of it so far.
    async fn so_far<T>(waiting: impl Future<Output = T>) -> Option<T> {
        let mut waiting = pin!(waiting);
        std::future::poll_fn(|context| match waiting.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn only_a_round_that_began_after_the_call_answers_it() {
        let progress = Progress::new();
        progress.begin();
        let (mut round, mut attempt) = (pin!(progress.round()), pin!(progress.attempt()));
        assert_eq!((so_far(round.as_mut()).await, so_far(attempt.as_mut()).await), (None, None));
        progress.complete(Seq::ZERO);
        assert_eq!((so_far(round.as_mut()).await, so_far(attempt.as_mut()).await), (None, None));
        progress.begin();
        progress.fail();
        assert_eq!((so_far(round.as_mut()).await, so_far(attempt).await), (None, Some(false)));
        let mut attempt = pin!(progress.attempt());
        assert_eq!(so_far(attempt.as_mut()).await, None);
        progress.begin();
        progress.hold();
        assert_eq!(so_far(attempt).await, Some(false), "it ended, and others are waited for");
        assert_eq!(so_far(round.as_mut()).await, None);
        progress.begin();
        let mut attempt = pin!(progress.attempt());
        assert_eq!(so_far(attempt.as_mut()).await, None);
        progress.complete(Seq::ZERO);
        assert_eq!(so_far(round).await, Some(()));
        progress.begin();
        progress.complete(Seq::ZERO);
        assert_eq!(so_far(attempt).await, Some(true));
        assert_eq!((progress.begun(), progress.failed.load(Ordering::Relaxed)), (5, 1));
    }

    #[tokio::test]
    async fn what_waits_for_a_position_is_answered_at_it_and_what_waits_for_more_above_it() {
        let progress = Progress::new();
        let (mut at, mut above) = (pin!(progress.applied(Seq::new(5))), pin!(progress.grown(Seq::new(5))));
        for (applied, expected) in [(4, (None, None)), (5, (Some(()), None))] {
            progress.begin();
            progress.complete(Seq::new(applied));
            assert_eq!((so_far(at.as_mut()).await, so_far(above.as_mut()).await), expected, "{applied}");
        }
        progress.begin();
        progress.complete(Seq::new(6));
        assert_eq!(so_far(above).await, Some(()));
    }

    #[test]
    fn an_entry_that_was_read_is_known_from_another_one_in_its_place_and_from_one_that_was_not() {
        let progress = Progress::new();
        let entry = |seq, name| {
            let NewEntry { scope, act, reason, actor, remember_until } = cut_off(Scope::Subject(subject(name)));
            Entry { seq: Seq::new(seq), at: remember_until, scope, act, reason, actor, remember_until }
        };
        let tag = ChainTag::from_bytes([1; 16]);
        progress.tail().push(entry(1, "alice"), tag);
        let read = [(1, "alice"), (1, "bob"), (2, "alice")].map(|(seq, name)| progress.has_read(&entry(seq, name)));
        assert_eq!(read, [Some(true), Some(false), None]);
    }

    #[tokio::test]
    async fn whoever_watches_the_history_is_called_when_it_is_another_one() {
        let progress = Progress::new();
        let named = |n| Incarnation::from_bytes([n; 16]);
        let mut joined = progress.watch_joined();
        for (history, is_news) in [(1, true), (1, false), (2, true)] {
            progress.join(named(history));
            assert_eq!(so_far(joined.changed()).await.is_some(), is_news);
            assert_eq!(joined.read(), Some(named(history)));
        }
    }

    #[tokio::test]
    async fn the_highest_position_that_was_told_of_stays() {
        let progress = Progress::new();
        assert_eq!(progress.seen(), Seq::ZERO);
        for (told, seen) in [(5, 5), (9, 9), (7, 9)] {
            progress.saw(Seq::new(told));
            assert_eq!(progress.seen(), Seq::new(seen));
        }
    }
}
