//! The extractor: a handler is given [`Live`] or does not run. Owns nothing of the check, which is the engine's.

use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use rescind::Rescind;
use rescind::rejection::Rejection;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Refusal, bearer_token};

/// The request's access token: verified, and not revoked at the moment of the check. `C` is what the handler wants to
/// read of the application's own claims.
///
/// `Option<Live<C>>` is `None` where no token came; a token that is refused is refused there, too.
///
/// **Cost:** no store access; reading `C` parses the claims.
#[derive(Clone)]
pub struct Live<C = AnyClaims>(pub rescind::Live<C>);

/// Whatever the application's own claims are: the handler reads none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AnyClaims {}

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
    C: DeserializeOwned,
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
    C: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match bearer_token(&parts.headers)? {
            Some(token) => checked(token, state).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn checked<S, C: DeserializeOwned>(token: &str, state: &S) -> Result<Live<C>, Refusal>
where
    Rescind: FromRef<S>,
{
    let live = Rescind::from_ref(state).check(token).await?;
    live.with_claims().map(Live).map_err(Refusal::Rejected)
}
