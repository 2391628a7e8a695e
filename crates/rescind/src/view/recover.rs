//! Recovery of a store that lost or forked its history, by union: it goes on where it agreed with this node, and every
//! node adds what only it knew. Owns the steps and their order; each may be done twice, and whoever comes next goes on
//! where another stopped. What is added is decided in `again`, whose it is to cut everything off where no view covers the gap
//! in `claim`.

use std::sync::atomic::Ordering;

use super::again::{Again, Gap, Healed, known_here, once_each, told_after_the_loss};
use super::claim::Turn;
use super::contact::{Contact, patient, with_keys};
use super::failure::FollowError;
use super::follow::{Follower, HEALINGS};
use super::freshness::{CLOCK_MARGIN, Now};
use super::heal::{Fit, HISTORY_LOST, HealError, OnLoss, ahead_of, fit, is_healed, stands_for_all};
use super::healing::Healing;
use crate::high_water::HighWater;
use crate::id::KeyId;
use crate::log::{ChainTag, Entry, NewEntry, Scope, ScopeKind};
use crate::position::{Incarnation, Seq};
use crate::store::{Appended, Batch, Feed, Head, Put, Snapshot, StoreError, StoreErrorKind};
use crate::time::{BootTime, Timestamp};

/// At most this many entries of a log are read to see what is there already.
const MOST_READ: usize = 65_536;
/// Entries are read and appended in steps of this many.
const STEP: usize = 1024;

/// The store is healed, but others may still know what nobody else does.
#[derive(Debug, Clone)]
pub(super) struct Unsettled {
    pub(super) incarnation: Incarnation,
    /// Where it begins.
    pub(super) base: Seq,
    pub(super) since: BootTime,
    /// Where this node has begun in the middle of it, without a mark: those whom it has found at it, who alone can tell whom
    /// they wait for.
    pub(super) healers: Option<Vec<String>>,
}

impl Unsettled {
    const fn new(incarnation: Incarnation, base: Seq, since: BootTime) -> Self {
        Self { incarnation, base, since, healers: None }
    }

    /// The store is away: nobody can add anything, and the wait begins anew when it is back.
    pub(super) fn wait_anew(&mut self, now: BootTime) {
        self.since = now;
    }
}

impl Follower {
    /// The store has not the history that this node knows. Heal it, unless somebody else has done so, and add what only
    /// this node knew. Afterwards the log is followed again; what `unsettled` says is still to be waited for.
    pub(super) async fn recover(&mut self, known: HighWater) -> Result<(), FollowError> {
        if self.on_loss == OnLoss::Waits {
            return self.follow_upstream(known).await;
        }
        for _ in 0..HEALINGS {
            let whole = self.snapshot(Timestamp::EPOCH).await?;
            let head = whole.head;
            if head.incarnation != known.incarnation {
                if self.join(known, &whole).await? {
                    return Ok(());
                }
            } else if let Some((fork, tag)) = self.fork_of(known).await? {
                if fork == known.seq && self.fit_of(known).await? == Fit::Fits {
                    // It was lost for a moment only.
                    return Ok(());
                }
                self.heal_by_tail(known, (fork, tag), head).await?;
                continue;
            }
            self.alarm(known, head, "every earlier token is refused from now on and everyone signs in again");
            self.heal_with_all(known, head).await?;
        }
        Err(HealError::Contended.into())
    }

