//! `POST /oauth/revoke` (RFC 7009): an access token by its `jti`, a refresh token with its whole session, so that the
//! access tokens of the grant die too (§2.1). 200 says that the token is dead, durably; 503 that it may still live.

use axum::extract::{Request, State};
use http::StatusCode;
use rescind::Error;
use tracing::info;

use crate::app::App;
use crate::http::body;
use crate::http::client::Client;
use crate::http::error::{Answer, Failure, TriedHeader};
use crate::http::openapi::answers;
use crate::http::openapi::shapes;

/// Revokes the presented token. `token_type_hint` is not needed: the two kinds look different (§2.1).
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    operation_id = "revoke",
    tag = "tokens",
    request_body(content = shapes::TokenForm, content_type = "application/x-www-form-urlencoded"),
    security((), ("client" = [])),
    responses(
        (status = 200, description = "The token is dead, durably; or it never was one."),
        answers::NotRevoked
    )
)]
pub(super) async fn submit(State(app): State<App>, request: Request) -> Answer<StatusCode> {
    let (parts, form) = body::form(request, &app).await?;
    // §2.1: the client first, then the token.
    let client = Client::of(&parts.headers, &form, &app.config.clients)?;
    let token = form.require("token")?;
    check_owner(&app, token, &client).await?;
    let (reason, actor) = (super::actor("revoked by its holder")?, super::actor("oauth/revoke")?);
    match app.rescind.revoke_once(token, reason, actor).await {
        Ok(_) => Ok(StatusCode::OK),
        // §2.2: an invalid token is as good as revoked, and the answer does not tell the two apart.
        Err(Error::Rejected(rejection)) => {
            info!(reason = rejection.reason(), "nothing to revoke");
            Ok(StatusCode::OK)
        }
        Err(error) => Err(error.into()),
    }
}

/// §2.1: a token is revoked by the client that it was issued to. Whoever holds a public client's token may end it.
async fn check_owner(app: &App, token: &str, client: &Client) -> Answer<()> {
    if *client == Client::Unnamed && !app.config.clients.any_confidential() {
        return Ok(());
    }
    // Whatever its age: a spent refresh token still ends its session, so it has an owner all the same.
    let Some(owner) = app.rescind.client_of(token).await? else { return Ok(()) };
    let confidential = app.config.clients.find(owner.as_str()).is_some_and(crate::config::Registered::confidential);
    match client {
        Client::Proven(id) | Client::Public(id) if *id == owner => Ok(()),
        Client::Unnamed if !confidential => Ok(()),
        Client::Unnamed => Err(Failure::invalid_client(TriedHeader::No)),
        Client::Proven(_) | Client::Public(_) => {
            let problem = "the token was issued to another client";
            Err(Failure::new(StatusCode::BAD_REQUEST, "unauthorized_client", problem))
        }
    }
}
