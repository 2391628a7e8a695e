//! For how long cut-offs matter. Owns the two spans, which only grow: another node's tokens and sessions may live longer
//! than was known at start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For how long after its append a cut-off can matter.
#[derive(Debug)]
pub(crate) struct Retention {
    /// **Units:** milliseconds, as below.
    access: AtomicU64,
    session: AtomicU64,
}

impl Retention {
    pub(crate) fn new(access: Duration, session: Duration) -> Self {
        Self { access: AtomicU64::new(millis(access)), session: AtomicU64::new(millis(session)) }
    }

    /// To an access token.
    pub(crate) fn access(&self) -> Duration {
        Duration::from_millis(self.access.load(Ordering::Acquire))
    }

    /// To a session.
    pub(crate) fn session(&self) -> Duration {
        Duration::from_millis(self.session.load(Ordering::Acquire))
    }

    /// At least so long from now on.
    pub(crate) fn raise(&self, access: Duration, session: Duration) {
        self.session.fetch_max(millis(session), Ordering::AcqRel);
        self.access.fetch_max(millis(access), Ordering::AcqRel);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
