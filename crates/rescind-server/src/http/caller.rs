//! Who calls: the one token of a request, from the `Authorization` header or the browser's cookie, never from the query
//! and never from two places (RFC 6750 §2). A handler that takes [`Caller`] runs only for a token that is good.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use rescind::Live;
use rescind::rejection::Rejection;
use rescind_axum::{TokensIn, access_token, bearer_token};

use super::error::{Answer, Failure};
use crate::app::App;

/// A caller whose access token is good and not revoked.
pub(crate) struct Caller(pub(crate) Live);

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let found = access_token(&parts.headers, TokensIn::HeaderOrCookie)?;
        let (token, _) = found.map_err(|_| Failure::rejected(Rejection::Missing))?;
        Ok(Self(app.rescind.check(token).await?))
    }
}

/// The token of the header.
///
/// # Errors
/// 400 where the header is repeated or malformed.
pub(crate) fn bearer(headers: &HeaderMap) -> Answer<Option<&str>> {
    Ok(bearer_token(headers)?)
}
