//! `POST /oauth/introspect` (RFC 7662): for the holder of the admin token and for confidential clients. Whoever else asks
//! is refused before the token is looked at, so that nobody can try tokens out here (§4).

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use rescind::session::Session;
use rescind::{Error, Introspection, Live};
use rescind_axum::mark_staleness;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::http::body::{self, Form};
use crate::http::caller;
use crate::http::client::Client;
use crate::http::error::{Answer, Failure, TriedHeader};
use crate::http::openapi::answers;
use crate::http::openapi::shapes;
use crate::http::token_pair;

/// Says what a token is worth now.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    operation_id = "introspect",
    tag = "tokens",
    request_body(content = shapes::TokenForm, content_type = "application/x-www-form-urlencoded"),
    security(("adminToken" = []), ("client" = [])),
    responses(
        (status = 200, description = "What the token is worth now.", body = shapes::IntrospectionJson, headers(("rescind-staleness-ms" = u64, description = "Where the view was stale and the operator lets it answer: its age."))),
        answers::NotTold
    )
)]
pub(super) async fn submit(State(app): State<App>, request: Request) -> Answer {
    let (parts, form) = body::form(request, &app).await?;
    authorize(&app, &parts.headers, &form)?;
    let mut headers = HeaderMap::new();
    let body = match app.rescind.introspect(form.require("token")?).await? {
        // §2.2: nothing else, whatever the reason.
        Introspection::Inactive => json!({ "active": false }),
        Introspection::Access(live) => {
            mark_staleness(&mut headers, &app.rescind, &live);
            access(&live)?
        }
        Introspection::Refresh(session) => refresh(&app, &session),
    };
    let mut response: Response = (headers, Json(body)).into_response();
    token_pair::never_stored(&mut response);
    Ok(response)
}

fn authorize(app: &App, headers: &HeaderMap, form: &Form) -> Answer<()> {
    if let Some(token) = caller::bearer(headers)? {
        return if app.admin_token.fits(token) { Ok(()) } else { Err(Failure::bad_credential()) };
    }
    match Client::of(headers, form, &app.config.clients)? {
        Client::Proven(_) => Ok(()),
        Client::Public(_) | Client::Unnamed => Err(Failure::invalid_client(TriedHeader::Basic)),
    }
}

fn access(live: &Live) -> Answer<Value> {
    // The check has read it strictly: no member is there twice.
    let members = serde_json::from_str(live.payload()).map_err(|error| Error::Internal(error.into()))?;
    let mut members: Map<String, Value> = members;
    members.insert("active".to_owned(), Value::Bool(true));
    members.insert("token_type".to_owned(), Value::from("Bearer"));
    Ok(Value::Object(members))
}

fn refresh(app: &App, session: &Session) -> Value {
    let mut members = json!({
        "active": true,
        "iss": app.rescind.issuer(),
        "sub": session.subject,
        "client_id": session.client,
        "sid": session.id,
        "iat": session.rotated_at.as_secs(),
        "exp": session.ends_at().as_secs(),
        "auth_time": session.auth_time.as_secs(),
    });
    if let (Some(scope), Some(members)) = (&session.scope, members.as_object_mut()) {
        members.insert("scope".to_owned(), Value::from(scope.as_str()));
    }
    members
}
