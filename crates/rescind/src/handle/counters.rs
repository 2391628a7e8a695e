//! What the handle counts, for metrics and alarms. Numbers only: nothing here names a token or a user.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Counters of one handle since its start.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        /// The counters' values at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Every counter with the name that it has in metrics and statistics.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$(($word, self.$name),)*].into_iter()
            }
        }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.read(),)* }
            }
        }
    };
}

counters! {
    /// Sessions opened.
    opened = "sessions_opened",
    /// Refresh tokens rotated.
    rotated = "refresh_rotated",
    /// Refresh tokens answered again within grace.
    retried = "refresh_retried",
    /// Refresh tokens of clients that do not rotate.
    kept = "refresh_kept",
    /// Spent refresh tokens that came outside of grace; each ended its session.
    reused = "refresh_reused",
    /// Refresh tokens ahead of their session's row: the store lost an acknowledged rotation. An alarm.
    ahead = "refresh_ahead",
    /// Refresh tokens refused for any other reason.
    refresh_refused = "refresh_refused",
    /// Cut-offs appended.
    revoked = "revoked",
    /// Lifts appended.
    lifted = "lifted",
    /// Checks that skipped the signature.
    cache_hits = "cache_hits",
    /// Checks that verified the signature.
    cache_misses = "cache_misses",
    /// Access tokens refused.
    check_refused = "checks_refused",
    /// Checks not answered because the view was stale.
    check_stale = "checks_unanswered_stale",
    /// Checks answered from a stale view because the policy allows it.
    check_allowed_stale = "checks_allowed_stale",
    /// Rows swept.
    swept = "rows_swept",
}

/// One number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
