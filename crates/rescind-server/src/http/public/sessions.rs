//! `GET /sessions`, `DELETE /sessions/{sid}`: the caller's own sessions. Somebody else's and an unknown one look alike.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use rescind::Revoke;
use rescind::id::SessionId;
use rescind::log::{Scope, Text};
use rescind::store::Page;
use serde_json::{Value, json};

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::error::{Answer, Failure};

/// Rows read at once.
const PAGE: usize = 200;
/// Rows read at most: dead ones are among them until they are swept.
const ROWS: usize = 2_000;

/// The caller's live sessions, newest first.
pub(super) async fn list(State(app): State<App>, Caller(live): Caller) -> Answer {
    let mut sessions: Vec<Value> = Vec::new();
    let mut after = None;
    for _ in 0..ROWS / PAGE {
        let page = app.rescind.sessions_of(live.subject(), Page { after, limit: PAGE }).await?;
        let alive = page.sessions.iter().filter(|row| row.cut_off.is_none() && row.session.lapsed(row.now).is_none());
        sessions.extend(alive.map(|row| {
            json!({
                "session_id": row.session.id,
                "client_id": row.session.client,
                "device": row.session.device,
                "opened_at": row.session.opened_at.as_secs(),
                "last_used_at": row.session.rotated_at.as_secs(),
                "expires_at": row.session.ends_at().as_secs(),
                "current": row.session.id == live.session_id(),
            })
        }));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(not_kept(json!({ "sessions": sessions })))
}

/// Ends one of the caller's sessions; one that is dead already stays so.
pub(super) async fn end(State(app): State<App>, Caller(live): Caller, Path(sid): Path<String>) -> Answer {
    let unknown = || Failure::not_found("no such session");
    let sid: SessionId = sid.parse().map_err(|_| unknown())?;
    let row =
        app.rescind.session(sid).await?.filter(|row| row.session.subject == *live.subject()).ok_or_else(unknown)?;
    if row.cut_off.is_some() || row.session.lapsed(row.now).is_some() {
        return Ok(not_kept(json!({ "ended": 0, "seq": null, "session_id": sid })));
    }
    let text = |text| Text::new(text).map_err(|error| Failure::invalid_request(error.to_string()));
    let revoke = Revoke { scope: Scope::session(sid), reason: text("logout")?, actor: text("sessions")? };
    let entry = app.rescind.revoke(revoke).await?;
    Ok(not_kept(json!({ "ended": 1, "seq": entry.seq.get(), "session_id": sid })))
}

fn not_kept(body: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
