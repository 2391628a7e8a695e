//! `/admin/v1/users`: who may sign in. Owns that disabling a user and changing a password end the user's sessions, in
//! this order: the record first, so that no new session begins, then the cut-off, so that no old one goes on.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rescind::Revoke;
use rescind::id::Subject;
use rescind::log::Scope;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::query::{Query, limit};
use super::{actor, reason};
use crate::app::App;
use crate::http::body::StrictJson;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::admin_shapes;
use crate::http::openapi::answers;
use crate::http::segment::Segment;
use crate::users::{Account, Added, Change, User, account};
use crate::wire::{AccountJson, UserJson, UsersJson};

/// A user: name and password, or issuer and subject of an account at a provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddRequest {
    username: Option<String>,
    password: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
}

/// One of these, or both.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeRequest {
    disabled: Option<bool>,
    password: Option<String>,
}

/// Lists the users by name.
#[utoipa::path(
    get,
    path = "/users",
    operation_id = "list_users",
    tag = "users",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 where nothing is said.", minimum = 1, maximum = 1000)
    ),
    responses(
        (status = 200, description = "A page of them, by name.", body = UsersJson),
        answers::Unreadable,
        answers::Unavailable
    )
)]
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<UsersJson>> {
    let [cursor, asked] = query.only(["cursor", "limit"])?;
    let limit = limit(asked)?;
    let users = app.users.list(cursor.as_deref(), limit).await?;
    let next = users.last().filter(|_| users.len() == limit).map(|user| user.subject.to_string());
    Ok(Json(UsersJson { users: users.iter().map(shown).collect(), next }))
}

/// Adds a user: by name and password, or by the issuer and subject of an account at a provider.
#[utoipa::path(
    post,
    path = "/users",
    operation_id = "add_user",
    tag = "users",
    request_body(content = AddRequest),
    responses(
        (status = 201, description = "Added.", body = UserJson),
        answers::Body,
        answers::Conflict,
        answers::Unavailable
    )
)]
pub(super) async fn add(
    State(app): State<App>,
    query: Query,
    StrictJson(request): StrictJson<AddRequest>,
) -> Answer<Response> {
    let [] = query.only([])?;
    let AddRequest { username, password, issuer, subject } = request;
    let user = match (username, password.map(Zeroizing::new), issuer, subject) {
        (Some(username), Some(password), None, None) => {
            app.proven(|| app.users.add(&username, password.clone())).await?
        }
        (None, None, Some(issuer), Some(subject)) => add_account(&app, issuer, subject).await?,
        _ => return Err(Failure::invalid_request("give username and password, or issuer and subject")),
    };
    info!(user = %user.subject, "user added");
    Ok((StatusCode::CREATED, Json(shown(&user))).into_response())
}

/// An issuer that is not configured, down to the last slash, would wait for somebody who can never come.
async fn add_account(app: &App, issuer: String, subject: String) -> Answer<User> {
    let configured = &app.config.providers;
    if !configured.iter().any(|provider| provider.issuer == issuer) {
        let names: Vec<_> = configured.iter().map(|provider| provider.issuer.as_str()).collect();
        let names = if names.is_empty() { "no provider is".to_owned() } else { format!("{} is", names.join(", ")) };
        return Err(Failure::invalid_request(format!("no provider of this issuer is configured; {names}")));
    }
    let id = Subject::new(&subject).and_then(|_| account(&issuer, &subject));
    let id = id.map_err(|error| Failure::invalid_request(format!("subject {error}")))?;
    let account = Account { issuer, subject, email: None, added: Added::Operator };
    Ok(app.proven(|| app.users.add_account(&id, account.clone())).await?)
}

/// Changes a user. A user who is disabled or gets a new password loses every session; one who is enabled gets none back.
#[utoipa::path(
    patch,
    path = "/users/{sub}",
    operation_id = "change_user",
    tag = "users",
    params(
        ("sub" = String, Path, description = "The user.")
    ),
    request_body(content = ChangeRequest),
    responses(
        (status = 200, description = "Changed.", body = admin_shapes::ChangedUserJson),
        answers::Body,
        answers::NotFound,
        answers::Unavailable
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    Segment(sub): Segment,
    query: Query,
    StrictJson(request): StrictJson<ChangeRequest>,
) -> Answer<Json<Value>> {
    let [] = query.only([])?;
    let subject = Subject::new(&sub).map_err(|error| Failure::invalid_request(format!("the user's name {error}")))?;
    let why = match (request.disabled, &request.password) {
        (None, None) => return Err(Failure::invalid_request("nothing to change; give disabled, password, or both")),
        (Some(true), _) => Some("user_disabled"),
        (_, Some(_)) => Some("password_changed"),
        (Some(false), None) => None,
    };
    let change = Change { disabled: request.disabled, password: request.password.map(Zeroizing::new) };
    let user = app.proven(|| app.users.change(&subject, change.clone())).await?;
    info!(user = %user.subject, disabled = user.disabled, because = why, "user changed");
    let mut body = json!(shown(&user));
    if let Some(why) = why {
        // Should this fail, the caller gets 503 and asks again: both steps may be done twice.
        let revoke = Revoke { scope: Scope::Subject(subject), reason: reason(Some(why))?, actor: actor()? };
        let entry = app.rescind.revoke(revoke).await?;
        if let Some(members) = body.as_object_mut() {
            members.insert("ended_by".to_owned(), json!(entry.seq));
        }
    }
    Ok(Json(body))
}

fn shown(user: &User) -> UserJson {
    UserJson {
        subject: user.subject.to_string(),
        username: user.subject.to_string(),
        disabled: user.disabled,
        created_at: user.created_at.as_secs(),
        account: user.account.as_ref().map(|account| AccountJson {
            issuer: account.issuer.clone(),
            subject: account.subject.clone(),
            email: account.email.as_ref().map(|email| email.address.clone()),
            email_verified: account.email.as_ref().map(|email| email.verified),
        }),
    }
}
