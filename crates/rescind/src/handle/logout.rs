//! Logging out: here, the others, everywhere. Owns which sessions end; how a cut-off is made is `revoke`'s matter.

use super::error::Error;
use super::presented::Presented;
use super::{Inner, Rescind};
use crate::access_token::Verified;
use crate::id::{SessionId, Subject};
use crate::log::{Act, NewEntry, Scope, Text};
use crate::position::Seq;
use crate::rejection::Rejection;
use crate::session::{Loaded, Session};
use crate::store::Page;
use crate::time::Timestamp;

/// How far a logout reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogoutScope {
    /// The session of the presented token.
    #[default]
    Session,
    /// Every other session of its subject.
    Others,
    /// Every session of its subject, by one cut-off however many they are.
    All,
}

impl LogoutScope {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Others => "others",
            Self::All => "all",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Session, Self::Others, Self::All].into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What a logout has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    /// The sessions that it ended: those of which a token might still have passed.
    pub ended: Vec<SessionId>,
    /// The newest cut-off that it made; `None` where there was nothing to end.
    pub seq: Option<Seq>,
}

impl LoggedOut {
    const NOTHING: Self = Self { ended: Vec::new(), seq: None };

    /// What this one and a later one have ended.
    fn and(mut self, later: Self) -> Self {
        self.ended.extend(later.ended);
        Self { ended: self.ended, seq: later.seq.or(self.seq) }
    }
}

/// Sessions are read and cut off in parts of this size.
const PART: usize = 1000;

impl Rescind {
    /// Ends sessions at the word of a token of one of them: an access token (an expired one, too) or a refresh token.
    ///
    /// The second time there is nothing to end, and the answer says so.
    ///
    /// **Cost:** that there is nothing to end, and that these were all the others, is said by a shared store only behind a
    /// durable write of this node, which all share.
    ///
    /// # Errors
    /// [`Error::Rejected`] where the token is not authentic, or was revoked by its own name and the scope is wider than
    /// its session; [`Error::Store`] or [`Error::Stale`] where not all of it is known to have ended: repeat the call.
    pub async fn logout(&self, presented: &str, scope: LogoutScope, actor: Text) -> Result<LoggedOut, Error> {
        let (sid, token) = match self.0.presented_by_now(presented).await? {
            Presented::Refresh(sid) => (sid, None),
            Presented::Own(token) => {
                if scope != LogoutScope::Session {
                    self.0.refuse_cut_off(&token).await?;
                }
                (token.sid(), Some(token))
            }
            // Its session is the foreign issuer's.
            Presented::Foreign(_) => return Err(Rejection::UnknownKey.into()),
        };
        self.end_by(sid, token, scope, actor).await
    }

    /// Ends sessions at the word of a session whose owner the caller has checked.
    ///
    /// # Errors
    /// [`Error::Store`] where not all of it is known to have ended: repeat the call.
    pub async fn end(&self, sid: SessionId, scope: LogoutScope, actor: Text) -> Result<LoggedOut, Error> {
        let is_there = async || Ok(self.0.store.load(sid).await?.is_some());
        if !self.0.proven(is_there, |answer| matches!(answer, Ok(false))).await? {
            // Nobody has shown a token of it.
            return Ok(LoggedOut::NOTHING);
        }
        self.end_by(sid, None, scope, actor).await
    }

    /// Ends sessions at the word of a session, by an access token of it where that was presented.
    async fn end_by(
        &self,
        sid: SessionId,
        token: Option<Verified>,
        scope: LogoutScope,
        actor: Text,
    ) -> Result<LoggedOut, Error> {
        self.to_the_end(move |inner| async move {
            let first = inner.end_as_read(sid, token.as_ref(), scope, &actor).await?;
            // That nothing was to be ended is as good as "done" to whoever asks, and so is which others there were: both
            // rest on a reading alone.
            let rests_on_reading = first.seq.is_none() || scope == LogoutScope::Others;
            if !inner.store.is_shared() || !rests_on_reading {
                return Ok(first);
            }
            inner.prove().await?;
            Ok(first.and(inner.end_as_read(sid, token.as_ref(), scope, &actor).await?))
        })
        .await
    }
}

pub(super) fn is_live(loaded: &Loaded) -> bool {
    loaded.cut_off.is_none() && loaded.session.lapsed(loaded.now).is_none()
}

impl Inner {
    async fn end_as_read(
        &self,
        sid: SessionId,
        token: Option<&Verified>,
        scope: LogoutScope,
        actor: &Text,
    ) -> Result<LoggedOut, Error> {
        let actor = actor.clone();
        let Some(loaded) = self.store.load(sid).await? else {
            return self.end_lost(sid, token, scope, actor).await;
        };
        // A dead session has no say over the others.
        if !self.may_act(&loaded) {
            return Ok(LoggedOut::NOTHING);
        }
        match scope {
            LogoutScope::Session => self.end_one(&loaded, actor).await,
            LogoutScope::Others => self.end_others(&loaded.session.subject, sid, actor).await,
            LogoutScope::All => self.end_all(&loaded, actor).await,
        }
    }

