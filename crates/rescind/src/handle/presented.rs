//! What a presented token stands for when it is taken back or logs out, whatever its age: a session, or itself by its
//! name (RFC 7009 §2.1). Owns what is left to revoke of it; lets nobody in.

use super::Inner;
use super::check::Policy;
use super::error::Error;
use super::settings::OnStale;
use crate::access_token::{ForeignVerified, Verified};
use crate::id::{KeyId, SessionId};
use crate::log::{Scope, ScopeKind, SessionRef, TokenRef};
use crate::position::Seq;
use crate::refresh_token::looks_like_refresh_token;
use crate::rejection::{Claim, Rejection};
use crate::session::Loaded;
use crate::view::{Now, Probe, Scopes, View};

/// An authentic token.
pub(super) enum Presented {
    /// A refresh token of a session.
    Refresh(SessionId),
    /// An access token of ours.
    Own(Verified),
    /// An access token of a foreign issuer.
    Foreign(ForeignVerified),
}

impl Presented {
    /// What revoking it cuts off.
    pub(super) fn scope(&self) -> Result<Scope, Rejection> {
        match self {
            Self::Refresh(sid) => Ok(Scope::session(*sid)),
            Self::Own(token) => Ok(Scope::token(token.jti())),
            Self::Foreign(token) => token.token().cloned().map(Scope::Token).ok_or(Rejection::MissingClaim(Claim::Jti)),
        }
    }
}

impl Inner {
    /// Reads an authentic token, whatever its age (a foreign one: while it passes) and whatever was revoked.
    pub(super) fn presented(&self, text: &str) -> Result<Presented, Error> {
        if looks_like_refresh_token(text) {
            return Ok(Presented::Refresh(self.refresh_tokens()?.read(text)?.session));
        }
        match self.verify_whatever_its_age(text) {
            Ok(verified) => Ok(Presented::Own(verified)),
            Err(Rejection::UnknownKey) => Ok(Presented::Foreign(self.verify_foreign(text)?.0)),
            Err(other) => Err(other.into()),
        }
    }

    /// Whether a cut-off on the token would change nothing: its own is there, or the token passes nowhere any more.
    /// A cut-off on a wider scope does not count, since it may be lifted.
    pub(super) async fn nothing_left_of(&self, token: &Presented) -> Result<bool, Error> {
        match token {
            Presented::Refresh(sid) => {
                let own = |loaded: &Loaded| loaded.cut_off.as_ref().is_some_and(|it| it.scope == Scope::session(*sid));
                match self.store.load(*sid).await? {
                    Some(loaded) => Ok(own(&loaded) || self.passes_no_more(&loaded)),
                    None => Ok(!self.may_pass_though_lost(*sid, None).await?),
                }
            }
            Presented::Own(verified) => {
                // By whichever clock is behind: the token counts from one of them.
                let now = self.store.health().await?.now.min(self.clock.wall());
                Ok(now >= verified.expires_at().plus(self.lifetimes.kept.access())
                    || self.is_cut_off(&TokenRef::Own(verified.jti()), verified.key_id()).await?)
            }
            Presented::Foreign(verified) => match verified.token() {
                Some(name) => self.is_cut_off(name, verified.key_id()).await,
                None => Ok(false),
            },
        }
    }

    /// Refuses an access token of ours that was revoked by its name: whoever holds a stolen one that was taken back
    /// may end its session with it, which costs only a sign-in, but not all the others.
    pub(super) async fn refuse_cut_off(&self, verified: &Verified) -> Result<(), Error> {
        let probe = self.probe_of(&TokenRef::Own(verified.jti()), verified.key_id());
        let covering = |view: &View| view.covering_by_name(&probe);
        self.ask_log(covering, Policy::Bounded(OnStale::Refuse), Now::read(&*self.clock)).await.map(drop)
    }

    /// Whether a session that is not in the store may have tokens that pass: its row may be lost. Of a token that was
    /// presented for it every scope counts, else the session's own.
    pub(super) async fn may_pass_though_lost(&self, sid: SessionId, token: Option<&Verified>) -> Result<bool, Error> {
        if !self.may_be_lost(sid, self.store.health().await?.now) {
            return Ok(false);
        }
        let probe = if let Some(token) = token {
            self.probe_whole(token)
        } else {
            let ring = self.ring()?.load();
            let (session, key) = (SessionRef::Own(sid), ring.keys.current().id());
            let scopes = Scopes { token: None, session: Some(&session), subject: None, client: None, key };
            self.view.probe(scopes, Seq::ZERO)
        };
        let covering =
            |view: &View| if token.is_some() { view.covering(&probe) } else { view.covering_by_name(&probe) };
        match self.ask_log(covering, Policy::Strict, Now::read(&*self.clock)).await {
            Ok(_) => Ok(true),
            Err(Error::Rejected(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn is_cut_off(&self, token: &TokenRef, key: &KeyId) -> Result<bool, Error> {
        let probe = self.probe_of(token, key);
        match self.ask_log(|view: &View| view.covering_by_name(&probe), Policy::Strict, Now::read(&*self.clock)).await {
            Err(Error::Rejected(Rejection::Revoked(ScopeKind::Token))) => Ok(true),
            // Where nothing can be said, the cut-off is made: twice is as good as once.
            Ok(_) | Err(Error::Stale { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Asks for the token's own name and nothing else.
    fn probe_of(&self, token: &TokenRef, key: &KeyId) -> Probe {
        let scopes = Scopes { token: Some(token), session: None, subject: None, client: None, key };
        self.view.probe(scopes, Seq::ZERO)
    }
}
