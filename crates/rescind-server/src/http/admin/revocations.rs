//! `/admin/v1/revocations`: revoke, read the log, lift. Owns the request's members; the engine owns what is revoked.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use rescind::id::Subject;
use rescind::log::{Entry, Scope, ScopeKind};
use rescind::position::Seq;
use rescind::store::{Feed, Head, Store, StoreError};
use rescind::{Error, Everywhere, Revoke};
use serde::Deserialize;
use tracing::info;
use utoipa::ToSchema;

use super::query::{Query, limit, number};
use super::{actor, reason};
use crate::app::App;
use crate::http::body::StrictJson;
use crate::http::error::{Answer, Failure};
use crate::http::openapi::answers;
use crate::http::segment::Segment;
use crate::wire::{EntryJson, LogJson, RevokedJson, ScopeJson, object};

/// What to revoke: a scope, or what a token names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    #[serde(default, deserialize_with = "object")]
    scope: Option<ScopeJson>,
    token: Option<String>,
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    reason: Option<String>,
}

/// Revokes a scope, or what a presented token names.
#[utoipa::path(
    post,
    path = "/revocations",
    operation_id = "revoke",
    tag = "revocations",
    params(
        ("wait" = Option<String>, Query, pattern = "^everywhere$", description = "Answer when every node has it, or refuses by itself.")
    ),
    request_body(content = RevokeRequest),
    responses(
        (status = 201, description = "Revoked, durably.", body = RevokedJson, headers(("location" = String, description = "Where to lift it."))),
        answers::Body,
        answers::NotFound,
        answers::Conflict,
        answers::Unavailable
    )
)]
pub(super) async fn revoke(
    State(app): State<App>,
    query: Query,
    StrictJson(request): StrictJson<RevokeRequest>,
) -> Answer<Response> {
    let [wait] = query.only(["wait"])?;
    let wait = match wait.as_deref() {
        None => Wait::Here,
        Some("everywhere") => Wait::Everywhere,
        Some(_) => return Err(Failure::invalid_request("wait is unknown; everywhere, or leave it out")),
    };
    let (reason, actor) = (reason(request.reason.as_deref())?, actor()?);
    let entry = match (request.scope, request.token) {
        (Some(scope), None) => match scope_of(&scope)? {
            // The key leaves the ring and the JWKS too.
            Scope::Key(kid) => app.rescind.revoke_key(&kid, reason, actor).await?,
            scope => app.rescind.revoke(Revoke { scope, reason, actor }).await?,
        },
        (None, Some(token)) => match app.rescind.revoke_presented(&token, reason, actor).await {
            Ok(entry) => entry,
            // The caller proved itself with the admin token; the token in the body is input.
            Err(Error::Rejected(rejection)) => {
                return Err(Failure::invalid_request(format!("token is none of this server's: {rejection}")));
            }
            Err(error) => return Err(error.into()),
        },
        _ => return Err(Failure::invalid_request("give scope or token, one of them")),
    };
    info!(seq = entry.seq.get(), kind = entry.scope.kind().as_str(), "revoked");
    let reached = match wait {
        Wait::Here => None,
        Wait::Everywhere => Some(app.rescind.everywhere(entry.seq).await),
    };
    let location = format!("/admin/v1/revocations/{}", entry.seq);
    let revoked = RevokedJson {
        entry: EntryJson::from(&entry),
        applied_everywhere: reached.as_ref().map(|reached| reached.everywhere == Everywhere::Applied),
        laggards: reached.map(|reached| reached.laggards),
    };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(revoked)).into_response())
}

/// When the answer is due.
#[derive(Clone, Copy)]
enum Wait {
    /// When this node refuses the tokens.
    Here,
    /// When every node does.
    Everywhere,
}

