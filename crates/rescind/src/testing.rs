//! What tests of the whole project share: a clock that moves when told to, randomness that repeats, and ready-made
//! names, sessions and entries. Behind the feature `testing`; no product code uses it.
#![expect(clippy::expect_used, reason = "a test that cannot build its input fails loudly")]

mod skip;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use self::skip::skip;
use crate::id::{ClientId, Jti, SessionId, Subject};
use crate::log::{Act, NewEntry, Scope, Text};
use crate::position::Seq;
use crate::random::{Random, RandomFailed};
use crate::refresh_token::ClientClass;
use crate::session::NewSession;
use crate::time::{BootTime, Clock, Timestamp};

/// A clock that stands still until told to move.
pub struct ManualClock(Mutex<(Timestamp, BootTime)>);

impl ManualClock {
    /// Where the clock starts unless told otherwise: 2027-01-15T08:00:00Z.
    pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// Starts the wall clock at `wall`, one hour after boot.
    pub fn new(wall: Timestamp) -> Self {
        Self(Mutex::new((wall, BootTime::from_millis(3_600_000))))
    }

    /// Lets `span` pass on both clocks.
    pub fn advance(&self, span: Duration) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let boot = at.1.since(BootTime::from_millis(0)) + span;
        let boot = u64::try_from(boot.as_millis()).expect("a test does not outlast 64 bits of milliseconds");
        *at = (at.0.plus(span), BootTime::from_millis(boot));
    }

    /// Steps the wall clock to `wall`, in either direction; the boot clock stays.
    pub fn step_wall(&self, wall: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = wall;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new(Self::START)
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn boot(&self) -> BootTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({:?}, {:?})", self.wall(), self.boot())
    }
}

/// Bytes that follow from a seed (SplitMix64): the same in every run, and not fit for any secret.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// Starts the sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        for chunk in bytes.chunks_mut(8) {
            chunk.iter_mut().zip(self.next().to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// A source of randomness that gives none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomFailed> {
        Err(RandomFailed)
    }
}

/// The `n`-th session id: a higher `n` is a newer session.
pub fn sid(n: u64) -> SessionId {
    SessionId::from_bytes(uuid_v7(n))
}

/// The `n`-th token id.
pub fn jti(n: u64) -> Jti {
    Jti::from_bytes(uuid_v7(n))
}

/// A subject by its name.
pub fn subject(name: &str) -> Subject {
    Subject::new(name).expect("the name obeys the shape of a subject")
}

/// A client by its name.
pub fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("the name obeys the shape of a client")
}

/// The `n`-th session, of the subject `name` through the client `app`: two hours idle, one day absolute.
pub fn new_session(n: u64, name: &str) -> NewSession {
    NewSession {
        id: sid(n),
        subject: subject(name),
        client: client("app"),
        class: ClientClass::Browser,
        auth_time: None,
        idle: Duration::from_hours(2),
        absolute: Duration::from_hours(24),
        device: None,
        scope: None,
        claims: None,
    }
}

/// A cut-off on `scope`, to be remembered for a day after [`ManualClock::START`].
pub fn cut_off(scope: Scope) -> NewEntry {
    entry(scope, Act::CutOff)
}

/// A lift of the cut-off at `of` on `scope`, to be remembered as long.
pub fn lift(scope: Scope, of: Seq) -> NewEntry {
    entry(scope, Act::Lift { of })
}

fn entry(scope: Scope, act: Act) -> NewEntry {
    NewEntry {
        scope,
        act,
        reason: Text::known("test"),
        actor: Text::known("test"),
        remember_until: ManualClock::START.plus(Duration::from_hours(24)),
    }
}

/// Version 7 and variant 10 as RFC 9562 §5.7 wants them; `n` in the time and again in the last bytes.
fn uuid_v7(n: u64) -> [u8; 16] {
    let random = n.to_be_bytes();
    let mut bytes = [0; 10];
    bytes.iter_mut().skip(2).zip(random).for_each(|(to, from)| *to = from);
    let millis = ManualClock::START.as_millis().saturating_add(n);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_wall_clock_leaves_the_boot_clock() {
        let clock = ManualClock::default();
        let boot = clock.boot();
        clock.step_wall(Timestamp::EPOCH);
        assert_eq!((clock.wall(), clock.boot()), (Timestamp::EPOCH, boot));
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.wall(), Timestamp::from_millis(1500));
        assert_eq!(clock.boot().since(boot), Duration::from_millis(1500));
    }

    #[test]
    fn a_seed_decides_the_bytes() {
        let bytes = |seed| {
            let mut bytes = [0; 21];
            SeededRandom::new(seed).fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn made_ids_are_ordered_by_their_number() {
        assert!(sid(1) < sid(2) && sid(255) < sid(256) && sid(1 << 20) < sid((1 << 20) + 1));
        assert_eq!(sid(7).to_string().parse(), Ok(sid(7)));
    }
}
