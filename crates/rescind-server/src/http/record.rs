//! What is recorded of each request: a count by class of status, and one log line for a refusal or a fault. No header, no
//! query, no body and no path is ever recorded: somebody may have put a token there. The route's template says which it was.

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::extract::MatchedPath;
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, Method, Request};
use metrics::Counter;
use tracing::{debug, info, warn};

use super::error::Reason;

/// A request under way.
pub(crate) struct Record {
    method: Method,
    peer: SocketAddr,
}

impl Record {
    /// Remembers what the log line would say.
    ///
    /// **Cost:** no allocation.
    pub(crate) fn of<B>(request: &Request<B>, peer: SocketAddr) -> Self {
        Self { method: request.method().clone(), peer }
    }

    /// Counts the answer, and logs it where it is no success.
    pub(crate) fn answered(&self, response: &Response) {
        let status = response.status();
        if let Some(counter) = counters().get(usize::from(status.as_u16() / 100)) {
            counter.increment(1);
        }
        let Self { method, peer } = self;
        let (route, status) = (route(response.extensions()), status.as_u16());
        match (status, response.extensions().get::<Reason>()) {
            (500.., _) => warn!(%method, route, status, %peer, "not served"),
            (_, Some(Reason(reason))) => info!(%method, route, status, %peer, reason, "refused"),
            (400.., None) => info!(%method, route, status, %peer, "refused"),
            _ => debug!(%method, route, status, %peer, "served"),
        }
    }
}

/// Lets the answer of each of a router's routes say which one it is of.
pub(crate) async fn with_route(request: axum::extract::Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

/// The template of the route, such as `/sessions/{sid}`, by what a request or its answer carries.
pub(crate) fn route(extensions: &Extensions) -> &str {
    extensions.get::<MatchedPath>().map_or("(unknown)", MatchedPath::as_str)
}

/// One counter for each class of status, found once: finding it takes longer than counting.
fn counters() -> &'static [Counter; 6] {
    static COUNTERS: OnceLock<[Counter; 6]> = OnceLock::new();
    COUNTERS.get_or_init(|| {
        ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|class| metrics::counter!("rescind_http_answers_total", "class" => class))
    })
}