fn scope_of(scope: &ScopeJson) -> Result<Scope, Failure> {
    let kind = ScopeKind::parse(&scope.kind).ok_or_else(|| {
        Failure::invalid_request("scope.kind is unknown; one of token, session, subject, client, key, all")
    })?;
    let id = match (&scope.id, kind) {
        (Some(id), _) => id.as_str(),
        (None, ScopeKind::All) => "",
        (None, _) => return Err(Failure::invalid_request(format!("scope.id is missing; which {kind}?"))),
    };
    Scope::parse(kind, id).map_err(|error| Failure::invalid_request(error.to_string()))
}

/// Reads the log.
#[utoipa::path(
    get,
    path = "/revocations",
    operation_id = "list_revocations",
    tag = "revocations",
    params(
        ("after" = Option<u64>, Query, format = "uint64", description = "The position to go on from.", minimum = 0),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 where nothing is said.", minimum = 1, maximum = 1000)
    ),
    responses(
        (status = 200, description = "A part of the log.", body = LogJson),
        answers::Unreadable,
        answers::Unavailable
    )
)]
pub(super) async fn list(State(app): State<App>, query: Query) -> Answer<Json<LogJson>> {
    let [after, asked] = query.only(["after", "limit"])?;
    let (after, limit) = (Seq::new(number("after", after, 0)?), limit(asked)?);
    let (head, entries) = entries_after(&**app.rescind.store(), after, limit).await?;
    let next = entries.last().map(|entry| entry.seq).filter(|last| *last < head.seq).map(Seq::get);
    Ok(Json(LogJson { revocations: entries.iter().map(EntryJson::from).collect(), head: head.seq.get(), next }))
}

/// The entries after a position, or after whatever was swept behind it: the lowest position from which the store can go
/// on is found by halving, since it can go on from every one above.
async fn entries_after(store: &dyn Store, after: Seq, limit: usize) -> Result<(Head, Vec<Entry>), StoreError> {
    let head = match store.after(after, limit).await? {
        Feed::Batch(batch) => return Ok((batch.head, batch.entries)),
        Feed::Gone(head) => head,
    };
    let (mut gone, mut kept) = (after.get(), head.seq.get());
    while kept.saturating_sub(gone) > 1 {
        let middle = gone + (kept - gone) / 2;
        match store.after(Seq::new(middle), 1).await? {
            Feed::Batch(_) => kept = middle,
            Feed::Gone(_) => gone = middle,
        }
    }
    match store.after(Seq::new(kept), limit).await? {
        Feed::Batch(batch) => Ok((batch.head, batch.entries)),
        // Asked from beyond the head, or swept on meanwhile: nothing follows.
        Feed::Gone(head) => Ok((head, Vec::new())),
    }
}

/// Lifts a cut-off.
#[utoipa::path(
    delete,
    path = "/revocations/{seq}",
    operation_id = "lift",
    tag = "revocations",
    params(
        ("seq" = u64, Path, description = "The position of the cut-off.", minimum = 0),
        ("reason" = Option<String>, Query, description = "Why, for the log.")
    ),
    responses(
        (status = 200, description = "Lifted: the entry that says so.", body = EntryJson),
        answers::Unreadable,
        answers::NotFound,
        answers::Conflict,
        answers::Unavailable
    )
)]
pub(super) async fn lift(State(app): State<App>, Segment(seq): Segment, query: Query) -> Answer<Json<EntryJson>> {
    let [given] = query.only(["reason"])?;
    let seq = seq.parse().map_err(|_| Failure::invalid_request("the position is not a number"))?;
    refuse_for_disabled(&app, seq).await?;
    let lift = app.rescind.lift(Seq::new(seq), reason(given.as_deref())?, actor()?).await;
    match lift {
        Ok(entry) => {
            info!(seq = entry.seq.get(), of = seq, kind = entry.scope.kind().as_str(), "lifted");
            Ok(Json(EntryJson::from(&entry)))
        }
        Err(Error::Conflict { newest: Some(newest) }) => Err(conflict(seq, &newest)),
        Err(error) => Err(error.into()),
    }
}

