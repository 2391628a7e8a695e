//! The contact with a store that goes away and comes back. Owns how long it is waited for, how soon it is asked again, and
//! from when on it is believed. Asks nothing itself.

use std::time::Duration;

use tokio::time::timeout;

use super::failure::FollowError;
use super::heal::HealError;
use crate::random::Random;
use crate::store::{StoreError, StoreErrorKind};
use crate::time::BootTime;

/// The wait after a round that failed, doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// It is never longer, so that everybody is back soon after the store.
const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// After a shared store was away, nothing newer is said for so long: a replica that took its place and fits what this node
/// has seen may lack what others have seen. They are back by then, too, and have found that. Together with the longest
/// wait it is less than a second.
pub(super) const PROBATION: Duration = Duration::from_millis(450);

/// So long whatever has to be read and written of the key ring may take.
const KEYS_PATIENCE: Duration = Duration::from_secs(30);

/// How the contact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    /// It never broke, or long ago.
    Steady,
    /// The last rounds failed, as many as this.
    Broken(u32),
    /// The store is back since this moment.
    Back(BootTime),
}

impl Contact {
    /// A round failed: says how long to wait before the next one.
    ///
    /// The wait is shortened at random, so that nodes that lost the same store do not come back all at once.
    pub(super) fn failed(&mut self, random: &dyn Random) -> Duration {
        let failures = if let Self::Broken(failures) = *self { failures } else { 0 };
        *self = Self::Broken(failures.saturating_add(1));
        let longest = FIRST_WAIT.saturating_mul(1 << failures.min(8)).min(LONGEST_WAIT);
        let mut byte = [0];
        // Without randomness the whole wait is as good as any.
        let spared = random.fill(&mut byte).map_or(0, |()| u32::from(byte[0]));
        longest.saturating_sub(longest / 2 * spared / 256)
    }

    /// A reading of a store of one's own succeeded: nobody else can know more.
    pub(super) fn restored(&mut self) {
        *self = Self::Steady;
    }

    /// A reading of a shared store that began at `began` has succeeded `now`: whether that is too soon after its return. That
    /// is no earlier than the first answer, however long it was waited for.
    pub(super) fn is_on_probation(&mut self, began: BootTime, now: BootTime) -> bool {
        let back = match *self {
            Self::Steady => return false,
            Self::Broken(_) => now,
            Self::Back(back) => back,
        };
        let is_new = began.since(back) < PROBATION;
        *self = if is_new { Self::Back(back) } else { Self::Steady };
        is_new
    }
}

/// An answer within `patience`; else the store counts as unreachable.
pub(super) async fn patient<T>(
    patience: Duration,
    op: &'static str,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    timeout(patience, answer).await.unwrap_or_else(|late| Err(StoreError::new(StoreErrorKind::Unavailable, op, late)))
}

/// The same for what is done with the key ring, which takes several readings and writes.
pub(super) async fn with_keys<T>(
    doing: impl Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>>,
) -> Result<T, FollowError> {
    match timeout(KEYS_PATIENCE, doing).await {
        Ok(done) => Ok(done.map_err(HealError::Keys)?),
        Err(late) => Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", late).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{RandomFailed, SystemRandom};
    use crate::testing::NoRandom;

    /// Always the same byte.
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    // holds: R34
    #[test]
    fn the_wait_doubles_from_50_ms_is_never_above_a_second_and_begins_anew_after_a_success() {
        for _ in 0..50 {
            let mut contact = Contact::Steady;
            for longest in [50, 100, 200, 400, 400, 400] {
                let longest = Duration::from_millis(longest);
                let wait = contact.failed(&SystemRandom);
                assert!(longest / 2 <= wait && wait <= longest, "{wait:?} of {longest:?}");
            }
            contact.restored();
            assert!(contact.failed(&SystemRandom) <= FIRST_WAIT);
        }
        let mut contact = Contact::Broken(u32::MAX);
        assert!(contact.failed(&SystemRandom) <= LONGEST_WAIT);
    }

    #[test]
    fn chance_spares_up_to_half_of_the_wait() {
        let waits = [0, 64, 128, 255].map(|byte| Contact::Steady.failed(&Always(byte)).as_micros());
        assert_eq!(waits, [50_000, 43_750, 37_500, 25_097]);
        assert_eq!(Contact::Steady.failed(&NoRandom), FIRST_WAIT);
    }

    #[test]
    fn a_store_is_on_probation_from_its_return_until_everybody_is_back() {
        let at = BootTime::from_millis;
        let mut contact = Contact::Steady;
        assert!(!contact.is_on_probation(at(0), at(0)));
        contact.failed(&SystemRandom);
        assert_eq!(contact, Contact::Broken(1));
        assert!(contact.is_on_probation(at(10), at(1000)), "it was waited for");
        assert_eq!(contact, Contact::Back(at(1000)));
        assert!(contact.is_on_probation(at(1449), at(2000)));
        assert!(!contact.is_on_probation(at(1450), at(1450)));
        assert_eq!(contact, Contact::Steady);
        assert!(!contact.is_on_probation(at(1451), at(1451)));
        assert!(LONGEST_WAIT + PROBATION < Duration::from_secs(1));
    }
}
