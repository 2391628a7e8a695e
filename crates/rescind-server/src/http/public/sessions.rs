//! `GET /sessions`, `DELETE /sessions/{sid}`: the caller's own sessions. Somebody else's and an unknown one look alike.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use rescind::id::SessionId;
use rescind::session::Loaded;
use rescind::{LoggedOut, LogoutScope};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::error::{Answer, Failure};
use crate::http::segment::Segment;

/// A list has at most so many.
const MOST: usize = 500;

/// The caller's live sessions, newest first.
pub(super) async fn list(State(app): State<App>, Caller(live): Caller) -> Answer {
    let rows = app.rescind.live_sessions_of(live.subject(), MOST).await?;
    let sessions: Vec<_> = rows.iter().map(|row| one(row, live.sid())).collect();
    Ok(not_kept(json!({ "sessions": sessions })))
}

/// Ends one of the caller's sessions; one that is dead already stays so.
pub(super) async fn end(State(app): State<App>, Caller(live): Caller, Segment(sid): Segment) -> Answer {
    let unknown = || Failure::not_found("no such session");
    let sid: SessionId = sid.parse().map_err(|_| unknown())?;
    let row = app.rescind.session(sid).await?;
    row.filter(|row| row.session.subject == *live.subject()).ok_or_else(unknown)?;
    let LoggedOut { ended, seq } = app.rescind.end(sid, LogoutScope::Session, super::actor("sessions")?).await?;
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