/// What is to be lifted.
enum Lifted {
    Nothing,
    /// The cut-off of a user who is disabled.
    OfDisabled(Subject),
    Other,
}

/// A disabled user's cut-off is not lifted: the tokens from before would be good again, although the user is locked out.
/// Whoever is disabled after this look gets a later cut-off, which is in the way of the lift or ends everything anew.
async fn refuse_for_disabled(app: &App, seq: u64) -> Answer<()> {
    if let Lifted::Other = lifted(app, seq).await? {
        return Ok(());
    }
    // Another store, to which the node changes over meanwhile, may have the cut-off, or the user enabled.
    app.rescind.prove().await?;
    let Lifted::OfDisabled(subject) = lifted(app, seq).await? else { return Ok(()) };
    let problem =
        format!("{subject} is disabled; enable the user first: rescind users enable {}", quoted(subject.as_str()));
    Err(Failure::conflict(problem, None))
}

async fn lifted(app: &App, seq: u64) -> Answer<Lifted> {
    let (_, entries) = entries_after(&**app.rescind.store(), Seq::new(seq.saturating_sub(1)), 1).await?;
    Ok(match entries.into_iter().next().filter(|found| found.seq.get() == seq) {
        None => Lifted::Nothing,
        Some(Entry { scope: Scope::Subject(subject), .. }) => {
            let is_disabled = app.users.find(&subject).await?.is_some_and(|user| user.disabled);
            if is_disabled { Lifted::OfDisabled(subject) } else { Lifted::Other }
        }
        Some(_) => Lifted::Other,
    })
}

/// A name as a shell takes it for one word.
fn quoted(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@:/".contains(c);
    if name.chars().all(plain) { Cow::from(name) } else { Cow::from(format!("'{}'", name.replace('\'', "'\\''"))) }
}

fn conflict(seq: u64, newest: &Entry) -> Failure {
    let EntryJson { seq: last, act, .. } = EntryJson::from(newest);
    let scope = &newest.scope;
    let description = match act {
        crate::wire::ActJson::CutOff => {
            format!(
                "{seq} is not the newest entry on {scope}: a later cut-off stands at {last}; lift that one, which ends both"
            )
        }
        crate::wire::ActJson::Lift => format!("{seq} is not in force: {scope} was lifted at {last} already"),
    };
    Failure::conflict(description, serde_json::to_value(EntryJson::from(newest)).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rescind::log::Scope;
    use rescind::store::MemoryStore;
    use rescind::testing::{ManualClock, SeededRandom, cut_off, subject};

    use super::*;

    async fn positions(store: &dyn Store, after: u64, limit: usize) -> Vec<u64> {
        let (_, entries) = entries_after(store, Seq::new(after), limit).await.unwrap();
        entries.iter().map(|entry| entry.seq.get()).collect()
    }

    #[tokio::test]
    async fn a_log_whose_front_was_swept_is_read_from_what_is_kept() {
        let clock = Arc::new(ManualClock::new(ManualClock::START));
        let store = MemoryStore::with(clock, &SeededRandom::new(1)).unwrap();
        for number in 0..10 {
            let mut entry = cut_off(Scope::Subject(subject(&format!("u{number}"))));
            let days = if number < 6 { 1 } else { 90 };
            entry.remember_until = ManualClock::START.plus(Duration::from_hours(24 * days));
            store.append(vec![entry]).await.unwrap();
        }
        assert_eq!(positions(&store, 0, 100).await, (1..=10).collect::<Vec<_>>());
        store.sweep(ManualClock::START.plus(Duration::from_hours(48)), 100).await.unwrap();
        for after in 0..6 {
            assert_eq!(positions(&store, after, 100).await, [7, 8, 9, 10], "after {after}");
            assert_eq!(positions(&store, after, 2).await, [7, 8], "after {after}");
        }
        assert_eq!(positions(&store, 8, 100).await, [9, 10]);
        assert_eq!(positions(&store, 99, 100).await, Vec::<u64>::new());
    }
}