    /// Whether a token of the session may still pass.
    fn may_act(&self, loaded: &Loaded) -> bool {
        loaded.cut_off.is_none() && !self.passes_no_more(loaded)
    }

    /// Whether no token of the session can pass any more, whatever the log says. An access token may outlive its
    /// session's idle time, and with leeway its absolute end.
    pub(super) fn passes_no_more(&self, loaded: &Loaded) -> bool {
        // By whichever clock is behind: its tokens count from one of them.
        let now = loaded.now.min(self.clock.wall());
        now >= loaded.session.ends_at().plus(self.lifetimes.kept.access())
    }

    async fn end_one(&self, loaded: &Loaded, actor: Text) -> Result<LoggedOut, Error> {
        let entry = self.append_one(self.end_entry(&loaded.session, loaded.now, "logout", actor)).await?;
        Ok(LoggedOut { ended: vec![loaded.session.id], seq: Some(entry.seq) })
    }

    /// Reads all of the subject's sessions that are not swept, dead ones too: where it stopped early, one that lives
    /// would be left.
    async fn end_others(&self, subject: &Subject, this: SessionId, actor: Text) -> Result<LoggedOut, Error> {
        let (mut ended, mut seq) = (Vec::new(), None);
        let mut after = None;
        loop {
            let page = self.store.sessions_of(subject, Page { after, limit: PART }).await?;
            let others = page.sessions.iter().filter(|loaded| self.may_act(loaded) && loaded.session.id != this);
            let entries: Vec<_> =
                others.clone().map(|it| self.end_entry(&it.session, it.now, "logout_others", actor.clone())).collect();
            if !entries.is_empty() {
                seq = self.append(entries).await?.last().map(|entry| entry.seq).or(seq);
                ended.extend(others.map(|loaded| loaded.session.id));
            }
            after = page.next;
            if after.is_none() {
                return Ok(LoggedOut { ended, seq });
            }
        }
    }

    /// One cut-off, however many sessions; which ones it ended is told from the first part of the list.
    async fn end_all(&self, loaded: &Loaded, actor: Text) -> Result<LoggedOut, Error> {
        let subject = &loaded.session.subject;
        let page = self.store.sessions_of(subject, Page { after: None, limit: PART }).await?;
        let entry = self.append_one(self.end_all_entry(subject, loaded.now, actor)).await?;
        let ended =
            page.sessions.iter().filter(|loaded| self.may_act(loaded)).map(|loaded| loaded.session.id).collect();
        Ok(LoggedOut { ended, seq: Some(entry.seq) })
    }

    /// Ends a session that is not in the store. An older copy of the store, or a replica that lagged, may lack its row,
    /// while its access tokens are as good as before. Only such a token says whose others there are.
    async fn end_lost(
        &self,
        sid: SessionId,
        token: Option<&Verified>,
        scope: LogoutScope,
        actor: Text,
    ) -> Result<LoggedOut, Error> {
        if !self.may_pass_though_lost(sid, token).await? {
            return Ok(LoggedOut::NOTHING);
        }
        let now = self.store.health().await?.now;
        let entry = match (scope, token.map(Verified::subject)) {
            (LogoutScope::Others, Some(subject)) => return self.end_others(subject, sid, actor).await,
            (LogoutScope::Others, None) => return Ok(LoggedOut::NOTHING),
            (LogoutScope::All, Some(subject)) => self.end_all_entry(subject, now, actor),
            (LogoutScope::Session, _) | (LogoutScope::All, None) => NewEntry {
                scope: Scope::session(sid),
                act: Act::CutOff,
                reason: Text::known("logout"),
                actor,
                remember_until: self.remember_widely(now),
            },
        };
        let entry = self.append_one(entry).await?;
        Ok(LoggedOut { ended: vec![sid], seq: Some(entry.seq) })
    }

    /// A cut-off on every session of a subject.
    fn end_all_entry(&self, subject: &Subject, now: Timestamp, actor: Text) -> NewEntry {
        NewEntry {
            scope: Scope::Subject(subject.clone()),
            act: Act::CutOff,
            reason: Text::known("logout_everywhere"),
            actor,
            remember_until: self.remember_widely(now),
        }
    }

    /// A cut-off on a session.
    pub(super) fn end_entry(&self, session: &Session, now: Timestamp, reason: &'static str, actor: Text) -> NewEntry {
        NewEntry {
            scope: Scope::session(session.id),
            act: Act::CutOff,
            reason: Text::known(reason),
            actor,
            remember_until: self.remember_session(session, now),
        }
    }
}
