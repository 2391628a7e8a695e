//! Follows a store's log into the view. Owns the rounds of the feed, when the next one begins, and the mark up to which
//! the view is complete. Knows no token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::claim::{Held, Seen};
use super::contact::{Contact, PROBATION, patient, with_keys};
use super::failure::{DamagedLog, FollowError};
use super::freshness::{CLOCK_MARGIN, KEPT_LONGER, LOADED_LONGER};
use super::heal::{Fit, HealError, OnLoss, Renew, fit, stands_for_all};
use super::healing::Healing;
use super::peers::Peers;
use super::progress::Progress;
use super::recover::Unsettled;
use super::retention::Retention;
use super::{Now, View};
use crate::high_water::{HighWater, HighWaterFile};
use crate::log::{ChainTag, Entry, ScopeKind};
use crate::position::{Incarnation, Seq};
use crate::random::Random;
use crate::store::{Batch, Feed, Head, Snapshot, Store, StoreError, StoreErrorKind};
use crate::time::{BootTime, Clock, Timestamp};

/// At most this many entries are read at once.
const BATCH: usize = 4096;
/// A store that takes longer counts as unreachable for this round; a shared one already when the view would be stale,
/// for then the link may be half open.
const PATIENCE: Duration = Duration::from_secs(5);
/// A snapshot of a large log may take longer.
const SNAPSHOT_PATIENCE: Duration = Duration::from_mins(2);
/// How often a store is healed before somebody else's healing counts as a fight.
pub(super) const HEALINGS: usize = 8;

/// Between two rounds that may not be answered from yet.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Reads the log of one store into one view.
pub(crate) struct Follower {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) view: Arc<View>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) renew: Arc<dyn Renew>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) high_water: Option<HighWaterFile>,
    /// For how long cut-offs matter, as any node on the store says.
    pub(crate) kept: Arc<Retention>,
    /// By right clocks, cut-offs older than this cannot matter to an access token.
    pub(crate) retention: Duration,
    /// Without a nudge, a round begins this often.
    pub(crate) poll: Duration,
    pub(super) on_loss: OnLoss,
    pub(super) known: Option<HighWater>,
    /// What the file says.
    persisted: Option<HighWater>,
    /// Others are waited for before anything is answered.
    pub(super) unsettled: Option<Unsettled>,
    pub(super) contact: Contact,
    /// When the last round that did not fail began.
    ended_well: Option<BootTime>,
    /// A healing that is written down but has not come about yet.
    pub(super) prepared: Option<(Incarnation, Healing)>,
    /// Another node's claim to cut everything off.
    pub(super) claimed: Option<Seen>,
    pub(super) held: Option<Held>,
    /// What the store took between a loss and the healing by this node.
    pub(super) forked: Vec<Entry>,
    /// By how much the wall clock was seen to step in all: entries may bear a time that is as wrong.
    stepped: Duration,
    /// The view has to be loaded again though the log fits.
    reload: bool,
}

impl Follower {
    #[expect(clippy::too_many_arguments, reason = "wiring, called in one place")]
    pub(crate) fn new(
        store: Arc<dyn Store>,
        view: Arc<View>,
        progress: Arc<Progress>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        (renew, peers): (Arc<dyn Renew>, Arc<dyn Peers>),
        high_water: Option<(HighWaterFile, Option<HighWater>)>,
        kept: Arc<Retention>,
        poll: Duration,
    ) -> Self {
        let (high_water, known) = high_water.map_or((None, None), |(file, known)| (Some(file), known));
        if let Some(HighWater { seq, tag, .. }) = known {
            progress.tail().reset(seq, tag);
        }
        let on_loss = OnLoss::of(&*store);
        Self {
            store,
            view,
            progress,
            clock,
            random,
            renew,
            peers,
            high_water,
            retention: kept.access(),
            kept,
            poll,
            on_loss,
            known,
            persisted: known,
            unsettled: None,
            contact: Contact::Steady,
            ended_well: None,
            prepared: None,
            claimed: None,
            held: None,
            forked: Vec::new(),
            stepped: Duration::ZERO,
            reload: false,
        }
    }

    /// The store is a copy in which nothing can be written: whoever has the log heals it.
    pub(crate) fn waits_for_healing(&mut self) {
        self.on_loss = OnLoss::Waits;
    }

