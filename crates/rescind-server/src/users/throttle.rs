//! Limits failed sign-ins per user name and per client address. Owns the counts, which are bounded in memory by
//! forgetting the names and addresses that have recovered; knows no password. A success costs nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use governor::clock::{Clock, DefaultClock};
use governor::nanos::Nanos;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::Limits;

/// In how long a used-up allowance is whole again.
const WINDOW: Duration = Duration::from_mins(5);
/// After how many failures what has recovered is forgotten.
const TIDY_EVERY: u32 = 1024;

type Instant = <DefaultClock as Clock>::Instant;

/// The counts.
pub(crate) struct Throttle {
    users: DefaultKeyedRateLimiter<Key>,
    addresses: DefaultKeyedRateLimiter<Key>,
    clock: DefaultClock,
    shut: Mutex<Shut>,
}

/// Who used the allowance up, and until when nothing of theirs is looked at.
#[derive(Default)]
struct Shut {
    until: HashMap<Key, Instant>,
    failures: u32,
}

/// A name by the first 16 bytes of its SHA-256 (bounded for any name), or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    User([u8; 16]),
    Address(IpAddr),
}

/// Whose attempt it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    user: Key,
    address: Key,
}

impl Attempt {
    /// An attempt on this name from this address. IPv6 counts by /64, which is what one customer gets.
    pub(crate) fn new(name: &str, address: IpAddr) -> Self {
        let mut user = [0; 16];
        for (to, from) in user.iter_mut().zip(digest(&SHA256, name.as_bytes()).as_ref()) {
            *to = *from;
        }
        let address = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        };
        Self { user: Key::User(user), address: Key::Address(address) }
    }
}

impl Throttle {
    /// Counts by these limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            users: RateLimiter::keyed(quota(limits.failures_per_user)),
            addresses: RateLimiter::keyed(quota(limits.failures_per_address)),
            clock: DefaultClock::default(),
            shut: Mutex::default(),
        }
    }

    /// Whether the attempt may be looked at.
    ///
    /// # Errors
    /// How long to wait, where the name or the address has failed too often.
    pub(crate) fn admit(&self, attempt: Attempt) -> Result<(), Duration> {
        let now = self.clock.now();
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |key| shut.until.get(&key).map_or(Duration::ZERO, |until| until.duration_since(now));
        let wait = wait(attempt.user).max(wait(attempt.address));
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// Counts a failure. The allowance is used up by the last one that fits, not by the first one too many.
    pub(crate) fn failed(&self, attempt: Attempt) {
        let now = self.clock.now();
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        for (limiter, key) in [(&self.users, attempt.user), (&self.addresses, attempt.address)] {
            if let Err(refused) = limiter.check_key(&key) {
                shut.until.insert(key, now + Nanos::from(refused.wait_time_from(now)));
            }
        }
        shut.failures = shut.failures.wrapping_add(1);
        if shut.failures.is_multiple_of(TIDY_EVERY) {
            shut.until.retain(|_, until| *until > now);
            for limiter in [&self.users, &self.addresses] {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
    }
}

/// `check_key` lets `burst` through and refuses the next: one less, so that the last allowed failure shuts the door.
fn quota(failures: u32) -> Quota {
    let burst = NonZeroU32::new(failures.saturating_sub(1)).unwrap_or(NonZeroU32::MIN);
    let period = WINDOW / failures.max(1);
    Quota::with_period(period).unwrap_or(Quota::per_second(burst)).allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(user: u32, address: u32) -> Throttle {
        let mut limits = crate::config::Config::resolve(crate::config::Settings::default()).unwrap().limits;
        limits.failures_per_user = user;
        limits.failures_per_address = address;
        Throttle::new(&limits)
    }

    fn from(name: &str, last: u8) -> Attempt {
        Attempt::new(name, IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_name_is_shut_by_its_last_allowed_failure_and_no_other_name_with_it() {
        let throttle = throttle(3, 100);
        for _ in 0..3 {
            assert_eq!(throttle.admit(from("alice", 1)), Ok(()));
            throttle.failed(from("alice", 1));
        }
        assert!(throttle.admit(from("alice", 2)).is_err());
        assert_eq!(throttle.admit(from("bob", 1)), Ok(()));
    }

    #[test]
    fn an_address_is_shut_for_every_name() {
        let throttle = throttle(100, 4);
        for name in ["a", "b", "c", "d"] {
            throttle.failed(from(name, 1));
        }
        assert!(throttle.admit(from("e", 1)).is_err());
        assert_eq!(throttle.admit(from("e", 2)), Ok(()));
    }
}
