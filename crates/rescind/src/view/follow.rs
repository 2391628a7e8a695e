//! Follows a store's log into the view. Owns the rounds of the feed, the judgement on each answer, and the mark up
//! to which the view is complete. Knows no token.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::heal::{Fit, HealError, Renew, fit, heal, is_healed};
use super::peers::Peers;
use super::progress::Progress;
use super::{CLOCK_MARGIN, Now, View};
use crate::high_water::{HighWater, HighWaterError, HighWaterFile};
use crate::log::{ChainTag, ScopeKind};
use crate::position::Seq;
use crate::random::Random;
use crate::store::{Batch, Feed, Head, Snapshot, Store, StoreError, StoreErrorKind};
use crate::time::{BootTime, Clock, Timestamp};

/// At most this many entries are read at once.
const BATCH: usize = 4096;
/// A store that takes longer counts as unreachable for this round.
const PATIENCE: Duration = Duration::from_secs(5);
/// A snapshot of a large log may take longer.
const SNAPSHOT_PATIENCE: Duration = Duration::from_mins(2);
/// How often a store is healed before somebody else's healing counts as a fight.
const HEALINGS: usize = 8;

/// Reads the log of one store into one view.
pub(crate) struct Follower {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) view: Arc<View>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) renew: Arc<dyn Renew>,
    #[expect(dead_code, reason = "asked by the healing that is to come")]
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) high_water: Option<HighWaterFile>,
    /// Cut-offs older than this cannot matter to an access token.
    pub(crate) retention: Duration,
    /// A cut-off on `all` is remembered for this long: no session that it covers lives longer.
    pub(crate) session_retention: Duration,
    /// Without a nudge, a round begins this often.
    pub(crate) poll: Duration,
    known: Option<HighWater>,
    /// By how much the wall clock was seen to step in all: entries may bear a time that is as wrong.
    stepped: Duration,
    /// The view has to be loaded again though the log fits.
    reload: bool,
}

/// A round that could not be completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Heal(#[from] HealError),
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
    #[error(transparent)]
    Damaged(#[from] DamagedLog),
}

impl FollowError {
    /// Whether reading again cannot help.
    fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Store(error) | Self::Heal(HealError::Store(error)) => error.kind() == StoreErrorKind::Corrupt,
            Self::Heal(_) | Self::HighWater(_) => false,
        }
    }
}

