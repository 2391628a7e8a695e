//! The edges of time: expiry, leeway, skew, lifetime; and what issuing refuses.

use std::time::Duration;

use crate::common::{AUDIENCE, ISSUER, NOW, expectations, forge, header, payload, session, spec};
use rescind::access_token::{
    AccessTokenSpec, CLAIMS_MAX, Expectations, ExpectationsInvalid, IssueError, Unverified, issue, validate_claims,
};
use rescind::keys::{Algorithm, KeyRing};
use rescind::random::SystemRandom;
use rescind::rejection::{Claim, Rejection};
use rescind::time::Timestamp;

fn ring() -> KeyRing {
    KeyRing::new(&[Algorithm::Hs256], &SystemRandom).unwrap()
}

fn verdict(ring: &KeyRing, expected: &Expectations, now: Timestamp) -> Option<Rejection> {
    let text = issue(ring.current(), &spec(&session())).unwrap();
    Unverified::parse(&text).unwrap().verify(expected, ring, now).err()
}

#[test]
fn a_token_dies_on_its_exp_and_leeway_delays_that_by_at_most_a_minute() {
    let ring = ring();
    let exp = NOW.plus(Duration::from_mins(15));
    let almost = Duration::from_millis(1);
    for (leeway, counts) in [(0, 0), (1, 1), (60, 60), (61, 60), (86_400, 60)] {
        let expected = expectations().with_leeway(Duration::from_secs(leeway));
        let end = exp.plus(Duration::from_secs(counts));
        assert_eq!(verdict(&ring, &expected, end.minus(almost)), None, "{leeway}");
        assert_eq!(verdict(&ring, &expected, end), Some(Rejection::Expired), "{leeway}");
    }
}

// holds: 62
#[test]
fn iat_may_be_ahead_by_the_skew_and_never_by_more_than_a_minute() {
    let ring = ring();
    for (skew, counts) in [(0, 0), (10, 10), (60, 60), (61, 60), (86_400, 60)] {
        let expected = expectations().with_skew(Duration::from_secs(skew));
        let earliest = NOW.minus(Duration::from_secs(counts));
        assert_eq!(verdict(&ring, &expected, earliest), None, "{skew}");
        let before = earliest.minus(Duration::from_millis(1));
        assert_eq!(verdict(&ring, &expected, before), Some(Rejection::IssuedInFuture), "{skew}");
    }
    assert_eq!(verdict(&ring, &expectations(), Timestamp::EPOCH), Some(Rejection::IssuedInFuture));
}

#[test]
fn an_expired_token_may_still_say_what_to_revoke_but_a_forged_one_not() {
    let (ring, other) = (ring(), ring());
    let late = NOW.plus(Duration::from_hours(9999));
    let text = issue(ring.current(), &spec(&session())).unwrap();
    let token = Unverified::parse(&text).unwrap();
    let verified = token.verify_for_revocation(&expectations(), &ring, late).unwrap();
    assert_eq!(verified.sid(), session().id);
    assert_eq!(verified.recheck(&expectations(), &ring, late), Err(Rejection::Expired));
    assert_eq!(token.verify_for_revocation(&expectations(), &other, late).err(), Some(Rejection::UnknownKey));
    let elsewhere = Expectations::new(ISSUER, "https://other.example", Duration::from_mins(15)).unwrap();
    assert_eq!(token.verify_for_revocation(&elsewhere, &ring, late).err(), Some(Rejection::WrongAudience));
}

#[test]
fn a_cached_token_is_refused_once_its_time_or_its_key_is_over() {
    let ring = ring();
    let text = issue(ring.current(), &spec(&session())).unwrap();
    let verified = Unverified::parse(&text).unwrap().verify(&expectations(), &ring, NOW).unwrap();
    let rotated = ring.rotate(Algorithm::Hs256, NOW, &SystemRandom).unwrap();
    assert_eq!(verified.recheck(&expectations(), &rotated, NOW), Ok(()));
    let revoked = rotated.revoke(verified.key_id(), NOW, &SystemRandom).unwrap();
    assert_eq!(verified.recheck(&expectations(), &revoked, NOW), Err(Rejection::KeyRevoked));
    let gone = revoked.expire(NOW.plus(Duration::from_hours(1)), Duration::from_mins(16));
    assert_eq!(verified.recheck(&expectations(), &gone, NOW), Err(Rejection::UnknownKey));
    let exp = verified.expires_at();
    assert_eq!(verified.recheck(&expectations(), &ring, exp), Err(Rejection::Expired));
    assert_eq!(
        Unverified::parse(&text).unwrap().verify(&expectations(), &revoked, NOW).err(),
        Some(Rejection::KeyRevoked)
    );
}

