//! Taking back, and lifting. Owns what is remembered for how long, and the acknowledgement: durable first, then in
//! this node's view, then the answer.

use std::time::Duration;

use tokio::time::timeout;

use super::error::{Error, NotFound};
use super::event::Event;
use super::presented::Presented;
use super::{Inner, Rescind};
use crate::id::{ClientId, SessionId};
use crate::log::{Act, Entry, NewEntry, Scope, SessionRef, Text};
use crate::position::Seq;
use crate::session::Session;
use crate::store::{Appended, Feed, StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::view::{CLOCK_MARGIN, HISTORY_LOST, was_everything_lost};

/// A cut-off to be made.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// What it stands on.
    pub scope: Scope,
    /// Why.
    pub reason: Text,
    /// By whom.
    pub actor: Text,
}

impl Rescind {
    /// Cuts a scope off: everything under it that was issued until now is dead.
    ///
    /// When this returns, the cut-off is on stable storage and this node accepts nothing that it covers.
    ///
    /// # Errors
    /// [`Error::NotFound`] where a key is unknown, or a session that is so old that no token of it can live: a younger one
    /// may be lost from the store, and its access tokens are good. It is said by a shared store only behind a durable write
    /// of this node, which all share. [`Error::Store`] where it is not known to be durable.
    pub async fn revoke(&self, revoke: Revoke) -> Result<Entry, Error> {
        let entry = self.revoke_all(vec![revoke]).await?.into_iter().next();
        entry.ok_or_else(|| Error::Internal("the store returned no entry for an append of one".into()))
    }

