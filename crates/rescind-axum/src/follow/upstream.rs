//! Asking the node that is followed, over HTTP. Owns the limits: no redirect, no proxy of the environment, a bound on
//! time and bytes. Knows the routes and the shapes, and nothing of views.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response};
use rescind::BoxError;
use rescind::log::{ChainTag, CutOff};
use rescind::position::Seq;
use rescind::store::{Batch, Feed, Head, Snapshot};
use rescind::time::{BootTime, Clock, Timestamp};
use tokio::sync::Notify;
use tokio::time::sleep;
use url::Url;

use super::lines::Lines;
use super::stream::{FIRST_WAIT, LONGEST_WAIT};
use super::wire;

/// Longest answer of the feed: a server cuts its batches far below.
const BATCH_MAX: usize = 8 << 20;
/// For so long it is waited for a turn to load a snapshot.
const TURN: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(1);
/// A peer that does not even acknowledge is given up after two of these, however long its answer may take.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// An idle connection is held for longer than the time between two polls, and for less than servers hold it.
const IDLE: Duration = Duration::from_secs(10);

/// The node that is followed.
pub(super) struct Upstream {
    client: Client,
    base: Url,
    authorization: HeaderValue,
    pub(super) clock: Arc<dyn Clock>,
    /// The staleness bound: an answer that takes longer proves nothing any more.
    pub(super) bound: Duration,
    seen: Mutex<Option<(Head, BootTime)>>,
    /// The longest life of an access token that any answer told of. **Units:** seconds.
    longest_life: AtomicU64,
    /// Told when the stream brings entries.
    pub(super) wake: Notify,
}

/// An answer, and how old what it says was when it was asked for.
pub(super) struct Aged<T> {
    pub(super) answer: T,
    pub(super) age: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("{}", innermost(.0))]
    Http(#[from] reqwest::Error),
    #[error("it refused the feed token (status {0}); give the one in the file feed-token of its data directory")]
    Refused(u16),
    #[error("it answered with status {0}; is this the URL of a Rescind server's admin listener?")]
    Status(u16),
    #[error(
        "it cannot tell its log at the moment (status 503): it is not ready, or others load their snapshots; see its log, \
         or try again"
    )]
    Unable,
    #[error("its answer cannot be read: {0}")]
    Unreadable(String),
    #[error("its entries do not add up to its tag: something on the way changed them")]
    Damaged,
}

/// The cause says more than "error sending request", and has no URL in it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_timeout() { "it did not answer in time".to_owned() } else { cause.to_string() }
}

fn unreadable(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer::Unreadable(error.to_string())
}

impl Upstream {
    pub(super) fn new(
        base: Url,
        authorization: HeaderValue,
        clock: Arc<dyn Clock>,
        bound: Duration,
    ) -> Result<Self, BoxError> {
        let client = client(bound)?;
        let (seen, longest_life, wake) = (Mutex::new(None), AtomicU64::new(0), Notify::new());
        Ok(Self { client, base, authorization, clock, bound, seen, longest_life, wake })
    }

    /// One batch of the log.
    pub(super) async fn after(&self, after: Seq, limit: usize) -> Result<Aged<Feed>, NoAnswer> {
        let query = format!("after={after}&limit={}", limit.clamp(1, 4096));
        let response = self.get("feed", &query, "application/json", Some(self.bound)).await?;
        let gone = response.status() == StatusCode::GONE;
        let body = whole(expected(response, &[StatusCode::OK, StatusCode::GONE])?, BATCH_MAX).await?;
        let (answer, age_ms) = if gone {
            let gone: wire::Gone = serde_json::from_slice(&body).map_err(unreadable)?;
            (Feed::Gone(Head::try_from(&gone.head).map_err(unreadable)?), gone.age_ms)
        } else {
            let batch: wire::Batch = serde_json::from_slice(&body).map_err(unreadable)?;
            let (age_ms, life) = (batch.age_ms, batch.max_access_lifetime);
            let feed = Feed::Batch(fitting(batch, after)?);
            self.longest_life.fetch_max(life, Ordering::AcqRel);
            (feed, age_ms)
        };
        self.see(match &answer {
            Feed::Batch(batch) => batch.head,
            Feed::Gone(head) => *head,
        });
        Ok(Aged { answer, age: Duration::from_millis(age_ms) })
    }

