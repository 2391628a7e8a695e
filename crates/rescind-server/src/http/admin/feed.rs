//! `GET /admin/v1/feed`: the log for those who follow this node, as a stream of server-sent events that wakes them, or as
//! one batch of JSON, by whose round trip they know how old what they know is. Owns both forms and their limits.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rescind::KnownLog;
use rescind::position::Seq;
use rescind::store::Head;
use rescind::time::Clock;
use rescind_axum::follow::wire;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::nodes::millis;
use super::query::{Query, number};
use super::tail::{BATCH, BATCH_BYTES, Log, Next, Part, Size, Tail};
use crate::app::App;
use crate::http::chunks::{self, Sink};
use crate::http::error::{Answer, Failure};
use crate::http::openapi::admin_shapes;
use crate::http::openapi::answers;

/// Streams at once.
const STREAMS: usize = 1024;
/// Snapshots at once: each holds all cut-offs of its moment.
const SNAPSHOTS: usize = 2;
/// At most this many entries are in one event, and about this many bytes: a reader that is slow holds no more than the few
/// events that wait for it.
const EVENT: Size = Size { rows: 256, bytes: 64 << 10 };
const RETRY: Duration = Duration::from_secs(1);
/// A reader that takes nothing for this time is cut off; it resumes where it was.
const SLOWEST: Duration = Duration::from_secs(10);

/// What the log's routes share.
pub(crate) struct Feed {
    tail: Tail,
    /// The log, as it is read for others.
    pub(super) log: Log,
    /// Where the issuer's keys are.
    pub(super) jwks_uri: String,
    streams: Arc<Semaphore>,
    pub(super) snapshots: Arc<Semaphore>,
}

impl Feed {
    /// Reads `log` for others than this node's own view.
    pub(crate) fn new(log: Log, clock: Arc<dyn Clock>, bound: Duration, jwks_uri: String) -> Self {
        Self {
            tail: Tail::new(Arc::clone(&log), clock, bound),
            log,
            jwks_uri,
            streams: Arc::new(Semaphore::new(STREAMS)),
            snapshots: Arc::new(Semaphore::new(SNAPSHOTS)),
        }
    }
}

/// Answers in the form that is asked for; where none is, with the stream.
#[utoipa::path(
    get,
    path = "/feed",
    operation_id = "feed",
    tag = "log",
    params(
        ("after" = Option<u64>, Query, format = "uint64", description = "The position to go on from. Required, but for a stream that says `Last-Event-ID`, which comes first.", minimum = 0),
        ("limit" = Option<u64>, Query, description = "Entries at most, of a batch; 4096 where nothing is said.", minimum = 1, maximum = 4096)
    ),
    responses(
        (status = 200, description = "A stream of events, or one batch.", content((String = "text/event-stream"), (admin_shapes::FeedBatch = "application/json"))),
        (status = 410, description = "The log cannot be told from there: load a snapshot.", body = admin_shapes::FeedGone, headers(("cache-control" = String, description = "`no-store`"))),
        answers::Unreadable,
        answers::Unavailable
    )
)]
pub(super) async fn read(State(app): State<App>, headers: HeaderMap, query: Query) -> Answer {
    let [after, limit] = query.only(["after", "limit"])?;
    let limit @ 1..=BATCH = number("limit", limit, BATCH)? else {
        return Err(Failure::invalid_request(format!("limit is out of range; 1 to {BATCH}")));
    };
    let after = after.map_or(Ok(None), |text| position("after", &text).map(Some))?;
    if wants_json(&headers) {
        let after = after.ok_or_else(|| Failure::invalid_request("after is missing: the position to go on from"))?;
        return Ok(match next(&app, after, Size { rows: limit, bytes: BATCH_BYTES }).await? {
            Next::Batch(part) => ([(CONTENT_TYPE, "application/json")], batch(&app, &part)).into_response(),
            Next::Gone { head, age } => (StatusCode::GONE, axum::Json(gone(head, age))).into_response(),
        });
    }
    // The browser's own client sends where it was by itself, and that is newer than its URL.
    let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let resumed = resumed.map(|id| position("Last-Event-ID", id)).transpose()?;
    let after = resumed.or(after);
    let after = after.ok_or_else(|| Failure::invalid_request("after is missing: the position to go on from"))?;
    let busy = "this node has as many followers as it takes; try again, or follow a relay";
    let place = Arc::clone(&app.feed.streams).try_acquire_owned().map_err(|_| Failure::unavailable(busy, RETRY))?;
    if app.is_draining() {
        return Err(Failure::unavailable("this node was told to stop; follow another", RETRY));
    }
    // Before the answer begins: a node that cannot follow its store says so by its status.
    let first = next(&app, after, EVENT).await?;
    let (sink, body) = chunks::body();
    tokio::spawn(stream(app, sink, after, first, place));
    Ok(event_stream(body))
}

