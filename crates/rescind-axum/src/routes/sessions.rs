//! `GET /sessions`, `DELETE /sessions/{sid}`: the caller's own sessions, behind a guard. Somebody else's and an unknown
//! one look alike.

use axum::Json;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use rescind::id::SessionId;
use rescind::session::Loaded;
use rescind::{LoggedOut, LogoutScope};
use serde_json::{Value, json};

use super::{Shared, actor};
use crate::{Live, Refusal, Unreadable};

/// A list has at most so many.
const MOST: usize = 500;

/// The caller's live sessions, newest first.
pub(super) async fn list(State(Shared(routes)): State<Shared>, live: Live) -> Result<Response, Refusal> {
    let rows = routes.rescind.live_sessions_of(live.subject(), MOST).await?;
    let sessions: Vec<_> = rows.iter().map(|row| one(row, live.sid())).collect();
    Ok(not_kept(json!({ "sessions": sessions })))
}

/// Ends one of the caller's sessions; one that is dead already stays so.
pub(super) async fn end(
    State(Shared(routes)): State<Shared>,
    live: Live,
    path: Result<RawPathParams, RawPathParamsRejection>,
) -> Result<Response, Refusal> {
    let path = path.map_err(|_| Unreadable::invalid("the path is not UTF-8 in percent-encoding"))?;
    // By name and from the end: the path that these routes are nested under may have segments of its own.
    let sid = path.iter().filter(|(name, _)| *name == "sid").last().map_or("", |(_, sid)| sid);
    let sid: SessionId = sid.parse().map_err(|_| Refusal::NotFound)?;
    let row = routes.rescind.session(sid).await?;
    row.filter(|row| row.session.subject == *live.subject()).ok_or(Refusal::NotFound)?;
    let LoggedOut { ended, seq } = routes.rescind.end(sid, LogoutScope::Session, actor("sessions")?).await?;
    Ok(not_kept(json!({ "ended": ended.len(), "seq": seq, "session_id": sid })))
}

fn one(row: &Loaded, current: SessionId) -> Value {
    let session = &row.session;
    json!({
        "session_id": session.id,
        "client_id": session.client,
        "device": session.device,
        "opened_at": session.opened_at.as_secs(),
        "last_used_at": session.rotated_at.as_secs(),
        "expires_at": session.ends_at().as_secs(),
        "current": session.id == current,
    })
}

fn not_kept(body: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
