//! `/admin/v1/sessions`: a trusted backend opens sessions for users that it has checked itself, and an operator sees a
//! user's sessions with their state and why. Owns the request's members; the engine owns what a session is.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use rescind::id::{ClientId, SessionId, Subject};
use rescind::log::CutOff;
use rescind::refresh_token::ClientClass;
use rescind::session::{Lapse, Loaded};
use rescind::store::Page;
use rescind::{OpenSession, Rescind};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::info;
use utoipa::ToSchema;

use super::query::{Query, limit};
use crate::app::App;
use crate::config::{Clients, Registered};
use crate::http::body::StrictJson;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::answers;
use crate::http::openapi::shapes;
use crate::http::segment::Segment;
use crate::http::token_pair;
use crate::wire::{SessionJson, SessionsJson, StateJson, WhyJson, words};

/// The application that a session belongs to where the backend names none.
const DEFAULT_CLIENT: &str = "rescind";

/// A session to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenRequest {
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    subject: String,
    #[schema(min_length = 1, max_length = 255, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    client_id: Option<String>,
    #[schema(value_type = Option<words::ClassWord>)]
    class: Option<String>,
    device: Option<String>,
    scope: Option<String>,
    #[schema(value_type = Option<Object>)]
    claims: Option<Map<String, Value>>,
}

/// Opens a session for a user whom the caller has checked.
#[utoipa::path(
    post,
    path = "/sessions",
    operation_id = "open_session",
    tag = "sessions",
    request_body(content = OpenRequest),
    responses(
        (status = 200, description = "Opened.", body = shapes::TokenPairJson, headers(("pragma" = String, description = "`no-cache`, for old caches."))),
        answers::Body,
        answers::Unavailable
    )
)]
pub(super) async fn open(State(app): State<App>, query: Query, StrictJson(request): StrictJson<OpenRequest>) -> Answer {
    let [] = query.only([])?;
    let client = named("client_id", ClientId::new(request.client_id.as_deref().unwrap_or(DEFAULT_CLIENT)))?;
    let pair = app
        .rescind
        .open_session(OpenSession {
            subject: named("subject", Subject::new(&request.subject))?,
            class: class(&app.config.clients, &client, request.class.as_deref())?,
            client: client.clone(),
            auth_time: None,
            device: request.device,
            scope: request.scope,
            claims: request.claims,
        })
        .await?;
    info!(session = %pair.session_id, %client, "session opened for a trusted backend");
    Ok(token_pair::in_body(pair))
}

/// The class that was asked for, else the client's own. A client that cannot prove itself has to rotate (RFC 9700 §2.2.2).
fn class(clients: &Clients, client: &ClientId, asked: Option<&str>) -> Result<ClientClass, Failure> {
    let Some(word) = asked else { return Ok(clients.class(client.as_str())) };
    let class = ClientClass::parse(word)
        .ok_or_else(|| Failure::invalid_request("class is unknown; one of browser, native, agent, strict, fixed"))?;
    let confidential = clients.find(client.as_str()).is_some_and(Registered::confidential);
    if class == ClientClass::Fixed && !confidential {
        return Err(Failure::invalid_request(
            "class fixed never rotates, so its client needs a secret; list the client with a secret_file in the configuration",
        ));
    }
    Ok(class)
}

/// Lists a subject's sessions, newest first.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(
        ("subject" = String, Query, description = "Whose."),
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 where nothing is said.", minimum = 1, maximum = 1000)
    ),
    responses(
        (status = 200, description = "A page of them, newest first.", body = SessionsJson),
        answers::Unreadable,
        answers::Unavailable
    )
)]
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<SessionsJson>> {
    let [subject, cursor, asked] = query.only(["subject", "cursor", "limit"])?;
    let subject = subject.ok_or_else(|| Failure::invalid_request("parameter subject is missing"))?;
    let subject = named("subject", Subject::new(&subject))?;
    let after = cursor.map(|cursor| cursor.parse::<SessionId>());
    let after =
        after.transpose().map_err(|_| Failure::invalid_request("cursor is none that an earlier page gave as next"))?;
    let page = app.rescind.sessions_of(&subject, Page { after, limit: limit(asked)? }).await?;
    let mut reasons = Reasons::default();
    let mut sessions = Vec::with_capacity(page.sessions.len());
    for loaded in &page.sessions {
        sessions.push(shown(&app.rescind, &mut reasons, loaded).await?);
    }
    Ok(Json(SessionsJson { sessions, next: page.next.map(|next| next.to_string()) }))
}

/// Shows one session.
#[utoipa::path(
    get,
    path = "/sessions/{sid}",
    operation_id = "show_session",
    tag = "sessions",
    params(
        ("sid" = String, Path, description = "The session.")
    ),
    responses(
        (status = 200, description = "The session, with its state and why.", body = SessionJson),
        answers::Unreadable,
        answers::NotFound,
        answers::Unavailable
    )
)]
pub(super) async fn show(State(app): State<App>, Segment(sid): Segment, query: Query) -> Answer<Json<SessionJson>> {
    let [] = query.only([])?;
    let unknown = || Failure::not_found("no such session; it was never opened, or was swept long after its end");
    let sid: SessionId = sid.parse().map_err(|error| Failure::invalid_request(format!("the session id {error}")))?;
    let loaded = app.rescind.session(sid).await?.ok_or_else(unknown)?;
    Ok(Json(shown(&app.rescind, &mut Reasons::default(), &loaded).await?))
}

/// Reasons by position: many sessions are ended by one cut-off.
type Reasons = HashMap<u64, Option<String>>;

async fn shown(rescind: &Rescind, reasons: &mut Reasons, loaded: &Loaded) -> Answer<SessionJson> {
    let Loaded { session, cut_off, now } = loaded;
    let why = match cut_off {
        Some(cut_off) => Some(WhyJson::new(cut_off, reason(rescind, reasons, cut_off).await?)),
        None => None,
    };
    let state = match (&why, session.lapsed(*now)) {
        (Some(_), _) => StateJson::Revoked,
        (None, Some(Lapse::Absolute)) => StateJson::Expired,
        (None, Some(Lapse::Idle)) => StateJson::Idle,
        (None, None) => StateJson::Live,
    };
    Ok(SessionJson {
        session_id: session.id.to_string(),
        subject: session.subject.to_string(),
        client_id: session.client.to_string(),
        class: session.class.as_str().to_owned(),
        device: session.device.clone(),
        scope: session.scope.clone(),
        position: session.position.get(),
        generation: session.generation.get(),
        opened_at: session.opened_at.as_secs(),
        auth_time: session.auth_time.as_secs(),
        last_used_at: session.rotated_at.as_secs(),
        expires_at: session.ends_at().as_secs(),
        state,
        why,
    })
}

/// The reason stands in the log alone; a swept entry has none any more.
async fn reason(rescind: &Rescind, reasons: &mut Reasons, cut_off: &CutOff) -> Answer<Option<String>> {
    let seq = cut_off.seq.get();
    if let Some(known) = reasons.get(&seq) {
        return Ok(known.clone());
    }
    let found = rescind.entry(cut_off.seq).await?.map(|entry| entry.reason.to_string());
    reasons.insert(seq, found.clone());
    Ok(found)
}

fn named<T>(member: &str, read: Result<T, rescind::id::InvalidId>) -> Result<T, Failure> {
    read.map_err(|error| Failure::invalid_request(format!("{member} {error}")))
}
