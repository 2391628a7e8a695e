//! The list of a user's tokens, and one of them taken back and given again by its id, as `database_blacklist` does it.
//! Owns how its rows follow from Rescind's sessions and log:
//!
//! | row | its id | `revoked` | revoke | un-revoke |
//! |---|---|---|---|---|
//! | `refresh` | the session's `sid`: a refresh token is its session's | a cut-off covers the session | ends the session, its access tokens with it | lifts that cut-off |
//! | `access` | the token's `jti` | a cut-off is on the token, or covers its session | cuts that one token off | lifts the token's cut-off, and the session's: without its session the token cannot live |
//!
//! Rescind stores no tokens, so this program notes the names of those that it gives out, in records that end with them.
//! Whether one is revoked is never written there: that is read from the log. `prune_database()` is the store's sweep.

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rescind::id::{Jti, SessionId, Subject};
use rescind::log::{CutOff, Scope, Text};
use rescind::session::Loaded;
use rescind::store::{Page, RecordKind};
use rescind::time::Timestamp;
use rescind::{Error, LogoutScope, Rescind, Revoke, TokenPair};
use rescind_axum::Live;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::words::{Answer, Fault, msg};
use super::{fault, user};

const ISSUED: RecordKind = RecordKind("flask_issued");
/// Records and sessions are read in parts of this size.
const PART: usize = 500;

/// An access token that was given out.
#[derive(Serialize, Deserialize)]
struct Issued {
    sid: SessionId,
    /// **Units:** seconds since the epoch.
    expires: u64,
}

/// A subject has no control characters, so no other's names begin like this.
fn name(subject: &Subject, jti: &str) -> String {
    format!("{subject}\n{jti}")
}

/// Notes the access token of a pair that is about to be given out.
pub(crate) async fn note(rescind: &Rescind, pair: &TokenPair) -> Result<(), Error> {
    let token = rescind.verify(&pair.access_token)?;
    let ends = token.expires_at();
    let body = serde_json::to_vec(&Issued { sid: token.sid(), expires: ends.as_secs() }).map_err(fault)?;
    let id = name(token.subject(), &token.jti().to_string());
    rescind.store().put_record(ISSUED, &id, 0, body, Some(ends)).await?;
    Ok(())
}

/// `GET /auth/token`: the caller's tokens that have not expired, oldest first.
pub(crate) async fn list(State(rescind): State<Rescind>, token: Live) -> Answer {
    let subject = token.subject();
    let sessions = sessions_of(&rescind, subject).await?;
    let mut rows: Vec<_> = sessions
        .iter()
        .map(|(sid, loaded)| {
            row(sid.to_string(), "refresh", subject, loaded.cut_off.is_some(), loaded.session.ends_at())
        })
        .collect();
    let cut_offs = token_cut_offs(&rescind).await?;
    for (jti, Issued { sid, expires }) in issued_to(&rescind, subject).await? {
        let ended = sessions.get(&sid).is_none_or(|loaded| loaded.cut_off.is_some());
        let revoked = ended || cut_offs.iter().any(|cut_off| cut_off.scope == Scope::token(jti));
        rows.push(row(jti.to_string(), "access", subject, revoked, Timestamp::from_secs(expires)));
    }
    // UUIDv7: in the order of their making.
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Json(rows.into_iter().map(|(_, row)| row).collect()))
}

/// `PUT /auth/token/<id>` with `{"revoke": bool}`.
pub(crate) async fn set(
    State(rescind): State<Rescind>,
    token: Live,
    Path(id): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    let wrong = |text: &str| Fault::Said(StatusCode::BAD_REQUEST, text.to_owned());
    let body = body.map_or(Value::Null, |Json(body)| body);
    let revoke = match body.get("revoke") {
        None | Some(Value::Null) => return Err(wrong("Missing 'revoke' in body")),
        Some(revoke) => revoke.as_bool().ok_or_else(|| wrong("'revoke' must be a boolean"))?,
    };
    let (subject, by) = (token.subject(), user(token.subject())?);
    let not_found = || Fault::Said(StatusCode::NOT_FOUND, "The specified token was not found".to_owned());
    match (issued(&rescind, subject, &id).await?, id.parse::<SessionId>()) {
        (Some((jti, issued)), _) => {
            if revoke {
                let reason = Text::new("revoked by id").map_err(fault)?;
                rescind.revoke(Revoke { scope: Scope::token(jti), reason, actor: by }).await?;
            } else {
                // First whether both can be lifted: a token is not given again by half.
                let on_session = session_cut_off(&rescind, issued.sid).await?;
                let on_token = token_cut_offs(&rescind).await?.into_iter().find(|it| it.scope == Scope::token(jti));
                lift(&rescind, on_token, by.clone()).await?;
                lift(&rescind, on_session, by).await?;
            }
        }
        (None, Ok(sid)) => {
            // Another user's session is as good as none.
            rescind.session(sid).await?.filter(|loaded| loaded.session.subject == *subject).ok_or_else(not_found)?;
            if revoke {
                rescind.end(sid, LogoutScope::Session, by).await?;
            } else {
                lift(&rescind, session_cut_off(&rescind, sid).await?, by).await?;
            }
        }
        (None, Err(_)) => return Err(not_found()),
    }
    Ok(msg(if revoke { "Token revoked" } else { "Token unrevoked" }))
}