/// What follows a position, by a node that may say something of its log.
pub(super) async fn next(app: &App, after: Seq, most: Size) -> Answer<Next> {
    let known = app.rescind.known_log();
    let mut next = app.feed.tail.after(after, most).await?;
    let (Next::Batch(Part { age, head, .. }) | Next::Gone { age, head }) = &mut next;
    *age = at_least(app, known, head)?.max(*age);
    Ok(next)
}

/// How old this node's log has to be taken for, at least, whose head was read after `known` was.
///
/// # Errors
/// 503 where nothing may be told of it: a history that was lost is not passed on.
pub(super) fn at_least(app: &App, known: KnownLog, head: &Head) -> Answer<Duration> {
    let unknown = "this node has not loaded its log, or is healing its store; try again";
    app.rescind.log_age(known, head).ok_or_else(|| Failure::unavailable(unknown, RETRY))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).map(|one| one.split(';').next().unwrap_or("").trim());
    let first = types.find(|one| matches!(*one, "application/json" | "text/event-stream"));
    first == Some("application/json")
}

fn position(name: &str, text: &str) -> Result<Seq, Failure> {
    let seq: u64 = number(name, Some(text.to_owned()), 0)?;
    let seq = Seq::new(seq);
    if seq > Seq::MAX { Err(Failure::invalid_request(format!("{name} is above every position"))) } else { Ok(seq) }
}

fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers events would make every reader stale.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.remove(RETRY_AFTER);
    response
}

/// Writes events until the reader is gone or too slow, the log cannot be told any more, or the process stops.
async fn stream(app: App, sink: Sink, mut at: Seq, first: Next, place: OwnedSemaphorePermit) {
    let beat = app.rescind.settings().staleness_bound / 4;
    let mut next = first;
    loop {
        let (text, ends) = match &next {
            Next::Batch(part) if part.last > at => (event("entries", part.last, &batch(&app, part)), false),
            Next::Batch(part) => (event("heartbeat", at, &heartbeat(part)), false),
            Next::Gone { head, age } => (event("gone", at, &gone(*head, *age).to_string()), true),
        };
        let behind = match &next {
            Next::Batch(part) => part.last < part.head.seq,
            Next::Gone { .. } => false,
        };
        if let Next::Batch(part) = &next {
            at = part.last;
        }
        match tokio::time::timeout(SLOWEST, sink.put(text)).await {
            Ok(Ok(())) if !ends => {}
            _ => break,
        }
        if !behind {
            tokio::select! {
                () = app.rescind.grown(at) => {}
                () = tokio::time::sleep(beat) => {}
                () = sink.gone() => break,
                () = app.drained() => break,
            }
        }
        // Where the store cannot be followed the stream ends, and whoever comes again is told so.
        next = match self::next(&app, at, EVENT).await {
            Ok(next) => next,
            Err(_) => break,
        };
    }
    drop(place);
}

/// WHATWG HTML §9.2.6: fields of one line each, and an empty line. JSON has no line ends.
fn event(name: &str, id: Seq, data: &str) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}

/// [`wire::Batch`], whose entries are JSON already.
fn batch(app: &App, part: &Part) -> String {
    let Part { prev_tag, entries, tag, head, age, .. } = part;
    let head = json!(wire::Head::from(*head));
    let (age, lifetime) = (millis(*age), app.rescind.max_access_lifetime().as_secs());
    format!(
        "{{\"prev_tag\":\"{prev_tag}\",\"entries\":[{entries}],\"tag\":\"{tag}\",\"head\":{head},\"age_ms\":{age},\
         \"max_access_lifetime\":{lifetime}}}"
    )
}

fn heartbeat(part: &Part) -> String {
    json!(wire::Heartbeat { head: part.head.into(), age_ms: millis(part.age) }).to_string()
}

fn gone(head: Head, age: Duration) -> Value {
    let problem = "the log cannot be told from that position: it was swept, or is of another history; load a snapshot";
    json!(wire::Gone {
        error: "gone".to_owned(),
        error_description: problem.to_owned(),
        head: head.into(),
        age_ms: millis(age),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_first_one_that_is_asked_for_and_the_stream_where_none_is() {
        let json =
            |accept: &'static str| wants_json(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert!(json("application/json") && json("text/html, application/json;q=0.9"));
        assert!(!json("text/event-stream") && !json("*/*") && !json("text/event-stream, application/json"));
        assert!(!wants_json(&HeaderMap::new()));
    }
}
