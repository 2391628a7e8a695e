//! Marks what was served from a stale view, where the operator allows that: a response header and the log; the engine
//! counts it. Owns the mark; whether anything is served is the engine's matter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::Router;
use http::{Extensions, HeaderName, HeaderValue};
use rescind::OnStale;
use rescind::time::Timestamp;
use tracing::warn;

use crate::app::App;

/// Says how old the view was that an answer comes from, in milliseconds.
const HEADER: HeaderName = HeaderName::from_static("rescind-staleness-ms");
/// The log says it at most this often: an outage makes every request stale.
const QUIET_SECS: u64 = 10;

/// Where a handler's check leaves how stale it was. Travels in the request's extensions.
#[derive(Clone, Default)]
struct Mark(Arc<OnceLock<Duration>>);

/// Marks the answers of these routes where [`note`] was called.
///
/// **Cost:** none where no stale view is served from.
pub(crate) fn marking<S: Clone + Send + Sync + 'static>(router: Router<S>, on_stale: OnStale) -> Router<S> {
    if matches!(on_stale, OnStale::AllowFor(_)) { router.layer(from_fn(mark)) } else { router }
}

/// Notes that a check of this request was answered from a stale view, if it was.
pub(crate) fn note(app: &App, extensions: &Extensions, staleness: Option<Duration>) {
    let Some(age) = staleness else { return };
    if let Some(Mark(mark)) = extensions.get() {
        mark.get_or_init(|| age);
    }
    if is_due(app.rescind.clock().wall()) {
        let age_ms = millis(age);
        warn!(age_ms, "served from a stale view, as on_stale allows: what was revoked since may still pass");
    }
}

async fn mark(mut request: Request, next: Next) -> Response {
    let mark = Mark::default();
    request.extensions_mut().insert(mark.clone());
    let mut response = next.run(request).await;
    if let Some(age) = mark.0.get() {
        response.headers_mut().insert(HEADER, HeaderValue::from(millis(*age)));
    }
    response
}

/// Whether the log may say it again; by the difference either way, so that a clock that was put back silences nothing.
fn is_due(now: Timestamp) -> bool {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let last = LAST.load(Ordering::Relaxed);
    now.as_secs().abs_diff(last) >= QUIET_SECS
        && LAST.compare_exchange(last, now.as_secs(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn header(on_stale: OnStale, age: Option<Duration>) -> Option<String> {
        let handler = async move |request: Request| {
            if let (Some(Mark(mark)), Some(age)) = (request.extensions().get(), age) {
                mark.get_or_init(|| age);
            }
        };
        let router: Router = marking(Router::new().route("/", get(handler)), on_stale);
        let response = router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        response.headers().get(HEADER).map(|value| value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn an_answer_says_how_old_its_view_was_and_a_fresh_one_says_nothing() {
        let allowed = OnStale::AllowFor(Duration::from_secs(30));
        assert_eq!(header(allowed, Some(Duration::from_millis(2500))).await.as_deref(), Some("2500"));
        assert_eq!(header(allowed, None).await, None);
        assert_eq!(header(OnStale::Refuse, None).await, None);
    }

    #[test]
    fn the_log_says_it_once_in_a_while_also_after_the_clock_was_put_back() {
        let at = |secs| is_due(Timestamp::from_secs(secs));
        assert_eq!([at(1000), at(1009), at(1010), at(1011), at(500), at(501)], [true, false, true, false, true, false]);
    }
}
