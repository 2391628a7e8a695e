//! Limits failed sign-ins: per user name from one client address, per client address, and, more generously, per user name
//! from everywhere, so that nobody is locked out by a few failures of somebody elsewhere. An attempt takes its allowance before the password is
//! looked at, so that many at once get no more than one after the other; whoever was no guesser gets it back. Owns the
//! counts, which are bounded in memory by forgetting the names and addresses that have recovered; knows no password.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rescind::time::{BootTime, Clock};

use crate::config::Limits;
use crate::customer;

/// In how long a used-up allowance is whole again.
const WINDOW: Duration = Duration::from_mins(5);
/// After how many attempts what has recovered is forgotten.
const TIDY_EVERY: u32 = 1024;

/// The counts.
pub(crate) struct Throttle {
    limits: Limits,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

/// When each allowance will be whole again; one that is not here is whole.
#[derive(Default)]
struct Counts {
    whole: HashMap<Key, BootTime>,
    attempts: u32,
}

/// A name by the first 16 bytes of its SHA-256 (bounded for any name), or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Pair([u8; 16], IpAddr),
    Address(IpAddr),
    User([u8; 16]),
}

/// Whose attempt it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    address: Key,
    /// The name from there, and from everywhere; none where no name is tried.
    name: Option<[Key; 2]>,
}

impl Attempt {
    /// An attempt on this name from this address.
    pub(crate) fn new(name: &str, address: IpAddr) -> Self {
        let mut user = [0; 16];
        for (to, from) in user.iter_mut().zip(digest(&SHA256, name.as_bytes()).as_ref()) {
            *to = *from;
        }
        let address = customer::of(address);
        Self { address: Key::Address(address), name: Some([Key::Pair(user, address), Key::User(user)]) }
    }

    /// An attempt from this address with what a provider has given: who it is stands in nobody's choice.
    pub(crate) fn at_a_provider(address: IpAddr) -> Self {
        Self { address: Key::Address(customer::of(address)), name: None }
    }

    fn keys(self) -> impl Iterator<Item = Key> {
        self.name.into_iter().flatten().chain([self.address])
    }
}

impl Throttle {
    /// Counts by these limits.
    pub(crate) fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock, counts: Mutex::default() }
    }

    /// Takes the allowance of an attempt: from each of its counts, or from none.
    ///
    /// # Errors
    /// How long to wait, where one of them is used up.
    pub(crate) fn admit(&self, attempt: Attempt) -> Result<(), Duration> {
        let now = self.clock.boot();
        let mut counts = self.counts();
        let take = |key| {
            let whole = counts.whole.get(&key).copied().unwrap_or_default().max(now);
            (key, plus(whole, self.share(key)))
        };
        let taken: Vec<_> = attempt.keys().map(take).collect();
        let latest = taken.iter().map(|(_, whole)| whole.since(now)).max().unwrap_or_default();
        if latest > WINDOW {
            return Err(latest.saturating_sub(WINDOW));
        }
        counts.whole.extend(taken);
        counts.attempts = counts.attempts.wrapping_add(1);
        if counts.attempts.is_multiple_of(TIDY_EVERY) {
            counts.whole.retain(|_, whole| *whole > now);
            counts.whole.shrink_to_fit();
        }
        Ok(())
    }

    /// Gives the allowance back: the password was right, or was not looked at.
    pub(crate) fn give_back(&self, attempt: Attempt) {
        let mut counts = self.counts();
        for key in attempt.keys() {
            if let Some(whole) = counts.whole.get_mut(&key) {
                *whole = minus(*whole, self.share(key));
            }
        }
    }

    /// How long it takes until one attempt is forgotten.
    fn share(&self, key: Key) -> Duration {
        let most = match key {
            Key::Pair(..) => self.limits.failures_per_user,
            Key::Address(_) => self.limits.failures_per_address,
            Key::User(_) => self.limits.failures_per_user_in_all,
        };
        WINDOW / most.max(1)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn plus(time: BootTime, span: Duration) -> BootTime {
    BootTime::from_millis(time.as_millis().saturating_add(millis(span)))
}

fn minus(time: BootTime, span: Duration) -> BootTime {
    BootTime::from_millis(time.as_millis().saturating_sub(millis(span)))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rescind::testing::ManualClock;

    use super::*;

    fn throttle(user: u32, address: u32) -> (Throttle, Arc<ManualClock>) {
        let mut limits = crate::config::Config::resolve(crate::config::Settings::default()).unwrap().limits;
        limits.failures_per_user = user;
        limits.failures_per_user_in_all = 2 * user;
        limits.failures_per_address = address;
        let clock = Arc::new(ManualClock::default());
        (Throttle::new(limits, clock.clone()), clock)
    }

    fn from(name: &str, last: u8) -> Attempt {
        Attempt::new(name, IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_name_is_shut_by_its_last_allowed_failure_and_no_other_name_with_it() {
        let (throttle, _) = throttle(3, 100);
        for _ in 0..3 {
            assert_eq!(throttle.admit(from("alice", 1)), Ok(()));
        }
        assert_eq!(throttle.admit(from("alice", 1)), Err(WINDOW / 3));
        assert_eq!(throttle.admit(from("bob", 1)), Ok(()));
        assert_eq!(throttle.admit(from("alice", 2)), Ok(()), "elsewhere the name is as good as before");
    }

    #[test]
    fn a_name_is_shut_everywhere_by_many_failures_from_many_addresses() {
        let (throttle, _) = throttle(3, 100);
        for address in 0..6 {
            assert_eq!(throttle.admit(from("alice", address)), Ok(()));
        }
        assert_eq!(throttle.admit(from("alice", 7)), Err(WINDOW / 6));
        assert_eq!(throttle.admit(from("bob", 7)), Ok(()));
    }

    #[test]
    fn an_address_is_shut_for_every_name() {
        let (throttle, _) = throttle(100, 4);
        for name in ["a", "b", "c", "d"] {
            assert_eq!(throttle.admit(from(name, 1)), Ok(()));
        }
        assert!(throttle.admit(from("e", 1)).is_err());
        assert_eq!(throttle.admit(from("e", 2)), Ok(()));
    }

    #[test]
    fn what_a_provider_gave_counts_by_address_alone() {
        let (throttle, _) = throttle(1, 3);
        let from = |last| Attempt::at_a_provider(IpAddr::from([192, 0, 2, last]));
        for _ in 0..3 {
            assert_eq!(throttle.admit(from(1)), Ok(()));
        }
        assert!(throttle.admit(from(1)).is_err());
        assert_eq!(throttle.admit(from(2)), Ok(()), "nobody elsewhere is kept out");
        throttle.give_back(from(1));
        assert_eq!(throttle.admit(from(1)), Ok(()));
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let (throttle, _) = throttle(1, 1);
        for _ in 0..10 {
            assert_eq!(throttle.admit(from("alice", 1)), Ok(()));
            throttle.give_back(from("alice", 1));
        }
    }

    #[test]
    fn being_refused_costs_nothing_and_waiting_as_long_as_was_said_helps() {
        let (throttle, clock) = throttle(2, 100);
        for _ in 0..2 {
            assert_eq!(throttle.admit(from("alice", 1)), Ok(()));
        }
        for _ in 0..200 {
            assert_eq!(throttle.admit(from("alice", 1)), Err(WINDOW / 2));
        }
        clock.advance(WINDOW / 2);
        assert_eq!(throttle.admit(from("alice", 1)), Ok(()));
        assert!(throttle.admit(from("alice", 1)).is_err());
        assert_eq!(throttle.admit(from("bob", 1)), Ok(()));
    }
}