    /// Follows until the runtime ends. A failed round is tried again soon, and then less and less soon; meanwhile the view
    /// ages.
    pub(crate) async fn run(mut self) {
        let progress = Arc::clone(&self.progress);
        // Whether it was said that the log cannot be followed, and not yet that it is followed again.
        let mut is_away = false;
        loop {
            progress.due(self.poll, &*self.store).await;
            match self.round().await {
                // Others are waited for, who need some time: whoever waits here asks again at once.
                Ok(()) if !progress.in_touch() => sleep(PAUSE).await,
                Ok(()) if is_away => {
                    is_away = false;
                    tracing::info!(applied = %progress.done().applied, "the log is followed again");
                }
                Ok(()) => {}
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, "ALARM: the store is damaged; nothing more is read from it");
                    progress.damaged(error.to_string());
                    return;
                }
                Err(error) => {
                    progress.fail();
                    if let Some(unsettled) = &mut self.unsettled {
                        unsettled.wait_anew(self.clock.boot());
                    }
                    if !is_away {
                        is_away = true;
                        tracing::warn!(%error, "the log cannot be followed; checks go on until the view is stale");
                    }
                    // Whoever waits asks again at once; a store that is down is not asked more often for it.
                    sleep(self.contact.failed(&*self.random)).await;
                }
            }
        }
    }

    /// One round: everything that the log has is in the view afterwards.
    pub(super) async fn round(&mut self) -> Result<(), FollowError> {
        self.progress.begin();
        let mut began = Now::read(&*self.clock);
        if self.view.mark().stepped(began) {
            // Between the readings of the two clocks this thread may have been put aside: read them once more.
            began = Now::read(&*self.clock);
        }
        if self.view.mark().stepped(began) {
            self.note_step(began);
        }
        self.keep_longer();
        if self.stood_still(began.boot) {
            // The store answers first, and then those have time who know what it may have lost.
            patient(self.patience(), "health", self.store.health()).await?;
            sleep(PROBATION).await;
            self.is_told_of_more().await?;
            with_keys(self.renew.keep_up()).await?;
            began = Now::read(&*self.clock);
        }
        let mut recoveries = 0;
        loop {
            self.settle().await?;
            let Some(known) = self.known else { return self.load_again().await };
            // Before the reading, which is not behind what is told while it is under way.
            let highest = self.highest();
            let feed = self.read(known.seq, BATCH).await?;
            match (fit(known, highest, &feed), feed) {
                (Fit::Fits, Feed::Batch(batch)) if !self.reload => {
                    let complete = batch.entries.last().map_or(known.seq, |last| last.seq) >= batch.head.seq;
                    self.take(batch).await?;
                    if complete {
                        self.view.expire(began.boot);
                        return self.complete(began).await;
                    }
                }
                (Fit::Lost, _) if recoveries == HEALINGS => return Err(HealError::Contended.into()),
                (Fit::Lost, _) => {
                    recoveries += 1;
                    self.view.mark().forget();
                    self.recover(known).await?;
                }
                (Fit::Swept | Fit::Fits, _) => return self.load_again().await,
            }
            began = Now::read(&*self.clock);
        }
    }

    /// Whether this node was away for longer than its bound, and no round has failed: it stood still, as a suspended machine
    /// does, and the store may have been away meanwhile.
    fn stood_still(&self, now: BootTime) -> bool {
        let is_long_ago = |last| now.since(last) > self.view.mark().bound();
        let has_failed = matches!(self.contact, Contact::Broken(_));
        self.store.is_shared() && !has_failed && self.ended_well.is_some_and(is_long_ago)
    }

    /// What was dropped by the wrong clock is loaded again before anything more is answered: once the store was reached,
    /// and its log was found to fit as at any other round.
    fn note_step(&mut self, now: Now) {
        self.progress.steps.fetch_add(1, Ordering::Relaxed);
        tracing::error!("the wall clock stepped; the view is loaded again before anything more is answered");
        self.stepped = self.stepped.saturating_add(self.view.mark().drift(now));
        // A token from a clock that was ahead lives again when the right clock gets there.
        self.keep_for(self.stepped);
        self.view.mark().forget_at(now);
        self.reload = true;
    }

    /// Another node's tokens may live longer than was known: what could matter to them is loaded.
    fn keep_longer(&mut self) {
        let retention = self.kept.access();
        if retention > self.retention {
            self.retention = retention;
            self.keep_for(self.stepped);
            self.reload = true;
        }
    }

    /// Keeps cut-offs for what they can matter by clocks that were seen to be off by so much.
    pub(super) fn keep_for(&self, off: Duration) {
        self.view.keep_for(self.retention.saturating_add(KEPT_LONGER).saturating_add(off.min(CLOCK_MARGIN)));
    }

    async fn take(&mut self, batch: Batch) -> Result<(), FollowError> {
        let Batch { prev_tag, entries, tag, head } = batch;
        let after = |tag: &mut ChainTag, entry: &Entry| {
            *tag = tag.next(entry);
            Some(*tag)
        };
        let tags: Vec<ChainTag> = entries.iter().scan(prev_tag, after).collect();
        if tags.last().copied().unwrap_or(prev_tag) != tag {
            return Err(DamagedLog { after: self.known.map_or(Seq::ZERO, |known| known.seq) }.into());
        }
        let Some(seq) = entries.last().map(|last| last.seq) else { return Ok(()) };
        self.view.apply(&entries, self.clock.boot());
        let everything = entries.iter().any(stands_for_all);
        if everything || entries.iter().any(|entry| entry.scope.kind() == ScopeKind::Key) {
            // A key that was revoked elsewhere must sign nothing here any more.
            with_keys(self.renew.take_over()).await?;
        }
        if everything {
            // Whatever those who are waited for may know is covered.
            self.unsettled = None;
        }
        let mut tail = self.progress.tail();
        entries.into_iter().zip(tags).for_each(|(entry, tag)| tail.push(entry, tag));
        drop(tail);
        self.remember(HighWater { incarnation: head.incarnation, seq, tag })
    }

    /// Replaces the view by the store's cut-offs that can still matter.
    pub(super) async fn load_again(&mut self) -> Result<(), FollowError> {
        let began = Now::read(&*self.clock);
        let now = patient(self.patience(), "health", self.store.health()).await?.now;
        let span = self.retention.saturating_add(LOADED_LONGER).saturating_add(self.stepped);
        let snapshot = self.snapshot(now.minus(span)).await?;
        let Head { incarnation, seq, .. } = snapshot.head;
        if self.known.is_some_and(|known| incarnation != known.incarnation || seq < known.seq) {
            let moved = "the store's history changed while it was read; the next round judges it";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "snapshot", moved).into());
        }
        self.replace(&snapshot)?;
        self.complete(began).await
    }

    pub(super) fn replace(&mut self, snapshot: &Snapshot) -> Result<(), FollowError> {
        let Head { incarnation, seq, tag, now } = snapshot.head;
        let ahead = snapshot.cut_offs.iter().map(|cut_off| cut_off.at.since(now)).max().unwrap_or_default();
        self.keep_for(ahead);
        self.view.load(&snapshot.cut_offs, (now, seq), self.clock.boot());
        self.reload = false;
        self.progress.tail().reset(seq, tag);
        self.remember(HighWater { incarnation, seq, tag })
    }

    /// How the store fits what this node has read.
    pub(super) async fn fit_of(&self, known: HighWater) -> Result<Fit, StoreError> {
        let highest = self.highest();
        Ok(fit(known, highest, &self.read(known.seq, 1).await?))
    }

    /// The highest position that the store told this node or any other one of.
    pub(super) fn highest(&self) -> Seq {
        self.peers.highest().max(self.progress.seen())
    }

    pub(super) fn patience(&self) -> Duration {
        if self.store.is_shared() { PATIENCE.min(self.view.mark().bound()) } else { PATIENCE }
    }

    pub(super) async fn read(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        patient(self.patience(), "after", self.store.after(after, limit)).await
    }

    pub(super) async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        patient(SNAPSHOT_PATIENCE, "snapshot", self.store.snapshot(since)).await
    }

    /// Written before anybody is told of the entries, so that what was acknowledged is never above the mark. While others
    /// are waited for it is not written: who starts again then must wait for them, too.
    pub(super) fn remember(&mut self, mark: HighWater) -> Result<(), FollowError> {
        self.known = Some(mark);
        if self.unsettled.is_none() && self.persisted != self.known {
            if let Some(file) = &mut self.high_water {
                file.write(mark)?;
            }
            self.persisted = self.known;
        }
        Ok(())
    }

    async fn complete(&mut self, began: Now) -> Result<(), FollowError> {
        self.ended_well = Some(began.boot);
        let was_away = self.contact != Contact::Steady;
        if self.unsettled.is_some() || self.is_on_probation(began.boot) {
            self.progress.hold();
            return Ok(());
        }
        if was_away {
            // Somebody may have revoked a key behind the ring, and not have come to its cut-off.
            with_keys(self.renew.keep_up()).await?;
            if self.is_told_of_more().await? {
                self.progress.hold();
                return Ok(());
            }
        }
        if let Some(known) = self.known {
            self.remember(known)?;
            self.progress.join(known.incarnation);
        }
        self.view.mark().complete_up_to(self.complete_as_of(began.boot), began);
        self.progress.complete(self.known.map_or(Seq::ZERO, |known| known.seq));
        Ok(())
    }

    /// Whether a peer says that it has read more of this history than this node: the next round finds that, too, or that the
    /// store has lost it, which that peer has yet to find.
    pub(super) async fn is_told_of_more(&self) -> Result<bool, StoreError> {
        let Some(HighWater { incarnation, seq, .. }) = self.known else { return Ok(false) };
        let told = patient(self.patience(), "records", self.peers.applied_in(incarnation)).await?;
        self.progress.saw(told);
        Ok(told > seq)
    }

    /// Whether others may still find that the store, which came back, lost what they know.
    fn is_on_probation(&mut self, began: BootTime) -> bool {
        if !self.store.is_shared() {
            self.contact.restored();
        }
        self.contact.is_on_probation(began, self.clock.boot())
    }

    /// Up to when a reading that began at `began` makes the view complete.
    ///
    /// Of a shared store no further than to the beginning of this node's last durable write: see [`Proof`](super::proof).
    fn complete_as_of(&self, began: BootTime) -> BootTime {
        let read = began.minus(self.store.behind());
        let proved = if self.store.is_shared() { self.progress.proof.latest() } else { None };
        let Some(proved) = proved else { return read };
        if began.since(proved) > self.view.mark().bound() / 2 {
            self.progress.proof.want();
        }
        read.min(proved)
    }
}
