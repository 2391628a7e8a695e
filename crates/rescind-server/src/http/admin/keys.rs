//! `/admin/v1/keys`: the ring of signing keys.

use axum::Json;
use axum::extract::State;
use rescind::KeyStatus;
use rescind::id::KeyId;
use rescind::keys::KeyState;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;
use utoipa::ToSchema;

use super::query::Query;
use super::{actor, reason};
use crate::app::App;
use crate::http::body::OptionalJson;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::admin_shapes;
use crate::http::openapi::answers;
use crate::http::segment::Segment;
use crate::wire::{EntryJson, KeyJson, KeysJson};

/// Lists the keys.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "list_keys",
    tag = "keys",
    responses(
        (status = 200, description = "The ring.", body = KeysJson),
        answers::Unreadable
    )
)]
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<KeysJson>> {
    let [] = query.only([])?;
    let keys = app.rescind.keys();
    Ok(Json(KeysJson { keys: keys.iter().map(shown).collect() }))
}

fn shown(key: &KeyStatus) -> KeyJson {
    let (state, since) = match key.state {
        KeyState::Next => ("next", None),
        KeyState::Current => ("current", None),
        KeyState::Retired { at } => ("retired", Some(at.as_secs())),
        KeyState::Revoked { at } => ("revoked", Some(at.as_secs())),
    };
    KeyJson { kid: key.kid.to_string(), algorithm: key.algorithm.to_string(), state: state.to_owned(), since }
}

/// Nothing can be said about a rotation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Signs with a new key from now on.
#[utoipa::path(
    post,
    path = "/keys/rotate",
    operation_id = "rotate_keys",
    tag = "keys",
    request_body(content = Option<Nothing>),
    responses(
        (status = 200, description = "Rotated.", body = admin_shapes::RotatedJson),
        answers::Body,
        answers::Conflict,
        answers::Unavailable
    )
)]
pub(super) async fn rotate(State(app): State<App>, query: Query, _: OptionalJson<Nothing>) -> Answer<Json<Value>> {
    let [] = query.only([])?;
    let current = app.rescind.rotate_keys().await?;
    info!(%current, "keys rotated");
    Ok(Json(json!({ "current": current })))
}

/// Refuses whatever a key signed, and takes it out of the JWKS.
#[utoipa::path(
    delete,
    path = "/keys/{kid}",
    operation_id = "revoke_key",
    tag = "keys",
    params(
        ("kid" = String, Path, description = "The key."),
        ("reason" = Option<String>, Query, description = "Why, for the log.")
    ),
    responses(
        (status = 200, description = "Revoked: the entry that says so.", body = EntryJson),
        answers::Unreadable,
        answers::NotFound,
        answers::Conflict,
        answers::Unavailable
    )
)]
pub(super) async fn revoke(State(app): State<App>, Segment(kid): Segment, query: Query) -> Answer<Json<EntryJson>> {
    let [given] = query.only(["reason"])?;
    let kid = KeyId::new(&kid).map_err(|error| Failure::invalid_request(format!("the key id {error}")))?;
    let entry = app.rescind.revoke_key(&kid, reason(given.as_deref().or(Some("key revoked")))?, actor()?).await?;
    info!(seq = entry.seq.get(), %kid, "key revoked");
    Ok(Json(EntryJson::from(&entry)))
}
