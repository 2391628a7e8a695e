//! `GET /admin/v1/snapshot`: every active cut-off that can matter, with the head of the same moment and what a follower
//! must know. Owns that its text is written in parts, a cut-off a line, so that neither side holds the whole of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use rescind::MOST_LEEWAY;
use rescind::log::CutOff;
use rescind::position::Seq;
use rescind::store::{Head, StoreError};
use rescind::time::Timestamp;
use rescind_axum::follow::wire;
use tokio::sync::OwnedSemaphorePermit;

use super::feed::{at_least, next};
use super::nodes::millis;
use super::query::{Query, number};
use super::tail::{Next, Part, Size};
use crate::app::App;
use crate::http::chunks::{self, Sink};
use crate::http::error::{Answer, Failure};
use crate::http::openapi::admin_shapes;
use crate::http::openapi::answers;

const RETRY: Duration = Duration::from_secs(1);
/// A store that takes longer is not followed.
const PATIENCE: Duration = Duration::from_mins(1);
/// By how much a follower's clock may be wrong without a cut-off missing that matters to it.
const MARGIN: Duration = Duration::from_hours(24);
/// About so much text at once.
const CHUNK: usize = 64 << 10;
/// A reader that takes nothing for this time is cut off.
const SLOWEST: Duration = Duration::from_secs(10);

/// Since then nothing is cut off: what a follower must know is wanted, and no cut-off. Takes no place from those who load.
const ABOUT: u64 = i64::MAX.unsigned_abs();

async fn about(app: &App) -> Answer {
    let (Next::Batch(Part { head, age, .. }) | Next::Gone { head, age }) =
        next(app, Seq::ZERO, Size { rows: 1, bytes: 1 }).await?;
    let mut text = opening(app, head, age)?;
    text.push_str(wire::SNAPSHOT_END);
    text.push_str("0}\n");
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

/// What stands before the cut-offs.
fn opening(app: &App, head: Head, age: Duration) -> Result<String, Failure> {
    let about = wire::About {
        head: head.into(),
        age_ms: millis(age),
        issuer: app.rescind.issuer().to_owned(),
        jwks_uri: app.feed.jwks_uri.clone(),
        max_access_lifetime: app.rescind.max_access_lifetime().as_secs(),
    };
    let text = serde_json::to_string(&about);
    let mut text = text.map_err(|error| Failure::from(rescind::Error::Internal(error.into())))?;
    // The object goes on behind its first members.
    text.pop();
    text.push_str(",\"cut_offs\":[\n");
    Ok(text)
}

/// Reads the cut-offs and writes them out.
#[utoipa::path(
    get,
    path = "/snapshot",
    operation_id = "snapshot",
    tag = "log",
    params(
        ("since" = Option<u64>, Query, format = "uint64", description = "Only what was cut off since. **Units:** milliseconds.", minimum = 0)
    ),
    responses(
        (status = 200, description = "All cut-offs that can matter.", body = admin_shapes::SnapshotJson, content_type = "application/json"),
        answers::Unreadable,
        answers::Unavailable
    )
)]
pub(super) async fn read(State(app): State<App>, query: Query) -> Answer {
    let [since] = query.only(["since"])?;
    let since: Option<u64> = since.map(|text| number("since", Some(text), 0)).transpose()?;
    if since == Some(ABOUT) {
        return about(&app).await;
    }
    let busy = "other followers load their snapshots; try again";
    let place = Arc::clone(&app.feed.snapshots).try_acquire_owned();
    let place = place.map_err(|_| Failure::unavailable(busy, RETRY))?;
    let lifetime = app.rescind.max_access_lifetime();
    let known = app.rescind.known_log();
    let store = (app.feed.log)();
    let taken = async {
        let since = match since {
            // No store holds a later time.
            Some(millis) => Timestamp::from_millis(millis.min(i64::MAX.unsigned_abs())),
            None => store.health().await?.now.minus(lifetime + MOST_LEEWAY + MOST_LEEWAY + MARGIN),
        };
        Ok::<_, StoreError>((store.snapshot(since).await?, store.behind()))
    };
    let late = |_| Failure::unavailable("the store takes too long for a snapshot", RETRY);
    let (snapshot, age) = tokio::time::timeout(PATIENCE, taken).await.map_err(late)??;
    let age = at_least(&app, known, &snapshot.head)?.max(age);
    let opening = opening(&app, snapshot.head, age)?;
    let (sink, body) = chunks::body();
    tokio::spawn(write(sink, opening, snapshot.cut_offs, place));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

async fn write(sink: Sink, opening: String, cut_offs: Vec<CutOff>, place: OwnedSemaphorePermit) {
    let count = cut_offs.len();
    let mut text = opening;
    for (at, cut_off) in cut_offs.into_iter().enumerate() {
        // A scope is text by nature, so this cannot fail; were it to, the count at the end would tell.
        text.push_str(&serde_json::to_string(&wire::CutOffLine::from(cut_off)).unwrap_or_default());
        text.push_str(if at + 1 == count { "\n" } else { ",\n" });
        if text.len() >= CHUNK && !put(&sink, std::mem::take(&mut text)).await {
            return;
        }
    }
    text.push_str(wire::SNAPSHOT_END);
    text.push_str(&count.to_string());
    text.push_str("}\n");
    put(&sink, text).await;
    drop(place);
}

async fn put(sink: &Sink, text: String) -> bool {
    matches!(tokio::time::timeout(SLOWEST, sink.put(text)).await, Ok(Ok(())))
}
