//! The extractor: a handler is given [`Live`] or does not run. Owns nothing of the check, which is the engine's.

use std::ops::Deref;

use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use rescind::Rescind;
use rescind::rejection::Rejection;

use crate::{Refusal, bearer_token};

/// The request's access token: verified, and not revoked at the moment of the check.
///
/// `Option<Live>` is `None` where no token came; a token that is refused is refused there, too.
///
/// **Cost:** no store access.
#[derive(Clone)]
pub struct Live(pub rescind::Live);

impl Deref for Live {
    type Target = rescind::Live;

    fn deref(&self) -> &rescind::Live {
        &self.0
    }
}

impl<S> FromRequestParts<S> for Live
where
    Rescind: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let token = bearer_token(&parts.headers)?.ok_or(Refusal::Rejected(Rejection::Missing))?;
        Ok(Self(Rescind::from_ref(state).check(token).await?))
    }
}

impl<S> OptionalFromRequestParts<S> for Live
where
    Rescind: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        match bearer_token(&parts.headers)? {
            Some(token) => Ok(Some(Self(Rescind::from_ref(state).check(token).await?))),
            None => Ok(None),
        }
    }
}
