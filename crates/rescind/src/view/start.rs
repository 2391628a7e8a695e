//! How a node begins to follow a log. Owns what is waited for before anything may be answered: a store that came back a moment
//! ago, and a healing that other nodes are in the middle of.

use std::time::Duration;

use tokio::time::sleep;

use super::contact::{PROBATION, patient};
use super::failure::FollowError;
use super::follow::{Follower, HEALINGS};
use super::heal::{Fit, HealError, OnLoss};
use super::healing::Healing;
use super::recover::Unsettled;
use crate::log::Scope;
use crate::position::Seq;
use crate::store::{Head, Snapshot};
use crate::time::Timestamp;

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
            self.wait_for_healers().await?;
            self.keep_up().await?;
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
            let others_wait = self.others_wait(of).await?;
            if !others_wait && !self.is_claimed(of).await? {
                return Ok(());
            }
            let whole = self.snapshot(Timestamp::EPOCH).await?;
            if whole.head.incarnation != of || is_covered(&whole) {
                // What the next round finds, or nothing that was lost.
                return Ok(());
            }
            let Head { seq: base, now, .. } = whole.head;
            let is_claimed = self.is_claimed_of_late(of, now).await?;
            if !is_claimed && !others_wait {
                return Ok(());
            }
            if !is_claimed || patient(self.patience(), "record", Healing::is_of(&*self.store, of)).await? {
                self.view.mark().forget();
                self.unsettled = Some(Unsettled::of_others(of, base, self.clock.boot()));
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
}

/// Whether everything from before the present history is cut off in it: a history begins that far above whatever was known.
fn is_covered(whole: &Snapshot) -> bool {
    let is_of_it = |seq: Seq| whole.head.seq < seq.plus(Seq::JUMP);
    whole.cut_offs.iter().any(|cut_off| cut_off.scope == Scope::All && is_of_it(cut_off.seq))
}