/// Un-revoking is a later entry of the log, with who and why; the cut-off stays readable.
async fn lift(rescind: &Rescind, cut_off: Option<CutOff>, by: Text) -> Result<(), Error> {
    if let Some(cut_off) = cut_off {
        rescind.lift(cut_off.seq, Text::new("un-revoked by id").map_err(fault)?, by).await?;
    }
    Ok(())
}

/// The cut-off on a session. One on its whole user is no matter of one token: it stays.
async fn session_cut_off(rescind: &Rescind, sid: SessionId) -> Result<Option<CutOff>, Fault> {
    match rescind.session(sid).await?.and_then(|loaded| loaded.cut_off) {
        Some(wider) if wider.scope != Scope::session(sid) => {
            Err(Fault::Said(StatusCode::CONFLICT, format!("Token is revoked with all of its {}", wider.scope.kind())))
        }
        own => Ok(own),
    }
}

/// The active cut-offs that can be on an access token which has not expired: it was issued before them.
async fn token_cut_offs(rescind: &Rescind) -> Result<Vec<CutOff>, Error> {
    let now = rescind.store().health().await?.now;
    let since = now.since(Timestamp::from_secs(rescind.settings().max_access_lifetime.as_secs()));
    let since = Timestamp::from_secs(since.as_secs());
    Ok(rescind.store().snapshot(since).await?.cut_offs)
}

/// All sessions of a user that are not over.
async fn sessions_of(rescind: &Rescind, subject: &Subject) -> Result<HashMap<SessionId, Loaded>, Error> {
    let (mut sessions, mut after) = (HashMap::new(), None);
    loop {
        let page = rescind.sessions_of(subject, Page { after, limit: PART }).await?;
        let lasting = page.sessions.into_iter().filter(|loaded| loaded.session.lapsed(loaded.now).is_none());
        sessions.extend(lasting.map(|loaded| (loaded.session.id, loaded)));
        after = page.next;
        if after.is_none() {
            return Ok(sessions);
        }
    }
}

/// The access tokens given out to a user that have not expired.
async fn issued_to(rescind: &Rescind, subject: &Subject) -> Result<Vec<(Jti, Issued)>, Error> {
    let (prefix, now) = (name(subject, ""), rescind.store().health().await?.now);
    let (mut found, mut after) = (Vec::new(), prefix.clone());
    loop {
        let part = rescind.store().records(ISSUED, Some(&after), PART).await?;
        let whole = part.len() == PART;
        for (id, record) in part {
            let Some(jti) = id.strip_prefix(&prefix) else { return Ok(found) };
            let issued: Issued = serde_json::from_slice(&record.body).map_err(fault)?;
            if Timestamp::from_secs(issued.expires) > now {
                found.push((jti.parse().map_err(fault)?, issued));
            }
            after = id;
        }
        if !whole {
            return Ok(found);
        }
    }
}

/// The access token of this id, where it was given out to this user.
async fn issued(rescind: &Rescind, subject: &Subject, id: &str) -> Result<Option<(Jti, Issued)>, Error> {
    let Ok(jti) = id.parse::<Jti>() else { return Ok(None) };
    let record = rescind.store().record(ISSUED, &name(subject, id)).await?;
    let issued = record.map(|record| serde_json::from_slice(&record.body)).transpose().map_err(fault)?;
    Ok(issued.map(|issued| (jti, issued)))
}

fn row(id: String, kind: &str, subject: &Subject, revoked: bool, expires: Timestamp) -> (String, Value) {
    // As Flask writes a time.
    let expires = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(expires.as_secs()));
    let row = json!({
        "token_id": id, "jti": id, "token_type": kind, "user_identity": subject, "revoked": revoked, "expires": expires,
    });
    (id, row)
}