/// Entries of the log do not add up to its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log's entries after position {after} do not add up to its tag: the store's log is damaged or was edited; restore \
     the store from a backup"
)]
pub struct DamagedLog {
    /// The last position that fits.
    pub after: Seq,
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
        (retention, session_retention): (Duration, Duration),
        poll: Duration,
    ) -> Self {
        let (high_water, known) = high_water.map_or((None, None), |(file, known)| (Some(file), known));
        let stepped = Duration::ZERO;
        Self {
            store,
            view,
            progress,
            clock,
            random,
            renew,
            peers,
            high_water,
            retention,
            session_retention,
            poll,
            known,
            stepped,
            reload: false,
        }
    }

    /// Loads the view for the first time. Nothing may be answered before.
    pub(crate) async fn start(&mut self) -> Result<(), FollowError> {
        self.progress.begin();
        if let Some(known) = self.known {
            let feed = self.read(known.seq, 1).await?;
            if fit(known, &feed) == Fit::Lost {
                return self.recover(known).await;
            }
        }
        self.load_again().await?;
        // A large log takes longer to load than the bound: take in what came meanwhile.
        self.round().await
    }

    /// Follows until the runtime ends. A failed round is tried again at the next poll; meanwhile the view ages.
    pub(crate) async fn run(mut self) {
        let progress = Arc::clone(&self.progress);
        let mut failing = false;
        loop {
            tokio::select! {
                () = progress.due(self.poll) => {}
                () = self.store.woken() => {}
            }
            match self.round().await {
                Ok(()) if failing => {
                    failing = false;
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
                    if !failing {
                        tracing::error!(%error, "the log cannot be followed; checks go on until the view is stale");
                    }
                    failing = true;
                    // Whoever waits asks again at once; a store that is down is not asked more often for it.
                    sleep(self.poll).await;
                }
            }
        }
    }

    /// One round: everything that the log has is in the view afterwards.
    async fn round(&mut self) -> Result<(), FollowError> {
        self.progress.begin();
        let mut began = Now::read(&*self.clock);
        if self.view.mark().stepped(began) {
            // Between the readings of the two clocks this thread may have been put aside: read them once more.
            began = Now::read(&*self.clock);
        }
        if self.view.mark().stepped(began) {
            self.note_step(began);
        }
        loop {
            let Some(known) = self.known else { return self.load_again().await };
            let feed = self.read(known.seq, BATCH).await?;
            match (fit(known, &feed), feed) {
                (Fit::Fits, Feed::Batch(batch)) if !self.reload => {
                    let complete = batch.entries.last().map_or(known.seq, |last| last.seq) >= batch.head.seq;
                    self.take(&batch).await?;
                    if complete {
                        self.view.expire(began.boot);
                        self.complete(began);
                        return Ok(());
                    }
                }
                (Fit::Lost, _) => {
                    self.view.mark().forget();
                    return self.recover(known).await;
                }
                (Fit::Swept | Fit::Fits, _) => return self.load_again().await,
            }
            began = Now::read(&*self.clock);
        }
    }

    /// What was dropped by the wrong clock is loaded again before anything more is answered: once the store was reached,
    /// and its log was found to fit as at any other round.
    fn note_step(&mut self, now: Now) {
        self.progress.steps.fetch_add(1, Ordering::Relaxed);
        tracing::error!("the wall clock stepped; the view is loaded again before anything more is answered");
        self.stepped = self.stepped.saturating_add(self.view.mark().drift(now));
        // A token from a clock that was ahead lives again when the right clock gets there.
        self.view.keep_for(self.retention.saturating_add(self.stepped.min(CLOCK_MARGIN)));
        self.view.mark().forget_at(now);
        self.reload = true;
    }

    async fn take(&mut self, batch: &Batch) -> Result<(), FollowError> {
        let tag = batch.entries.iter().fold(batch.prev_tag, ChainTag::next);
        if tag != batch.tag {
            return Err(DamagedLog { after: self.known.map_or(Seq::ZERO, |known| known.seq) }.into());
        }
        if let Some(last) = batch.entries.last() {
            self.view.apply(&batch.entries, self.clock.boot());
            if batch.entries.iter().any(|entry| entry.scope.kind() == ScopeKind::Key) {
                // A key that was revoked elsewhere must sign nothing here any more.
                self.renew.take_over().await.map_err(HealError::Keys)?;
            }
            self.remember(HighWater { incarnation: batch.head.incarnation, seq: last.seq, tag })?;
        }
        Ok(())
    }

    /// Replaces the view by the store's cut-offs that can still matter.
    async fn load_again(&mut self) -> Result<(), FollowError> {
        let began = Now::read(&*self.clock);
        let now = patient(PATIENCE, "health", self.store.health()).await?.now;
        let span = self.retention.saturating_add(CLOCK_MARGIN).saturating_add(self.stepped);
        let snapshot = self.snapshot(now.minus(span)).await?;
        let Head { incarnation, seq, .. } = snapshot.head;
        if self.known.is_some_and(|known| incarnation != known.incarnation || seq < known.seq) {
            let moved = "the store's history changed while it was read; the next round judges it";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "snapshot", moved).into());
        }
        self.replace(&snapshot)?;
        self.complete(began);
        Ok(())
    }

    /// The store has not the history that this node knows. Heal it, unless somebody else has done so; believe it only
    /// when it is seen to be healed.
    async fn recover(&mut self, known: HighWater) -> Result<(), FollowError> {
        let mut healed = false;
        for _ in 0..HEALINGS {
            let began = Now::read(&*self.clock);
            let whole = self.snapshot(Timestamp::EPOCH).await?;
            if is_healed(known, &whole) {
                if !healed {
                    tracing::warn!(incarnation = %whole.head.incarnation, "the store was healed by another node");
                    self.renew.take_over().await.map_err(HealError::Keys)?;
                }
                self.replace(&whole)?;
                self.complete(began);
                return Ok(());
            }
            let Head { incarnation, seq, now, .. } = whole.head;
            if self.progress.in_touch() {
                // Once, not at every round that tries again.
                tracing::error!(
                    known.seq = %known.seq, known.incarnation = %known.incarnation, %seq, %incarnation,
                    "ALARM: the store lost or forked its history (an older copy, or another database); every earlier \
                     token is refused from now on and everyone signs in again"
                );
            }
            let until = now.plus(self.session_retention.saturating_add(CLOCK_MARGIN));
            if heal(&*self.store, known, whole.head, until, &*self.random, &*self.renew).await? {
                self.progress.healed.fetch_add(1, Ordering::Relaxed);
                healed = true;
            }
        }
        Err(HealError::Contended.into())
    }

    fn replace(&mut self, snapshot: &Snapshot) -> Result<(), FollowError> {
        let Head { incarnation, seq, tag, now } = snapshot.head;
        let ahead = snapshot.cut_offs.iter().map(|cut_off| cut_off.at.since(now)).max().unwrap_or_default();
        self.view.keep_for(self.retention.saturating_add(ahead.min(CLOCK_MARGIN)));
        self.view.load(&snapshot.cut_offs, (now, seq), self.clock.boot());
        self.reload = false;
        self.remember(HighWater { incarnation, seq, tag })
    }

    async fn read(&self, after: Seq, limit: usize) -> Result<Feed, StoreError> {
        patient(PATIENCE, "after", self.store.after(after, limit)).await
    }

    async fn snapshot(&self, since: Timestamp) -> Result<Snapshot, StoreError> {
        patient(SNAPSHOT_PATIENCE, "snapshot", self.store.snapshot(since)).await
    }

    /// Written before anybody is told of the entries, so that what was acknowledged is never above the mark.
    fn remember(&mut self, mark: HighWater) -> Result<(), FollowError> {
        if self.known != Some(mark) {
            if let Some(file) = &mut self.high_water {
                file.write(mark)?;
            }
            self.known = Some(mark);
        }
        Ok(())
    }

    fn complete(&self, began: Now) {
        if let Some(known) = self.known {
            self.progress.join(known.incarnation);
        }
        self.view.mark().complete_up_to(self.complete_as_of(began.boot), began);
        self.progress.complete(self.known.map_or(Seq::ZERO, |known| known.seq));
    }
}

impl Follower {
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

async fn patient<T>(
    patience: Duration,
    op: &'static str,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, answer).await.unwrap_or_else(|late| Err(StoreError::new(StoreErrorKind::Unavailable, op, late)))
}