    /// Whether everybody who may know of a revocation that nobody else does has added it, or everything is cut off
    /// because one of them did not come in time. Asked before the log is read, so that what they added is then seen.
    pub(super) async fn settle(&mut self) -> Result<(), FollowError> {
        let Some(unsettled) = self.unsettled.clone() else { return Ok(()) };
        let Unsettled { incarnation, base, since, healers } = unsettled;
        if let Some(healers) = healers {
            return self.settle_behind(&healers, incarnation, base, since).await;
        }
        let nobody = self.absent(incarnation).await?.is_empty();
        let is_over = self.clock.boot().since(since) > self.view.mark().bound();
        if nobody && !self.is_claimed(incarnation).await? {
            return self.everybody_was_heard().await;
        }
        if !nobody && !is_over {
            return Ok(());
        }
        // Until another node's cut-off is found in the log, this one waits on; and so it does where nobody is absent any
        // more but another node has found somebody who was: it would sign in who is out again a moment later.
        let Turn::Ours(held) = self.claim(incarnation).await? else { return Ok(()) };
        // Asked again behind the claim: who came back meanwhile was seen by whoever saw no claim.
        let absent = self.absent(incarnation).await?;
        if absent.is_empty() {
            self.withdraw(held).await?;
            return self.everybody_was_heard().await;
        }
        if self.is_cut_off(incarnation, base).await? {
            with_keys(self.renew.take_over()).await?;
        } else {
            self.deliver(held).await?;
            tracing::error!(
                ?absent,
                "these nodes did not come back in time and may know of revocations that the store lost and nobody else \
                 knows of; every earlier token is refused from now on and everyone signs in again"
            );
        }
        self.unsettled = None;
        Ok(())
    }

    async fn absent(&self, incarnation: Incarnation) -> Result<Vec<String>, StoreError> {
        patient(self.patience(), "records", self.peers.absent(incarnation)).await
    }

    pub(super) async fn everybody_was_heard(&mut self) -> Result<(), FollowError> {
        // They may have added keys, too, after this node had.
        with_keys(self.renew.take_over()).await?;
        // Everybody who may know more was heard: there is nothing to wait for after an outage, either.
        (self.unsettled, self.contact) = (None, Contact::Steady);
        Ok(())
    }

    /// Starts a new incarnation ahead of everything known, unless a healing that ended half way has done so, and cuts off
    /// everything in it, unless another node does. Where somebody else was quicker nothing is changed. The caller reads
    /// again and judges anew in any case.
    async fn heal_with_all(&mut self, known: HighWater, present: Head) -> Result<(), FollowError> {
        // A healing that ended half way is gone on with: every further jump would use positions up.
        let jumped = present.incarnation != known.incarnation && present.seq >= known.seq.plus(Seq::JUMP);
        let (incarnation, base) = if jumped {
            (present.incarnation, present.seq)
        } else {
            let (new, base) = ahead_of(self.highest().max(known.seq).max(present.seq), &*self.random)?;
            if !self.store.reincarnate(present.incarnation, new, base).await? {
                return Ok(());
            }
            (new, base)
        };
        self.cut_off_everything(incarnation, base).await.map(drop)
    }

    /// The last position at which the store's log, of the same incarnation, is the one that this node has read.
    async fn fork_of(&self, known: HighWater) -> Result<Option<(Seq, ChainTag)>, FollowError> {
        // Logs that agree at a position agree below it: halve the span in which they part.
        let mut span = self.progress.tail().floor().get()..known.seq.get().saturating_add(1);
        let mut agreed = None;
        while !span.is_empty() {
            let middle = Seq::new(span.start + (span.end - span.start) / 2);
            let own = self.progress.tail().tag_at(middle);
            let above = match self.read(middle, 1).await? {
                Feed::Batch(Batch { head, .. }) | Feed::Gone(head) if head.incarnation != known.incarnation => {
                    return Err(moved().into());
                }
                Feed::Batch(batch) if own == Some(batch.prev_tag) => {
                    agreed = own.map(|tag| (middle, tag));
                    true
                }
                Feed::Batch(_) => false,
                // Swept where it is below the head: the log may agree further up.
                Feed::Gone(head) => head.seq >= middle,
            };
            span = if above { middle.get() + 1..span.end } else { span.start..middle.get() };
        }
        Ok(agreed)
    }

    /// Starts a new incarnation that goes on with the lost one up to the fork. What is above it is added by
    /// [`join`](Self::join), as every other node does.
    async fn heal_by_tail(
        &mut self,
        known: HighWater,
        (fork, tag): (Seq, ChainTag),
        head: Head,
    ) -> Result<(), FollowError> {
        self.alarm(known, head, "what it lost is appended again from this node's view");
        let highest = known.seq.max(head.seq).max(self.highest());
        let forked = self.entries_after(fork, known.incarnation).await?;
        let (new, base) = match &self.prepared {
            // Tried before: a record at every try would fill the store.
            Some((new, before))
                if before.fits(known.incarnation, tag, highest) && before.is_in(&*self.store, *new).await? =>
            {
                (*new, before.base)
            }
            _ => {
                let (new, base) = ahead_of(highest, &*self.random)?;
                let healing = Healing { lost: known.incarnation, fork, tag, base, by: self.peers.me() };
                if healing.write(&*self.store, new, self.widely(head.now)).await? == Put::Stale {
                    return Err(moved().into());
                }
                self.prepared = Some((new, healing));
                (new, base)
            }
        };
        if self.store.reincarnate(known.incarnation, new, base).await? {
            self.progress.healed.fetch_add(1, Ordering::Relaxed);
            self.forked = forked;
        }
        Ok(())
    }