    /// Cuts several scopes off in one append: all or none.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_all(&self, revokes: Vec<Revoke>) -> Result<Vec<Entry>, Error> {
        self.to_the_end(move |inner| async move {
            let revoke = || inner.revoke_all(&revokes);
            inner.proven(revoke, |answer| matches!(answer, Err(Error::NotFound(_)))).await
        })
        .await
    }

    /// Cuts off what a presented token stands for: an access token by its `jti`, a refresh token by its session.
    /// An expired one is taken, too.
    ///
    /// # Errors
    /// [`Error::Rejected`] where the token is not authentic; else as [`revoke`](Self::revoke).
    pub async fn revoke_presented(&self, token: &str, reason: Text, actor: Text) -> Result<Entry, Error> {
        let scope = self.0.presented_by_now(token).await?.scope()?;
        self.revoke(Revoke { scope, reason, actor }).await
    }

    /// The client that an authentic token was issued to, whatever its age and whatever was revoked or spent; `None`
    /// where it is not authentic, or its session is forgotten.
    ///
    /// **Cost:** a refresh token is looked up in the store, an access token nowhere. That its session is forgotten is said by
    /// a shared store only behind a durable write of this node, which all share.
    ///
    /// # Errors
    /// [`Error::Store`]: nothing can be said.
    pub async fn client_of(&self, token: &str) -> Result<Option<ClientId>, Error> {
        match self.0.presented_by_now(token).await {
            Ok(Presented::Refresh(sid)) => {
                let load = async || Ok(self.0.store.load(sid).await?.map(|loaded| loaded.session.client));
                // Nobody's is good enough for anybody.
                self.0.proven(load, |answer| matches!(answer, Ok(None))).await
            }
            Ok(Presented::Own(verified)) => Ok(Some(verified.client().clone())),
            Ok(Presented::Foreign(_)) | Err(Error::Rejected(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does as [`revoke_presented`](Self::revoke_presented), and writes nothing where that would change nothing: `None`
    /// where the token's own cut-off is there already, its session is unknown, or it passes nowhere any more. For
    /// callers who must not make the log grow with one token.
    ///
    /// **Cost:** a read of the store, and an append where there is something to cut off. "Nothing" is said by a shared store
    /// only behind a durable write of this node, which all share.
    ///
    /// # Errors
    /// As [`revoke_presented`](Self::revoke_presented).
    pub async fn revoke_once(&self, token: &str, reason: Text, actor: Text) -> Result<Option<Entry>, Error> {
        let presented = self.0.presented_by_now(token).await?;
        let scope = presented.scope()?;
        let left = || self.0.nothing_left_of(&presented);
        if self.0.proven(left, |answer| matches!(answer, Ok(true))).await? {
            return Ok(None);
        }
        match self.revoke(Revoke { scope, reason, actor }).await {
            // Swept in between.
            Err(Error::NotFound(NotFound::Session(_))) => Ok(None),
            done => done.map(Some),
        }
    }

    /// Lifts the cut-off at `seq`, which must be its scope's newest entry: all earlier cut-offs on the scope end.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such entry, [`Error::Conflict`] where it is not the newest or is a lift,
    /// [`Error::Final`] where it stands for good: each is said by a shared store only behind a durable write of this node,
    /// which all share. [`Error::Store`] where the lift is not known to be durable.
    pub async fn lift(&self, seq: Seq, reason: Text, actor: Text) -> Result<Entry, Error> {
        self.to_the_end(move |inner| async move {
            let lift = || inner.lift(seq, &reason, &actor);
            let rests_on_reading = |answer: &Result<Entry, Error>| {
                matches!(answer, Err(Error::NotFound(_) | Error::Conflict { .. } | Error::Final(_)))
            };
            inner.proven(lift, rests_on_reading).await
        })
        .await
    }
}

impl Inner {
    async fn revoke_all(&self, revokes: &[Revoke]) -> Result<Vec<Entry>, Error> {
        let now = self.store.health().await?.now;
        let mut entries = Vec::with_capacity(revokes.len());
        for revoke in revokes {
            entries.push(self.cut_off(revoke.clone(), now).await?);
        }
        let key = |entry: &NewEntry| if let Scope::Key(kid) = &entry.scope { Some(kid.clone()) } else { None };
        let kids: Vec<_> = entries.iter().filter_map(key).collect();
        if !kids.is_empty() {
            // The keys leave the ring first: once the cut-offs are there, nothing new may be signed with them.
            self.drop_keys(&kids).await?;
        }
        self.append(entries).await
    }

    async fn lift(&self, seq: Seq, reason: &Text, actor: &Text) -> Result<Entry, Error> {
        let lifted = self.entry(seq).await?.ok_or(NotFound::Entry(seq))?;
        self.may_be_lifted(&lifted).await?;
        let Entry { scope, remember_until, .. } = lifted;
        let (reason, actor) = (reason.clone(), actor.clone());
        let lift = NewEntry { scope, act: Act::Lift { of: seq }, reason, actor, remember_until };
        let entry = self.append_one(lift).await?;
        self.counters.lifted.one();
        Ok(entry)
    }

    /// Appends durably, and returns when this node's view has the entries.
    pub(super) async fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Entry>, Error> {
        let cut_offs = entries.iter().filter(|entry| entry.act == Act::CutOff).count();
        let known = self.progress.done().applied.max(self.progress.seen());
        let entries = match self.store.append(entries).await? {
            Appended::Done(entries) => entries,
            Appended::Conflict { newest } => return Err(Error::Conflict { newest: newest.map(Box::new) }),
        };
        let Some(newest_entry) = entries.last() else { return Ok(entries) };
        let newest = newest_entry.seq;
        if newest <= known {
            // Positions only grow, so the store went back. The feed finds that, heals it, and cuts off everything.
            let lost = "the store lost its history while the cut-off was made; repeat the call";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "append", lost).into());
        }
        let applied = timeout(self.settings.staleness_bound, self.progress.applied(newest)).await;
        if applied.is_ok() && !self.is_in_log(newest_entry).await? {
            // Another entry has its place, or the log goes on elsewhere: the store took it and lost it.
            let lost = "the store lost the cut-off as soon as it was made; repeat the call";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "after", lost).into());
        }
        // Durable it is, also where this node has not read it back in time.
        for entry in &entries {
            self.tell(|| match entry.act {
                Act::CutOff => Event::Revoked(entry.clone()),
                Act::Lift { .. } => Event::Lifted(entry.clone()),
            });
        }
        if applied.is_err() {
            // Behind the bound the view is stale and answers nothing, but nobody may hear "done" before it is.
            let late = "the cut-off is durable, but this node has not read it back yet; repeat the call";
            return Err(StoreError::new(StoreErrorKind::Unavailable, "after", late).into());
        }
        self.counters.revoked.add(cut_offs as u64);
        Ok(entries)
    }

    /// Whether the log that the view was read from has an entry at its position.
    async fn is_in_log(&self, entry: &Entry) -> Result<bool, StoreError> {
        match self.progress.has_read(entry) {
            Some(read) => Ok(read),
            // The view was loaded as a whole since: ask the log.
            None => Ok(self.entry(entry.seq).await?.as_ref() == Some(entry)),
        }
    }

    pub(super) async fn append_one(&self, entry: NewEntry) -> Result<Entry, Error> {
        let entry = self.append(vec![entry]).await?.into_iter().next();
        entry.ok_or_else(|| Error::Internal("the store returned no entry for an append of one".into()))
    }

    /// Completes a cut-off with how long it has to be remembered. `now` is the store's time.
    async fn cut_off(&self, revoke: Revoke, now: Timestamp) -> Result<NewEntry, Error> {
        let Revoke { scope, reason, actor } = revoke;
        let remember_until = match &scope {
            Scope::Session(SessionRef::Own(sid)) => match self.store.load(*sid).await? {
                Some(loaded) => self.remember_session(&loaded.session, loaded.now),
                None if self.may_be_lost(*sid, now) => self.remember_widely(now),
                None => return Err(NotFound::Session(*sid).into()),
            },
            Scope::Token(_) | Scope::Session(SessionRef::Foreign(_)) => {
                now.plus(self.lifetimes.kept.access().saturating_add(CLOCK_MARGIN))
            }
            Scope::Subject(_) | Scope::Client(_) | Scope::Key(_) | Scope::All => self.remember_widely(now),
        };
        Ok(NewEntry { scope, act: Act::CutOff, reason, actor, remember_until })
    }

    /// One cut-off stands for good: to lift it would bring back what was revoked and cannot be named any more. So would the
    /// lift of a later one on everything, which ends the earlier ones, too.
    async fn may_be_lifted(&self, entry: &Entry) -> Result<(), Error> {
        if entry.reason.as_str() == HISTORY_LOST {
            return Err(Error::Final(
                "it stands for the revocations that the store has lost, which nobody can name any more",
            ));
        }
        let ends_others = entry.scope == Scope::All && entry.act == Act::CutOff;
        if ends_others && was_everything_lost(&*self.store).await? {
            return Err(Error::Final(
                "another cut-off on everything stands for the revocations that the store has lost, and would end with it; \
                 whoever signs in again is under neither",
            ));
        }
        Ok(())
    }

    /// Until when a cut-off on a session matters: the last access token minted at its end, and its leeway, have passed.
    pub(super) fn remember_session(&self, session: &Session, now: Timestamp) -> Timestamp {
        session.expires_at.max(now).plus(self.lifetimes.kept.access().saturating_add(CLOCK_MARGIN))
    }

    /// Until when a cut-off on a wide scope matters: no session that it covers, and no token of one, lives longer.
    pub(super) fn remember_widely(&self, now: Timestamp) -> Timestamp {
        now.plus(self.lifetimes.kept.session().saturating_add(CLOCK_MARGIN))
    }

    /// Whether a session that is not in the store may have been opened, and its row be lost: in an older copy of the store,
    /// or by a replica that lagged. Its access tokens are as good as before, so it must be possible to end it.
    pub(super) fn may_be_lost(&self, sid: SessionId, now: Timestamp) -> bool {
        let opened = sid.made_at();
        opened <= now.plus(CLOCK_MARGIN) && self.remember_widely(opened) > now
    }

    /// The entry at a position, if the log still has it.
    pub(super) async fn entry(&self, seq: Seq) -> Result<Option<Entry>, StoreError> {
        let Some(before) = seq.get().checked_sub(1) else { return Ok(None) };
        Ok(match self.store.after(Seq::new(before), 1).await? {
            Feed::Batch(batch) => batch.entries.into_iter().next().filter(|entry| entry.seq == seq),
            Feed::Gone(_) => None,
        })
    }
}

/// How long a cut-off on a wide scope is remembered: no session that it covers, and no token of one, lives longer.
pub(super) fn session_retention(absolute: Duration, retention: Duration) -> Duration {
    absolute.saturating_add(retention)
}
