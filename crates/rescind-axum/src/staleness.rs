//! Marks what was served from a stale view, where the operator allows that: a response header and the log; the engine
//! counts it. Owns the mark; whether anything is served is the engine's matter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rescind::time::Timestamp;
use rescind::{Live, Rescind};
use tracing::warn;

/// Says how old the view was that an answer comes from. **Units:** milliseconds.
pub const STALENESS: HeaderName = HeaderName::from_static("rescind-staleness-ms");
/// The log says it at most this often: an outage makes every request stale.
const QUIET_SECS: u64 = 10;

/// Marks the answer of a handler that has checked a token itself, without a [`Guard`](crate::Guard), and says so in the
/// log once in a while; nothing where the view was fresh.
pub fn mark_staleness<C>(headers: &mut HeaderMap, rescind: &Rescind, live: &Live<C>) {
    if let Some(age) = live.staleness() {
        warn_of_staleness(rescind, age);
        headers.insert(STALENESS, value(age));
    }
}

/// The value of [`STALENESS`] for a view of this age.
pub(crate) fn value(age: Duration) -> HeaderValue {
    HeaderValue::from(millis(age))
}

/// Says in the log, once in a while, that an answer came from a stale view.
pub(crate) fn warn_of_staleness(rescind: &Rescind, age: Duration) {
    if is_due(rescind.clock().wall()) {
        let age_ms = millis(age);
        warn!(age_ms, "served from a stale view, as on_stale allows: what was revoked since may still pass");
    }
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
    use super::*;

    #[test]
    fn the_log_says_it_once_in_a_while_also_after_the_clock_was_put_back() {
        let at = |secs| is_due(Timestamp::from_secs(secs));
        assert_eq!([at(1000), at(1009), at(1010), at(1011), at(500), at(501)], [true, false, true, false, true, false]);
    }
}