    /// Goes over to the incarnation that took the place of the known one, and adds what only this node knew. Returns false
    /// where that cannot be said: nobody's healing covers what this node has seen.
    async fn join(&mut self, known: HighWater, whole: &Snapshot) -> Result<bool, FollowError> {
        let Head { incarnation, now, .. } = whole.head;
        let links = Healing::between(&*self.store, known.incarnation, incarnation).await?;
        let base = links.as_ref().and_then(|links| links.last()).map_or(Seq::ZERO, |link| link.base);
        let since = self.entries_after(base, incarnation).await?;
        let healed =
            Healed { active: &whole.cut_offs, since: &since, forked: &self.forked, now, keep: self.widely(now) };
        let covered = is_healed(known, whole);
        let again = if covered {
            self.keys_known_here(known, &healed)
        } else {
            let Some(again) = links.as_ref().and_then(|links| self.known_since(known, links, &healed)) else {
                return Ok(false);
            };
            again
        };
        let is_for_all = |new: &NewEntry| new.scope == Scope::All && new.reason.as_str() == HISTORY_LOST;
        let for_all_again = again.cut_offs.iter().any(is_for_all);
        if for_all_again {
            self.claim_again(incarnation).await?;
        }
        let settled = covered || for_all_again || since.iter().any(stands_for_all);
        let appended = self.append_again(again).await?;
        if links.is_none() || since.iter().any(stands_for_all) {
            // Whoever cut everything off has renewed the keys.
            with_keys(self.renew.take_over()).await?;
        } else {
            let in_store = whole.cut_offs.iter().filter_map(|cut_off| key_of(&cut_off.scope));
            let revoked: Vec<KeyId> = in_store.chain(self.view.revoked_keys()).collect();
            with_keys(self.renew.unite(&revoked)).await?;
        }
        let whole = self.snapshot(Timestamp::EPOCH).await?;
        if whole.head.incarnation != incarnation {
            return Err(moved().into());
        }
        let since = Now::read(&*self.clock).boot;
        self.unsettled = (!settled).then_some(Unsettled::new(incarnation, base, since));
        if settled {
            self.contact = Contact::Steady;
        }
        self.replace(&whole)?;
        self.forked.clear();
        self.progress.join(incarnation);
        tracing::warn!(%incarnation, appended, "the store is healed; entries that only this node knew were appended again");
        Ok(true)
    }

    /// What the store needs again where healings lead from the known history to the present one.
    fn known_since(&self, known: HighWater, links: &[Healing], healed: &Healed<'_>) -> Option<Again> {
        let first = links.first()?;
        let tail = self.progress.tail();
        let own = if known.seq < first.fork {
            Some(Vec::new())
        } else if tail.tag_at(first.fork) == Some(first.tag) {
            tail.above(first.fork)
        } else {
            // What this node has seen above the fork cannot be named: it was started since, or it saw a third history.
            None
        };
        drop(tail);
        let gap = |link: &Healing| Gap { fork: link.fork, base: link.base };
        let mut again = known_here(&own?, gap(first), healed);
        again.cut_offs.extend(links.iter().flat_map(|link| told_after_the_loss(gap(link), healed)));
        again.cut_offs = once_each(again.cut_offs);
        Some(again)
    }

