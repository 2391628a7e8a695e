//! `POST /logout`: ends the caller's session, the others, or all, through the log; the answer comes when that is durable.
//! Takes either token: an access token (an expired one too), a refresh token, or the cookies, which are cleared where
//! their session does not go on.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use rescind::position::Seq;
use rescind::{Error, LoggedOut, LogoutScope};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::presented::Presented;
use super::{Routes, Shared, actor, kept_by_nobody};
use crate::bearer::{Means, TokensIn};
use crate::body::{Form, Kind};
use crate::cookies::{ACCESS, REFRESH, cookie};
use crate::{Missing, Refusal, Unreadable};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asked {
    scope: Option<String>,
    refresh_token: Option<String>,
}

/// Logs out.
pub(super) async fn submit(State(Shared(routes)): State<Shared>, request: Request) -> Response {
    let by_cookie = routes.has_cookies(request.headers());
    let outcome = routes.log_out(request).await;
    // Also where the token is dead already: a browser has no other way to lose it. Not where the request could not be
    // read or the log was not written: the session lives, and the user must be able to try again.
    let over = match &outcome {
        Ok((scope, _)) => *scope != LogoutScope::Others,
        Err(refusal) => refusal.status() == StatusCode::UNAUTHORIZED,
    };
    let mut response = outcome.map_or_else(IntoResponse::into_response, |(_, response)| response);
    if by_cookie && over {
        routes.cookies.unwrap_or_default().clear(response.headers_mut());
    }
    kept_by_nobody(response)
}

impl Routes {
    fn has_cookies(&self, headers: &HeaderMap) -> bool {
        let there = |name: &&str| matches!(cookie(headers, name), Ok(Some(_)) | Err(_));
        self.places() != TokensIn::Header && [ACCESS, REFRESH].iter().any(there)
    }

    async fn log_out(&self, request: Request) -> Result<(LogoutScope, Response), Refusal> {
        let (parts, kind, asked) = self.read::<Asked>(request).await?;
        let scope = match asked.scope.as_deref() {
            None => LogoutScope::Session,
            Some(word) => LogoutScope::parse(word)
                .ok_or_else(|| Unreadable::invalid("unknown scope; one of session, others, all"))?,
        };
        let presented = self.presented(&parts, asked.refresh_token.as_deref(), &[ACCESS, REFRESH]).await?;
        let presented = presented.ok_or_else(|| missing(&parts.headers))?;
        let LoggedOut { ended, seq } = self.end_by(&presented, scope).await?;
        let (ended, seq) = (ended.len(), seq.map(Seq::get));
        info!(scope = scope.as_str(), ended, seq, "logged out");
        let response = match &self.after_logout {
            Some(page) if kind == Some(Kind::Form) && presented.means == Means::Cookie => {
                Redirect::to(page).into_response()
            }
            _ => Json(json!({ "ended": ended, "scope": scope.as_str(), "seq": seq })).into_response(),
        };
        Ok((scope, response))
    }

    /// Ends sessions at the word of the first token that is good: of two cookies one may be left of another session.
    async fn end_by(&self, presented: &Presented<'_>, scope: LogoutScope) -> Result<LoggedOut, Refusal> {
        let mut refused = Refusal::Missing(Missing::Everything);
        for token in &presented.tokens {
            match self.rescind.logout(token, scope, actor("logout")?).await {
                Err(Error::Rejected(rejection)) => refused = rejection.into(),
                outcome => return Ok(outcome?),
            }
        }
        Err(refused)
    }
}

fn missing(headers: &HeaderMap) -> Refusal {
    let other = headers.contains_key(AUTHORIZATION);
    Refusal::Missing(if other { Missing::OtherScheme } else { Missing::Everything })
}

impl From<&Form> for Asked {
    fn from(form: &Form) -> Self {
        let given = |name| form.get(name).map(str::to_owned);
        Self { scope: given("scope"), refresh_token: given("refresh_token") }
    }
}
