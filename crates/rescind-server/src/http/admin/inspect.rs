//! `POST /admin/v1/inspect`: what a token says and why it would be refused now, for an operator. Spends nothing: looking
//! at a spent refresh token does not end its session.

use axum::Json;
use axum::extract::State;
use rescind::{Inspection, Kind};
use serde::Deserialize;
use utoipa::ToSchema;

use super::query::Query;
use crate::app::App;
use crate::http::body::StrictJson;
use crate::http::error::Answer;
use crate::http::openapi::answers;
use crate::wire::{EntryJson, InspectionJson};

/// A token is a secret: no `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InspectRequest {
    token: String,
}

/// Says all there is to say about a token.
#[utoipa::path(
    post,
    path = "/inspect",
    operation_id = "inspect",
    tag = "tokens",
    request_body(content = InspectRequest),
    responses(
        (status = 200, description = "What there is to say.", body = InspectionJson),
        answers::Body
    )
)]
pub(super) async fn inspect(
    State(app): State<App>,
    query: Query,
    StrictJson(request): StrictJson<InspectRequest>,
) -> Answer<Json<InspectionJson>> {
    let [] = query.only([])?;
    let Inspection { kind, header, claims, refused, fault, cut_off, explanation } =
        app.rescind.inspect(&request.token).await;
    let kind = match kind {
        Kind::Access => "access",
        Kind::Refresh => "refresh",
        Kind::Unknown => "unknown",
    };
    Ok(Json(InspectionJson {
        kind: kind.to_owned(),
        header,
        claims,
        accepted: fault.is_none().then_some(refused.is_none()),
        refused: refused.map(|rejection| rejection.reason().to_owned()),
        cut_off: cut_off.as_ref().map(EntryJson::from),
        explanation,
    }))
}
