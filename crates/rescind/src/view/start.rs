//! How a node begins to follow a log. Owns what is waited for before anything may be answered: a store that came back a moment
//! ago, and a healing that other nodes are in the middle of.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use super::claim::Turn;
use super::contact::{PROBATION, patient, with_keys};
use super::failure::FollowError;
use super::follow::{Follower, HEALINGS};
use super::heal::{Fit, HealError, OnLoss};
use super::healing::Healing;
use super::peers::{Stage, Unheard};
use super::recover::Unsettled;
use crate::log::Scope;
use crate::position::{Incarnation, Seq};
use crate::store::{Head, Snapshot, StoreError};
use crate::time::{BootTime, Timestamp};

/// So long nodes that live and answer nothing are waited for.
const AT_MOST: Duration = Duration::from_mins(1);

impl Follower {
    /// Loads the view for the first time. Nothing may be answered before.
    pub(crate) async fn start(&mut self) -> Result<(), FollowError> {
        self.keep_for(Duration::ZERO);
        self.progress.begin();
        match self.known {
            Some(known) if self.fit_of(known).await? == Fit::Lost => self.recover(known).await?,
            _ => self.load_again().await?,
        }
        if self.store.is_shared() {
            // It may have come back a moment ago without what only others know, who have to find that first.
            sleep(PROBATION).await;
            self.is_told_of_more().await?;
            self.wait_for_healers().await?;
            with_keys(self.renew.keep_up()).await?;
        }
        // A large log takes longer to load than the bound: take in what came meanwhile.
        self.round().await
    }

    /// What this node has found may be a history that others have begun in the place of one that the store lost, and have
    /// not come to an end with: who has no mark of the lost one cannot tell. While some have yet to add what only they know,
    /// or wait for somebody who has, they are waited for, as by whoever healed; where everything is to be cut off, it is.
    async fn wait_for_healers(&mut self) -> Result<(), FollowError> {
        if self.on_loss == OnLoss::Waits || self.unsettled.is_some() {
            return Ok(());
        }
        for _ in 0..HEALINGS {
            let Some(of) = self.known.map(|known| known.incarnation) else { return Ok(()) };
            let goes_on = patient(self.patience(), "record", Healing::is_of(&*self.store, of)).await?;
            let mut healers = self.unheard(of).await?;
            // Without a healing, whoever answers nothing has reasons of its own.
            healers.retain(|peer| {
                peer.is_live && (peer.stage == Stage::Elsewhere || goes_on && peer.stage == Stage::Waiting)
            });
            if healers.is_empty() && !self.is_claimed(of).await? {
                return Ok(());
            }
            let whole = self.snapshot(Timestamp::EPOCH).await?;
            if whole.head.incarnation != of || is_covered(&whole) {
                // What the next round finds, or nothing that was lost.
                return Ok(());
            }
            let Head { seq: base, now, .. } = whole.head;
            let is_claimed = self.is_claimed_of_late(of, now).await?;
            if healers.is_empty() && !is_claimed {
                return Ok(());
            }
            if goes_on || !is_claimed {
                let healers = Some(healers.into_iter().map(|peer| peer.id).collect());
                self.view.mark().forget();
                self.unsettled = Some(Unsettled { incarnation: of, base, since: self.clock.boot(), healers });
                return Ok(());
            }
            if self.cut_off_everything(of, base).await? {
                tracing::error!(
                    "ALARM: the store lost its history, and whoever was to cut everything off did not; every earlier token is \
                     refused from now on and everyone signs in again"
                );
            }
        }
        Err(HealError::Contended.into())
    }

    /// Whether those have come to an end whom this node has found in the middle of a healing, or everything is cut off in
    /// their place: where they died at it, or do not get on, nobody else knows whom they waited for.
    pub(super) async fn settle_behind(
        &mut self,
        healers: &[String],
        incarnation: Incarnation,
        base: Seq,
        since: BootTime,
    ) -> Result<(), FollowError> {
        if !self.is_claimed(incarnation).await? {
            let mut unheard = self.unheard(incarnation).await?;
            unheard.retain(|peer| healers.contains(&peer.id));
            let Some(longest) = unheard.iter().map(|peer| peer.bound).max() else {
                return self.everybody_was_heard().await;
            };
            if self.clock.boot().since(since) <= self.term().max(longest.saturating_mul(2)) {
                return Ok(());
            }
            if unheard.iter().all(|peer| peer.is_live && peer.stage == Stage::Waiting) {
                // They answer nothing either, and would have cut everything off by then, had they waited for anybody.
                let is_long = self.clock.boot().since(since) > AT_MOST;
                return if is_long { self.everybody_was_heard().await } else { Ok(()) };
            }
        }
        let Turn::Ours(held) = self.claim(incarnation).await? else { return Ok(()) };
        if self.is_cut_off(incarnation, base).await? {
            with_keys(self.renew.take_over()).await?;
        } else {
            self.deliver(held).await?;
            self.progress.healed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                ?healers,
                "these nodes did not come to an end with healing the store, which may lack revocations that nobody else knows \
                 of; every earlier token is refused from now on and everyone signs in again"
            );
        }
        self.unsettled = None;
        Ok(())
    }

    async fn unheard(&self, incarnation: Incarnation) -> Result<Vec<Unheard>, StoreError> {
        patient(self.patience(), "records", self.peers.unheard(incarnation)).await
    }
}

/// Whether everything from before the present history is cut off in it: a history begins that far above whatever was known.
fn is_covered(whole: &Snapshot) -> bool {
    let is_of_it = |seq: Seq| whole.head.seq < seq.plus(Seq::JUMP);
    whole.cut_offs.iter().any(|cut_off| cut_off.scope == Scope::All && is_of_it(cut_off.seq))
}