    /// Cut-offs on keys that only this node knows: no cut-off on `all` covers what a stolen key signs.
    fn keys_known_here(&self, known: HighWater, healed: &Healed<'_>) -> Again {
        let tail = self.progress.tail();
        let own = tail.above(tail.floor()).unwrap_or_default();
        drop(tail);
        let own: Vec<Entry> = own.into_iter().filter(|entry| entry.scope.kind() == ScopeKind::Key).collect();
        // Active ones cover every position, whichever theirs is.
        let gap = Gap { fork: Seq::ZERO, base: Seq::ZERO };
        let mut again = known_here(&own, gap, healed);
        again.lifts.clear();
        tracing::debug!(known = %known.seq, keys = again.cut_offs.len(), "everything is cut off but what stolen keys sign");
        again
    }

    async fn append_again(&self, again: Again) -> Result<usize, FollowError> {
        let mut appended = 0;
        for step in again.cut_offs.chunks(STEP) {
            if let Appended::Done(entries) = self.store.append(step.to_vec()).await? {
                appended += entries.len();
            }
        }
        for lift in again.lifts {
            let scope = lift.scope.clone();
            match self.store.append(vec![lift]).await? {
                Appended::Done(entries) => appended += entries.len(),
                Appended::Conflict { .. } => {
                    tracing::warn!(%scope, "a lift that the store lost is not repeated: the scope was cut off since");
                }
            }
        }
        self.progress.appended_again.fetch_add(appended as u64, Ordering::Relaxed);
        Ok(appended)
    }

    /// The log's entries above a position, at most so many; none where they are not in the log any more.
    pub(super) async fn entries_after(&self, after: Seq, incarnation: Incarnation) -> Result<Vec<Entry>, FollowError> {
        let mut entries: Vec<Entry> = Vec::new();
        while entries.len() < MOST_READ {
            let from = entries.last().map_or(after, |entry| entry.seq);
            match self.read(from, STEP).await? {
                Feed::Batch(batch) if batch.head.incarnation != incarnation => return Err(moved().into()),
                Feed::Batch(batch) if batch.entries.is_empty() => break,
                Feed::Batch(batch) => entries.extend(batch.entries),
                Feed::Gone(_) => break,
            }
        }
        Ok(entries)
    }

    /// Nothing can be written here. Once the store above is healed, its cut-offs are taken in beside those known.
    ///
    /// **Cost:** a small read until then, for it is asked again and again; after it, the whole snapshot once.
    async fn follow_upstream(&mut self, known: HighWater) -> Result<(), FollowError> {
        let feed = self.read(known.seq, 1).await?;
        let (Feed::Batch(Batch { head, .. }) | Feed::Gone(head)) = feed;
        if fit(known, self.highest(), &feed) != Fit::Lost {
            return Ok(());
        }
        self.alarm(known, head, "nothing is answered until the store above is healed");
        if head.incarnation == known.incarnation {
            return Err(HealError::Upstream.into());
        }
        let whole = if head.seq < known.seq { None } else { Some(self.snapshot(Timestamp::EPOCH).await?) };
        // A healed history goes on far above whatever was known: one below is another, and lacks what this node forgot.
        let Some(whole) = whole.filter(|whole| whole.head.seq >= known.seq) else {
            return Err(HealError::Upstream.into());
        };
        let Head { incarnation, seq, tag, now } = whole.head;
        if incarnation == known.incarnation {
            return Err(moved().into());
        }
        self.view.unite(&whole.cut_offs, (now, seq), self.clock.boot());
        self.progress.tail().reset(seq, tag);
        self.remember(HighWater { incarnation, seq, tag })
    }

    fn alarm(&self, known: HighWater, present: Head, remedy: &str) {
        // Once, not at every round that tries again; also where the rounds before failed, as they do in a failover.
        if self.progress.is_news() {
            tracing::error!(
                known.seq = %known.seq, known.incarnation = %known.incarnation,
                seq = %present.seq, incarnation = %present.incarnation,
                "ALARM: the store lost or forked its history (an older copy, or another database); {remedy}"
            );
        }
    }

    pub(super) fn widely(&self, now: Timestamp) -> Timestamp {
        now.plus(self.kept.session().saturating_add(CLOCK_MARGIN))
    }
}

fn key_of(scope: &Scope) -> Option<KeyId> {
    if let Scope::Key(kid) = scope { Some(kid.clone()) } else { None }
}

fn moved() -> StoreError {
    let moved = "the store's history changed while it was read; the next round judges it";
    StoreError::new(StoreErrorKind::Unavailable, "after", moved)
}
