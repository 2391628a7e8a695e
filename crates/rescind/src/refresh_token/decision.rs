//! What a presented refresh token is worth: one table, as a pure function of the generations, the row and the time.
//! Owns the rule alone; whoever calls loads the row before and compares-and-sets after.

use std::time::Duration;

use crate::position::Generation;
use crate::rejection::Rejection;
use crate::session::{Lapse, Loaded};

/// What to do with an authentic refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The session has ended: refuse, write nothing.
    Refuse(Rejection),
    /// The newest token: move the row to `to` and answer with that generation's token.
    Rotate {
        /// The successor's generation.
        to: Generation,
    },
    /// The newest token of a class that does not rotate: note the use and answer with the same token.
    Keep,
    /// The token before the newest, within grace: write nothing, answer with the newest token again.
    Retry,
    /// A spent token outside of grace: two parties hold the session's tokens. End it before answering.
    Reuse,
    /// A token that the row has not reached: the store lost a rotation that it had acknowledged. Only we can have
    /// made it, so go on from it: move the row to `to`, count it, raise an alarm.
    Ahead {
        /// The successor's generation.
        to: Generation,
    },
}

/// Decides on a token of generation `presented` against its session's row, at the store's time of the row.
///
/// The window of grace does not slide, and it closes when the successor is used: the token is then two behind.
/// **Source:** RFC 9700 §4.14.2 (rotation, and reuse ends the grant); RFC 6749 §10.4.
pub fn decide(presented: Generation, loaded: &Loaded, configured_grace: Duration) -> Decision {
    let Loaded { session, cut_off, now } = loaded;
    if let Some(cut_off) = cut_off {
        return Decision::Refuse(Rejection::Revoked(cut_off.scope.kind()));
    }
    match session.lapsed(*now) {
        Some(Lapse::Idle) => return Decision::Refuse(Rejection::SessionIdle),
        Some(Lapse::Absolute) => return Decision::Refuse(Rejection::SessionExpired),
        None => {}
    }
    let newest = session.generation;
    let to = if session.class.rotates() { presented.next() } else { presented };
    if presented > newest {
        return Decision::Ahead { to };
    }
    if presented == newest {
        return if session.class.rotates() { Decision::Rotate { to } } else { Decision::Keep };
    }
    let grace = session.class.grace(configured_grace);
    // No grace means none, not "within the same millisecond"; and a clock that stepped back to before the rotation opens none.
    let before = session.rotated_at.since(*now) > Duration::from_secs(1);
    let within = !grace.is_zero() && !before && now.since(session.rotated_at) <= grace;
    if presented.next() == newest && within { Decision::Retry } else { Decision::Reuse }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientId, SessionId, Subject};
    use crate::log::{CutOff, Scope, ScopeKind};
    use crate::position::Seq;
    use crate::refresh_token::ClientClass;
    use crate::session::{NewSession, Session};
    use crate::time::Timestamp;

    const GRACE: Duration = Duration::from_secs(10);
    const OPENED: Timestamp = Timestamp::from_secs(1_000_000);

    fn at(millis_after_rotation: u64, newest: u64, class: ClientClass) -> Loaded {
        let new = NewSession {
            id: SessionId::from_bytes([7; 16]),
            subject: Subject::new("alice").unwrap(),
            client: ClientId::new("web").unwrap(),
            class,
            auth_time: None,
            idle: Duration::from_secs(1000),
            absolute: Duration::from_secs(2000),
            device: None,
            scope: None,
            claims: None,
        };
        let mut session = Session::open(new, Seq::new(5), OPENED);
        session.generation = Generation::new(newest);
        Loaded { session, cut_off: None, now: OPENED.plus(Duration::from_millis(millis_after_rotation)) }
    }

    fn browser(presented: u64, newest: u64, millis: u64) -> Decision {
        decide(Generation::new(presented), &at(millis, newest, ClientClass::Browser), GRACE)
    }

    #[test]
    fn the_newest_token_rotates() {
        assert_eq!(browser(0, 0, 0), Decision::Rotate { to: Generation::new(1) });
        assert_eq!(browser(4, 4, 999_999), Decision::Rotate { to: Generation::new(5) });
    }

    #[test]
    fn the_token_before_is_retried_within_grace_and_not_a_millisecond_longer() {
        assert_eq!(browser(3, 4, 0), Decision::Retry);
        assert_eq!(browser(3, 4, 10_000), Decision::Retry);
        assert_eq!(browser(3, 4, 10_001), Decision::Reuse);
    }

    #[test]
    fn a_clock_that_stepped_back_does_not_open_the_window_again() {
        let mut loaded = at(0, 4, ClientClass::Browser);
        loaded.now = OPENED.minus(Duration::from_hours(1));
        assert_eq!(decide(Generation::new(3), &loaded, GRACE), Decision::Reuse);
    }

    #[test]
    fn a_clock_that_stepped_back_by_a_second_at_most_is_the_same_moment() {
        let mut loaded = at(0, 4, ClientClass::Browser);
        for (back, decision) in [(1000, Decision::Retry), (1001, Decision::Reuse)] {
            loaded.now = OPENED.minus(Duration::from_millis(back));
            assert_eq!(decide(Generation::new(3), &loaded, GRACE), decision, "{back} ms");
        }
    }

    // holds: R21
    #[test]
    fn two_behind_is_reuse_even_within_grace() {
        assert_eq!(browser(2, 4, 0), Decision::Reuse);
        assert_eq!(browser(0, 1_000_000, 0), Decision::Reuse);
    }

    #[test]
    fn a_token_ahead_of_the_row_goes_on_from_itself() {
        assert_eq!(browser(9, 4, 0), Decision::Ahead { to: Generation::new(10) });
    }

    // holds: 11
    #[test]
    fn an_ended_session_refuses_every_generation() {
        for presented in [3, 4, 5] {
            assert_eq!(browser(presented, 4, 1_000_000), Decision::Refuse(Rejection::SessionIdle));
            assert_eq!(browser(presented, 4, 2_000_000), Decision::Refuse(Rejection::SessionExpired));
            let mut covered = at(0, 4, ClientClass::Browser);
            let subject = Scope::Subject(Subject::new("alice").unwrap());
            covered.cut_off = Some(CutOff { scope: subject, seq: Seq::new(6), at: OPENED });
            let refused = Decision::Refuse(Rejection::Revoked(ScopeKind::Subject));
            assert_eq!(decide(Generation::new(presented), &covered, GRACE), refused);
        }
    }

    #[test]
    fn classes_differ_in_grace_and_rotation_alone() {
        let class =
            |class, presented, newest, millis| decide(Generation::new(presented), &at(millis, newest, class), GRACE);
        assert_eq!(class(ClientClass::Strict, 3, 4, 0), Decision::Reuse);
        assert_eq!(class(ClientClass::Agent, 3, 4, 60_000), Decision::Retry);
        assert_eq!(class(ClientClass::Agent, 3, 4, 60_001), Decision::Reuse);
        assert_eq!(class(ClientClass::Native, 3, 4, 10_000), Decision::Retry);
        assert_eq!(class(ClientClass::Fixed, 4, 4, 500), Decision::Keep);
        assert_eq!(class(ClientClass::Fixed, 3, 4, 0), Decision::Reuse);
        assert_eq!(class(ClientClass::Fixed, 5, 4, 0), Decision::Ahead { to: Generation::new(5) });
    }
}
