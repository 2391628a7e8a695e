//! The extractors: a handler is given [`Live`] or does not run. Owns nothing of the check, which is the engine's.

use std::ops::Deref;
use std::time::Duration;

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use rescind::access_token::Verified;
use rescind::{NoClaims, ReadClaims, Rescind};

use crate::bearer::{TokensIn, access_token};
use crate::guard::{Passed, Who};
use crate::staleness::warn_of_staleness;
use crate::{Missing, Refusal};

/// The request's access token: verified, and not revoked at the moment of the check. `C` is what the handler wants to
/// read of the application's own claims.
///
/// Behind a [`Guard`](crate::Guard) of the same handle it is the token that the guard let pass, by the guard's rules; else
/// the one of the `Authorization` header, by the handle's own. Behind a guard of another handle, as of another issuer, it
/// is looked for where that one did, and checked anew. `Option<Live<C>>` is `None` where no token came; a token that is
/// refused is refused there, too.
///
/// **Cost:** no store access; reading a `C` other than [`NoClaims`] parses the claims at every request.
#[derive(Clone)]
pub struct Live<C = NoClaims>(pub rescind::Live<C>);

impl<C> Live<C> {
    /// Requires a word of the OAuth scope, for `?` in a handler that returns a [`Refusal`].
    ///
    /// # Errors
    /// 403 `insufficient_scope`.
    pub fn require_scope(&self, word: &str) -> Result<(), Refusal> {
        Ok(self.0.require_scope(word)?)
    }

    /// Requires a sign-in that is no older than this, for `?` in a handler that returns a [`Refusal`].
    ///
    /// # Errors
    /// 401 `insufficient_user_authentication` (RFC 9470 §3).
    pub fn require_fresh(&self, max_age: Duration) -> Result<(), Refusal> {
        Ok(self.0.require_fresh(max_age)?)
    }
}

impl<C> Deref for Live<C> {
    type Target = rescind::Live<C>;

    fn deref(&self) -> &rescind::Live<C> {
        &self.0
    }
}

impl<S, C> FromRequestParts<S> for Live<C>
where
    Rescind: FromRef<S>,
    S: Send + Sync,
    C: ReadClaims,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        read(live(parts, state).await??)
    }
}

impl<S, C> OptionalFromRequestParts<S> for Live<C>
where
    Rescind: FromRef<S>,
    S: Send + Sync,
    C: ReadClaims,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        live(parts, state).await?.ok().map(read).transpose()
    }
}

/// The live token of a request, or what was there in its place.
async fn live<S>(parts: &Parts, state: &S) -> Result<Result<rescind::Live, Missing>, Refusal>
where
    Rescind: FromRef<S>,
{
    let rescind = Rescind::from_ref(state);
    let passed = parts.extensions.get::<Passed>();
    if let Some(Who::Live(live)) = passed.map(|passed| passed.who(&rescind)) {
        return Ok(Ok(live.clone()));
    }
    // The guard skipped the log, or asked another's; this handler does not.
    let tokens = passed.map_or(TokensIn::Header, Passed::tokens);
    let token = match access_token(&parts.headers, tokens)? {
        Ok((token, _)) => token,
        Err(missing) => return Ok(Err(missing)),
    };
    let live = rescind.check(token).await?;
    if let Some(age) = live.staleness() {
        warn_of_staleness(&rescind, age);
    }
    Ok(Ok(live))
}

/// The token is good: whoever gets 401 for its claims would throw it away.
fn read<C: ReadClaims>(live: rescind::Live) -> Result<Live<C>, Refusal> {
    live.with_claims().map(Live).map_err(|_| Refusal::OtherClaims)
}

/// The request's access token with signature, claims and times checked, and **the log not asked: it may be revoked**.
///
/// Only behind a [`Guard`](crate::Guard) that says [`skip_revocation_check`](crate::Guard::skip_revocation_check); anywhere
/// else the log is asked before a handler gets it.
#[derive(Clone)]
pub struct Unchecked<C = NoClaims> {
    verified: Verified,
    claims: C,
}

impl<C> Unchecked<C> {
    /// The application's own claims.
    pub const fn claims(&self) -> &C {
        &self.claims
    }
}

impl<C> Deref for Unchecked<C> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.verified
    }
}

impl<S, C> FromRequestParts<S> for Unchecked<C>
where
    Rescind: FromRef<S>,
    S: Send + Sync,
    C: ReadClaims,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let passed = parts.extensions.get::<Passed>();
        let verified = match passed.map(|passed| passed.who(&Rescind::from_ref(state))) {
            Some(Who::Unchecked(verified)) => verified.clone(),
            _ => Verified::clone(&*live(parts, state).await??),
        };
        let claims = C::read(&verified).map_err(|_| Refusal::OtherClaims)?;
        Ok(Self { verified, claims })
    }
}
