//! The extractor: a handler is given [`Live`] or does not run. Owns nothing of the check, which is the engine's.

use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use rescind::rejection::Rejection;
use rescind::{NoClaims, ReadClaims, Rescind};

use crate::{Refusal, bearer_token};

/// The request's access token: verified, and not revoked at the moment of the check. `C` is what the handler wants to
/// read of the application's own claims.
///
/// `Option<Live<C>>` is `None` where no token came; a token that is refused is refused there, too.
///
/// **Cost:** no store access; reading a `C` other than [`NoClaims`] parses the claims at every request.
#[derive(Clone)]
pub struct Live<C = NoClaims>(pub rescind::Live<C>);

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
        let token = bearer_token(&parts.headers)?.ok_or(Refusal::Rejected(Rejection::Missing))?;
        checked(token, state).await
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
        match bearer_token(&parts.headers)? {
            Some(token) => checked(token, state).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn checked<S, C: ReadClaims>(token: &str, state: &S) -> Result<Live<C>, Refusal>
where
    Rescind: FromRef<S>,
{
    let live = Rescind::from_ref(state).check(token).await?;
    // The token is good: whoever gets 401 would throw it away.
    live.with_claims().map(Live).map_err(|_| Refusal::OtherClaims)
}