// holds: R2
#[test]
fn the_largest_times_do_not_overflow() {
    let ring = ring();
    let max = "9007199254740991";
    for (iat, exp) in [(max, max), ("0", max), ("0", "0")] {
        let text = forge(ring.current(), &header(ring.current()), payload(&[("iat", iat), ("exp", exp), ("nbf", max)]));
        for now in [Timestamp::EPOCH, NOW, Timestamp::from_millis(u64::MAX)] {
            assert!(Unverified::parse(&text).unwrap().verify(&expectations(), &ring, now).is_err());
        }
    }
}

// holds: 51, R35
#[test]
fn expectations_that_trust_everyone_cannot_be_made() {
    let life = Duration::from_mins(15);
    for issuer in ["", "a b", "a\n"] {
        assert_eq!(Expectations::new(issuer, AUDIENCE, life).err(), Some(ExpectationsInvalid::Issuer));
    }
    assert_eq!(Expectations::new(ISSUER, "", life).err(), Some(ExpectationsInvalid::Audience));
    assert_eq!(Expectations::new(ISSUER, AUDIENCE, Duration::ZERO).err(), Some(ExpectationsInvalid::Lifetime));
}

#[test]
fn custom_claims_are_judged_before_a_session_is_opened() {
    for good in ["{}", " { } ", r#"{"role":"admin"}"#, "\n{\"a\":{\"iss\":\"inside is free\"}}\n"] {
        assert_eq!(validate_claims(good), Ok(()), "{good}");
    }
    for bad in ["", "null", "[]", "{", "{}{}", r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":2}}"#, "{\"a\":1e400}"] {
        assert_eq!(validate_claims(bad), Err(IssueError::ClaimsInvalid), "{bad}");
    }
    assert_eq!(validate_claims(r#"{"a":1,"sub":"root"}"#), Err(IssueError::ReservedClaim(Claim::Sub)));
    assert_eq!(validate_claims(r#"{"\u0073eq":0}"#), Err(IssueError::ReservedClaim(Claim::Seq)));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(CLAIMS_MAX));
    assert_eq!(validate_claims(&long), Err(IssueError::ClaimsTooLong));
}

#[test]
fn what_a_session_holds_comes_back_whole() {
    let ring = ring();
    let mut session = session();
    for claims in [None, Some("{}"), Some(" {\"emoji\":\"\u{1f600}\",\"quote\":\"\\\"}\"} ")] {
        session.claims = claims.map(str::to_owned);
        session.subject = rescind::id::Subject::new("o\"br\\ien \u{e9}").unwrap();
        let text = issue(ring.current(), &spec(&session)).unwrap();
        let verified = Unverified::parse(&text).unwrap().verify(&expectations(), &ring, NOW).unwrap();
        assert_eq!(verified.subject(), &session.subject);
        assert_eq!(verified.issued_at(), NOW);
        assert_eq!(verified.expires_at(), NOW.plus(Duration::from_mins(15)));
        assert_eq!(verified.audience(), AUDIENCE);
    }
}

#[test]
fn a_token_that_no_verifier_would_take_is_not_issued() {
    let ring = ring();
    let mut session = session();
    let good = spec(&session);
    let long = AccessTokenSpec { lifetime: Duration::from_secs(901), ..good };
    assert_eq!(issue(ring.current(), &long).err(), Some(IssueError::LifetimeTooLong));
    let big = "x".repeat(16_000);
    assert_eq!(issue(ring.current(), &AccessTokenSpec { issuer: &big, ..good }).err(), Some(IssueError::TooLong));
    session.claims = Some(r#"{"exp":1}"#.to_owned());
    assert_eq!(issue(ring.current(), &spec(&session)).err(), Some(IssueError::ReservedClaim(Claim::Exp)));
}
