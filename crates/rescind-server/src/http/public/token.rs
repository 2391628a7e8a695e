//! `POST /oauth/token`: refresh (RFC 6749 §6). Owns which client may ask and where the refresh token is found; what it
//! is worth is decided by the engine's table.

use axum::extract::{Request, State};
use http::StatusCode;
use rescind::id::ClientId;
use rescind::rejection::Rejection;
use rescind::{Error, Refresh};
use rescind_axum::cookies;
use tracing::warn;

use super::login::CLIENT;
use crate::app::App;
use crate::http::body::{self, Form, Kind};
use crate::http::client::Client;
use crate::http::error::{Answer, Failure, TriedHeader};
use crate::http::openapi::answers;
use crate::http::openapi::shapes;
use crate::http::token_pair;

/// Answers a grant: `refresh_token` is the one there is.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "token",
    tag = "tokens",
    request_body(content((shapes::GrantForm = "application/x-www-form-urlencoded"), (shapes::GrantForm = "application/json"))),
    security((), ("client" = [])),
    responses(
        (status = 200, description = "New tokens.", body = shapes::RefreshedJson, headers(("pragma" = String, description = "`no-cache`, for old caches."), ("set-cookie" = String, description = "Where a browser's cookies are set or cleared."))),
        answers::Grant
    )
)]
pub(super) async fn submit(State(app): State<App>, request: Request) -> Answer {
    let (parts, content) = request.into_parts();
    let kind = body::kind(&parts.headers)?;
    let bytes = body::read(content, &app).await?;
    let form = match kind {
        Some(Kind::Form) => Form::parse(&bytes)?,
        Some(Kind::Json) => Form::from_json(&bytes)?,
        None => return Err(Failure::invalid_request("Content-Type is missing; send a form")),
    };
    if form.require("grant_type")? != "refresh_token" {
        let problem = "the grant type is not refresh_token";
        return Err(Failure::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", problem));
    }
    let client = Client::of(&parts.headers, &form, &app.config.clients)?;
    let (in_body, in_cookie) = (form.get("refresh_token"), cookies::cookie(&parts.headers, cookies::REFRESH)?);
    if client == Client::Unnamed {
        refuse_unproven(&app, in_body.or(in_cookie)).await?;
    }
    let refresh = Refresh { client: client_id(&app, &client)?, scope: form.get("scope").map(str::to_owned) };
    match (in_body, in_cookie) {
        (Some(_), Some(_)) => {
            Err(Failure::invalid_request("a refresh token came in the body and in a cookie; send one of them"))
        }
        (Some(token), None) => refreshed(&app, token, refresh).await.map(token_pair::in_body),
        // A failure does not clear the cookies: another tab may have won the race and set good ones.
        (None, Some(token)) => refreshed(&app, token, refresh).await.and_then(token_pair::in_cookies),
        (None, None) => Err(Failure::invalid_request("parameter refresh_token is missing")),
    }
}

async fn refreshed(app: &App, token: &str, refresh: Refresh) -> Answer<rescind::TokenPair> {
    let outcome = app.rescind.refresh(token, refresh).await;
    outcome.map(|refreshed| refreshed.pair).map_err(|error| match error {
        Error::Rejected(rejection) => {
            if rejection == Rejection::Reused {
                warn!("a spent refresh token came back outside of its grace; its session is ended");
            }
            Failure::refused_grant(rejection)
        }
        error => error.into(),
    })
}

/// RFC 6749 §5.2: a confidential client that proves nothing is `invalid_client`; its token is not at fault.
async fn refuse_unproven(app: &App, token: Option<&str>) -> Answer<()> {
    let Some(token) = token.filter(|_| app.config.clients.any_confidential()) else { return Ok(()) };
    let owner = app.rescind.client_of(token).await?;
    match owner.and_then(|owner| app.config.clients.find(owner.as_str())) {
        Some(owner) if owner.confidential() => Err(Failure::invalid_client(TriedHeader::No)),
        _ => Ok(()),
    }
}

/// RFC 6749 §6: a confidential client proves itself. Where there are any, a request that names no client is the
/// sign-in page's, so that nobody gets around the proof by leaving the name out.
fn client_id(app: &App, client: &Client) -> Answer<Option<ClientId>> {
    match client.id() {
        Some(id) => Ok(Some(id.clone())),
        None if app.config.clients.any_confidential() => {
            ClientId::new(CLIENT).map(Some).map_err(|error| Failure::invalid_request(error.to_string()))
        }
        None => Ok(None),
    }
}
