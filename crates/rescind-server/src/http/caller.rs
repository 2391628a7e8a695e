//! Who calls: the one token of a request, from the `Authorization` header or the browser's cookie, never from the query
//! and never from two places (RFC 6750 §2). A handler that takes [`Caller`] runs only for a token that is good.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::COOKIE;
use http::request::Parts;
use rescind::Live;
use rescind::rejection::Rejection;
use rescind_axum::bearer_token;

use super::cookies;
use super::error::{Answer, Failure};
use super::staleness;
use crate::app::App;

/// Where a token was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// `Authorization: Bearer`.
    Header,
    /// A cookie of ours.
    Cookie,
}

/// A caller whose access token is good and not revoked.
pub(crate) struct Caller(pub(crate) Live);

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let (token, _) = presented(&parts.headers)?.ok_or_else(|| Failure::rejected(Rejection::Missing))?;
        let live = app.rescind.check(token).await?;
        staleness::note(app, &parts.extensions, live.staleness());
        Ok(Self(live))
    }
}

/// The token of the header, or of the access cookie.
///
/// # Errors
/// 400 where both are there, or the header is repeated or malformed.
pub(crate) fn presented(headers: &HeaderMap) -> Answer<Option<(&str, Means)>> {
    let header = bearer(headers)?;
    if !headers.contains_key(COOKIE) {
        return Ok(header.map(|token| (token, Means::Header)));
    }
    match (header, cookies::find(headers, cookies::ACCESS)?) {
        (Some(_), Some(_)) => {
            Err(Failure::invalid_request("a token came in the Authorization header and in a cookie; send one of them"))
        }
        (Some(token), None) => Ok(Some((token, Means::Header))),
        (None, Some(token)) => Ok(Some((token, Means::Cookie))),
        (None, None) => Ok(None),
    }
}

/// The token of the header.
///
/// # Errors
/// 400 where the header is repeated or malformed.
pub(crate) fn bearer(headers: &HeaderMap) -> Answer<Option<&str>> {
    bearer_token(headers).map_err(|malformed| Failure::malformed(malformed.text()))
}
