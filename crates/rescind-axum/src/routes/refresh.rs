//! `POST /refresh`: a refresh token for a new pair, which comes back the way the token came (RFC 6749 §6). Owns where
//! it is found; what it is worth is decided by the engine's table.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use rescind::id::ClientId;
use rescind::{Error, Refresh};
use serde::Deserialize;

use super::{Routes, Shared, kept_by_nobody};
use crate::bearer::Means;
use crate::body::Form;
use crate::cookies::REFRESH;
use crate::{Refusal, Tokens, Unreadable};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asked {
    grant_type: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
}

/// Exchanges a refresh token.
pub(super) async fn submit(State(Shared(routes)): State<Shared>, request: Request) -> Response {
    // A failure does not clear the cookies: another tab may have won the race and set good ones.
    kept_by_nobody(routes.refresh(request).await.unwrap_or_else(IntoResponse::into_response))
}

impl Routes {
    async fn refresh(&self, request: Request) -> Result<Response, Refusal> {
        let (parts, _, asked) = self.read::<Asked>(request).await?;
        if asked.grant_type.as_deref().is_some_and(|grant| grant != "refresh_token") {
            return Err(Unreadable::invalid("the grant type is not refresh_token").into());
        }
        let client = asked.client_id.as_deref().map(ClientId::new).transpose();
        let client = client.map_err(|error| Unreadable::invalid(format!("client_id {error}")))?;
        let in_body = asked.refresh_token.as_deref().filter(|token| !token.is_empty());
        let presented = self.presented(&parts, in_body, &[REFRESH]).await?;
        let presented = presented.ok_or(Refusal::NoRefreshToken)?;
        let token = presented.tokens.first().ok_or(Refusal::NoRefreshToken)?;
        let refreshed = self.rescind.refresh(token, Refresh { client, scope: asked.scope }).await;
        let tokens = Tokens(refreshed.map_err(grant)?.pair);
        match presented.means {
            Means::Cookie => Ok(tokens.in_cookies(self.cookies.unwrap_or_default())?),
            Means::Header | Means::Body => Ok(tokens.into_response()),
        }
    }
}

/// RFC 6749 §5.2: a refresh token that is refused is no 401.
fn grant(error: Error) -> Refusal {
    match error {
        Error::Rejected(rejection) => Refusal::Grant(rejection),
        error => error.into(),
    }
}

impl From<&Form> for Asked {
    fn from(form: &Form) -> Self {
        let given = |name| form.get(name).map(str::to_owned);
        Self {
            grant_type: given("grant_type"),
            refresh_token: given("refresh_token"),
            client_id: given("client_id"),
            scope: given("scope"),
        }
    }
}
