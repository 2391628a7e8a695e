//! `POST /logout`: ends the caller's session, the others, or all, through the log; the answer comes when that is durable.
//! Takes either token: an access token (an expired one too), a refresh token, or the cookies, which are cleared where
//! their session does not go on.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use rescind::position::Seq;
use rescind::rejection::Rejection;
use rescind::{Error, LoggedOut, LogoutScope};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use crate::app::App;
use crate::http::body::{self, Form, Kind};
use crate::http::caller;
use crate::http::cookies;
use crate::http::error::{Answer, Failure};
use crate::http::token_pair;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Logout {
    scope: Option<String>,
    refresh_token: Option<String>,
}

/// Logs out.
pub(super) async fn submit(State(app): State<App>, request: Request) -> Response {
    let by_cookie = [cookies::ACCESS, cookies::REFRESH]
        .into_iter()
        .any(|name| matches!(cookies::find(request.headers(), name), Ok(Some(_)) | Err(_)));
    let outcome = log_out(&app, request).await;
    // Also where the token is dead already: a browser has no other way to lose it. Not where the request could not be
    // read or the log was not written: the session lives, and the user must be able to try again.
    let over = match &outcome {
        Ok((scope, _)) => *scope != LogoutScope::Others,
        Err(failure) => failure.status() == StatusCode::UNAUTHORIZED,
    };
    let mut response = outcome.map_or_else(IntoResponse::into_response, |(_, response)| response);
    if by_cookie && over {
        cookies::clear(response.headers_mut());
    }
    token_pair::never_stored(&mut response);
    response
}

async fn log_out(app: &App, request: Request) -> Answer<(LogoutScope, Response)> {
    let (parts, content) = request.into_parts();
    let kind = body::kind(&parts.headers)?;
    let bytes = body::read(content, app).await?;
    let logout = match kind {
        _ if bytes.is_empty() => Logout::default(),
        Some(Kind::Json) => body::json(&bytes)?,
        Some(Kind::Form) => from_form(&Form::parse(&bytes)?),
        None => return Err(Failure::invalid_request("Content-Type is missing; send application/json or a form")),
    };
    let scope = match logout.scope.as_deref() {
        None => LogoutScope::Session,
        Some(word) => LogoutScope::parse(word)
            .ok_or_else(|| Failure::invalid_request("unknown scope; one of session, others, all"))?,
    };
    let tokens = presented(&parts.headers, logout.refresh_token.as_deref())?;
    let LoggedOut { ended, seq } = end(app, &tokens, scope).await?;
    let (ended, seq) = (ended.len(), seq.map(Seq::get));
    info!(scope = scope.as_str(), ended, seq, "logged out");
    let response = if kind == Some(Kind::Form) && tokens.by_cookie {
        Redirect::to("/").into_response()
    } else {
        Json(json!({ "ended": ended, "scope": scope.as_str(), "seq": seq })).into_response()
    };
    Ok((scope, response))
}

/// The tokens of one place, in the order in which they are tried.
struct Tokens<'a> {
    first: &'a str,
    second: Option<&'a str>,
    by_cookie: bool,
}

fn presented<'a>(headers: &'a HeaderMap, in_body: Option<&'a str>) -> Answer<Tokens<'a>> {
    let in_header = caller::bearer(headers)?;
    let access = cookies::find(headers, cookies::ACCESS)?;
    let refresh = cookies::find(headers, cookies::REFRESH)?;
    let places = [in_header, in_body, access.or(refresh)];
    match (places.iter().flatten().count(), in_header.or(in_body)) {
        (0, _) => Err(Failure::rejected(Rejection::Missing)),
        (1, Some(token)) => Ok(Tokens { first: token, second: None, by_cookie: false }),
        (1, None) => {
            Ok(Tokens { first: access.or(refresh).unwrap_or_default(), second: access.and(refresh), by_cookie: true })
        }
        _ => Err(Failure::invalid_request("a token came in more than one place; send it in one")),
    }
}

/// A refusal is 401 whichever kind of token it was: it stands for the caller here.
async fn end(app: &App, tokens: &Tokens<'_>, scope: LogoutScope) -> Answer<LoggedOut> {
    let actor = super::actor("logout")?;
    let mut outcome = app.rescind.logout(tokens.first, scope, actor.clone()).await;
    if let (Err(Error::Rejected(_)), Some(second)) = (&outcome, tokens.second) {
        outcome = app.rescind.logout(second, scope, actor).await;
    }
    outcome.map_err(|error| match error {
        Error::Rejected(rejection) => Failure::refused_credential(rejection),
        error => error.into(),
    })
}

fn from_form(form: &Form) -> Logout {
    Logout { scope: form.get("scope").map(str::to_owned), refresh_token: form.get("refresh_token").map(str::to_owned) }
}
