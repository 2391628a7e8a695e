//! What is recorded of each request: a count by class of status, and one log line for a refusal or a fault. No header, no
//! query and no body is ever recorded, and of the path only what can be no token.

use std::net::SocketAddr;
use std::sync::OnceLock;

use axum::response::Response;
use http::{Method, Request, Uri};
use metrics::Counter;
use rescind::id::SessionId;
use tracing::{debug, info, warn};

use super::error::Reason;

/// Every path of ours is shorter.
const PATH_LIMIT: usize = 64;
/// No secret of ours is shorter: an admin or feed token has 43 characters, and one that an operator chooses has 32 at least.
const SECRET_LEAST: usize = 32;

/// A request under way.
pub(crate) struct Record {
    method: Method,
    uri: Uri,
    peer: SocketAddr,
}

impl Record {
    /// Remembers what the log line would say.
    ///
    /// **Cost:** no allocation; the target's text is shared with the request.
    pub(crate) fn of<B>(request: &Request<B>, peer: SocketAddr) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone(), peer }
    }

    /// Counts the answer, and logs it where it is no success.
    pub(crate) fn answered(&self, response: &Response) {
        let status = response.status();
        if let Some(counter) = counters().get(usize::from(status.as_u16() / 100)) {
            counter.increment(1);
        }
        let Self { method, uri, peer } = self;
        let (path, status) = (shown(uri.path()), status.as_u16());
        match (status, response.extensions().get::<Reason>()) {
            (500.., _) => warn!(%method, path, status, %peer, "not served"),
            (_, Some(Reason(reason))) => info!(%method, path, status, %peer, reason, "refused"),
            (400.., None) => info!(%method, path, status, %peer, "refused"),
            _ => debug!(%method, path, status, %peer, "served"),
        }
    }
}

/// A path as the log may have it: whole where no part of it can be a secret, which somebody may have put there by mistake.
pub(crate) fn shown(path: &str) -> &str {
    let plain = |part: &str| part.len() < SECRET_LEAST || part.parse::<SessionId>().is_ok();
    if path.len() <= PATH_LIMIT && path.split('/').all(plain) { path } else { "(long)" }
}

/// One counter for each class of status, found once: finding it takes longer than counting.
fn counters() -> &'static [Counter; 6] {
    static COUNTERS: OnceLock<[Counter; 6]> = OnceLock::new();
    COUNTERS.get_or_init(|| {
        ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|class| metrics::counter!("rescind_http_answers_total", "class" => class))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_be_a_token_is_not_shown() {
        assert_eq!(
            shown("/sessions/0198c0de-0000-7000-8000-00000000abcd"),
            "/sessions/0198c0de-0000-7000-8000-00000000abcd"
        );
        assert_eq!(shown("/admin/v1/revocations"), "/admin/v1/revocations");
        // A refresh token, an admin token, the shortest feed token.
        for token in [format!("rrt_{}", "A".repeat(60)), "A".repeat(43), "A".repeat(32)] {
            assert_eq!(shown(&format!("/{token}")), "(long)");
            assert_eq!(shown(&format!("/admin/v1/{token}/x")), "(long)");
        }
    }
}