    /// The active cut-offs since a time. A node gives few snapshots out at once: whoever comes meanwhile waits for its turn.
    ///
    /// **Cost:** the cut-offs are held once, and of the answer's text one line.
    pub(super) async fn snapshot(&self, since: Timestamp) -> Result<(Aged<Snapshot>, wire::About), NoAnswer> {
        let (asked, mut wait) = (self.clock.boot(), FIRST_WAIT);
        loop {
            match self.load(since).await {
                Err(NoAnswer::Unable) if self.clock.boot().since(asked) < TURN => {}
                done => return done,
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn load(&self, since: Timestamp) -> Result<(Aged<Snapshot>, wire::About), NoAnswer> {
        let query = format!("since={}", since.as_millis());
        let response = self.get("snapshot", &query, "application/json", None).await?;
        let mut lines = Lines::new(expected(response, &[StatusCode::OK])?, self.bound);
        let opening = lines.next().await?.ok_or(NoAnswer::Damaged)?;
        let opening = opening.strip_suffix(",\"cut_offs\":[").map(|members| format!("{members}}}"));
        let about: wire::About = serde_json::from_str(&opening.ok_or(NoAnswer::Damaged)?).map_err(unreadable)?;
        let mut cut_offs: Vec<CutOff> = Vec::new();
        let count = loop {
            let line = lines.next().await?.ok_or(NoAnswer::Damaged)?;
            if let Some(end) = line.strip_prefix(wire::SNAPSHOT_END) {
                break end.strip_suffix('}').and_then(|count| count.parse::<usize>().ok());
            }
            let line: wire::CutOffLine = serde_json::from_str(line.trim_end_matches(',')).map_err(unreadable)?;
            cut_offs.push(line.into());
        };
        if count != Some(cut_offs.len()) {
            return Err(NoAnswer::Damaged);
        }
        let head = Head::try_from(&about.head).map_err(unreadable)?;
        self.longest_life.fetch_max(about.max_access_lifetime, Ordering::AcqRel);
        self.see(head);
        Ok((Aged { answer: Snapshot { head, cut_offs }, age: Duration::from_millis(about.age_ms) }, about))
    }

    /// What a follower must know before it follows; no cut-off is read.
    pub(super) async fn about(&self) -> Result<wire::About, NoAnswer> {
        Ok(self.snapshot(Timestamp::from_millis(i64::MAX.unsigned_abs())).await?.1)
    }

    /// The head of the last answer, while that is no older than the bound.
    pub(super) fn seen(&self) -> Option<Head> {
        let (head, at) = (*self.seen.lock().unwrap_or_else(PoisonError::into_inner))?;
        (self.clock.boot().since(at) <= self.bound).then_some(head)
    }

    /// The longest life of an access token that any answer told of.
    pub(super) fn longest_life(&self) -> Duration {
        Duration::from_secs(self.longest_life.load(Ordering::Acquire))
    }

    /// The stream of events after a position.
    pub(super) async fn stream(&self, after: Seq) -> Result<Response, NoAnswer> {
        let query = format!("after={after}");
        let asked = self.get("feed", &query, "text/event-stream", None);
        let response = tokio::time::timeout(self.bound, asked).await.map_err(unreadable)??;
        expected(response, &[StatusCode::OK])
    }

    fn see(&self, head: Head) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, self.clock.boot()));
    }

    async fn get(
        &self,
        route: &str,
        query: &str,
        accept: &'static str,
        timeout: Option<Duration>,
    ) -> Result<Response, NoAnswer> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["admin", "v1", route]);
        }
        url.set_query(Some(query));
        let request = self.client.get(url).header(ACCEPT, accept).header(AUTHORIZATION, self.authorization.clone());
        let request = if let Some(timeout) = timeout { request.timeout(timeout) } else { request };
        Ok(request.send().await?)
    }
}

/// A client for one other service: no redirect followed, no proxy of the environment.
pub(super) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT.min(timeout))
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE)
        .tcp_keepalive_retries(2)
        .user_agent(concat!("rescind/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn expected(response: Response, statuses: &[StatusCode]) -> Result<Response, NoAnswer> {
    match response.status() {
        status if statuses.contains(&status) => Ok(response),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(NoAnswer::Refused(response.status().as_u16())),
        StatusCode::SERVICE_UNAVAILABLE => Err(NoAnswer::Unable),
        status => Err(NoAnswer::Status(status.as_u16())),
    }
}

/// Reads a body that is no longer than `limit`.
pub(super) async fn whole(mut response: Response, limit: usize) -> Result<Vec<u8>, NoAnswer> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(unreadable(format!("it is longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A batch that goes on from `after` without a gap and adds up to its tag: what was changed on the way is asked for
/// again, and never taken for a damaged log.
fn fitting(batch: wire::Batch, after: Seq) -> Result<Batch, NoAnswer> {
    let (prev_tag, tag) = (wire::tag(&batch.prev_tag).map_err(unreadable)?, wire::tag(&batch.tag).map_err(unreadable)?);
    // A head that was made up can put a reader at the last of all numbers, which nothing follows.
    let gapless = batch.entries.iter().zip(1..).all(|(entry, n)| after.get().checked_add(n) == Some(entry.seq.get()));
    if !gapless || batch.entries.iter().fold(prev_tag, ChainTag::next) != tag {
        return Err(NoAnswer::Damaged);
    }
    let head = Head::try_from(&batch.head).map_err(unreadable)?;
    Ok(Batch { prev_tag, entries: batch.entries, tag, head })
}

#[cfg(test)]
mod tests {
    use rescind::position::Incarnation;

    use super::*;

    #[test]
    fn nothing_follows_the_last_of_all_numbers_and_asking_is_no_panic() {
        let (tag, entries) = ("0".repeat(32), Vec::new());
        let incarnation = Incarnation::from_bytes([0; 16]).to_string();
        let head = wire::Head { incarnation, seq: Seq::ZERO, tag: tag.clone(), now: Timestamp::EPOCH };
        let batch = wire::Batch { prev_tag: tag.clone(), entries, tag, head, age_ms: 0, max_access_lifetime: 0 };
        assert!(fitting(batch.clone(), Seq::new(u64::MAX)).is_ok());
        let entry = r#"{"seq":0,"at":0,"scope":"all","act":"cut_off","reason":"r","actor":"a","remember_until":0}"#;
        let entries = vec![serde_json::from_str(entry).unwrap()];
        let found = fitting(wire::Batch { entries, ..batch }, Seq::new(u64::MAX)).err();
        assert!(matches!(found, Some(NoAnswer::Damaged)), "{found:?}");
    }
}
