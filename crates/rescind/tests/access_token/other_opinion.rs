//! The other opinion: what `jsonwebtoken` issues we verify, and what we issue it verifies, for every algorithm.

use crate::common::{
    AUDIENCE, ISSUER, JTI, NOW, expectations, forge, header, payload, session, spec, their_keys, their_name,
};
use jsonwebtoken::{Header, Validation, decode, encode};
use rescind::access_token::{Unverified, issue};
use rescind::keys::{Algorithm, KeyRing, SigningKey};
use rescind::random::SystemRandom;
use serde_json::Value;

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(their_name(algorithm));
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    // It asks the machine for the time, and the tests' present is fixed.
    validation.validate_exp = false;
    validation
}

#[test]
fn each_side_verifies_what_the_other_issues() {
    let ring = KeyRing::new(&Algorithm::EVERY, &SystemRandom).unwrap();
    let session = session();
    for algorithm in Algorithm::EVERY {
        let key = ring.current_for(algorithm).unwrap();
        let (encoding, decoding) = their_keys(&ring, key);
        let ours = issue(key, &spec(&session)).unwrap();
        let theirs = decode::<Value>(&ours, &decoding, &validation(algorithm)).unwrap();
        assert_eq!(theirs.header.kid.as_deref(), Some(key.id().as_str()));
        assert_eq!(theirs.header.typ.as_deref(), Some("at+jwt"));
        let mut head = Header::new(their_name(algorithm));
        (head.kid, head.typ) = (Some(key.id().as_str().to_owned()), Some("at+jwt".to_owned()));
        let text = encode(&head, &theirs.claims, &encoding).unwrap();
        let verified = Unverified::parse(&text).unwrap().verify(&expectations(), &ring, NOW).unwrap();
        assert_eq!(verified.jti().to_string(), JTI);
        assert_eq!(verified.claims::<Value>().unwrap(), theirs.claims);
    }
}

/// Where both judge, the verdicts agree, or ours is the stricter one, for a reason that stands here.
#[test]
fn we_never_accept_what_the_other_refuses() {
    let ring = KeyRing::new(&Algorithm::EVERY, &SystemRandom).unwrap();
    for algorithm in Algorithm::EVERY {
        let key = ring.current_for(algorithm).unwrap();
        let (_, decoding) = their_keys(&ring, key);
        let other = SigningKey::generate(algorithm, key.id().clone(), &SystemRandom).unwrap();
        for (what, text, stricter) in [
            ("good", forge(key, &header(key), payload(&[])), false),
            ("another key", forge(&other, &header(&other), payload(&[])), false),
            ("another issuer", forge(key, &header(key), payload(&[("iss", "\"https://evil.example\"")])), false),
            ("another audience", forge(key, &header(key), payload(&[("aud", "\"other\"")])), false),
            ("no audience", forge(key, &header(key), payload(&[("aud", "")])), true),
            ("float iat", forge(key, &header(key), payload(&[("iat", "1800000000.5")])), true),
            ("text exp", forge(key, &header(key), payload(&[("exp", "\"1800000900\"")])), true),
            ("twice", forge(key, &header(key), payload(&[]).replace("\"seq\":42", "\"seq\":42,\"seq\":43")), true),
            ("no typ", forge(key, &header(key).replace("\"typ\":\"at+jwt\",", ""), payload(&[])), true),
        ] {
            let theirs = decode::<Value>(&text, &decoding, &validation(algorithm)).is_ok();
            let ours = Unverified::parse(&text).and_then(|token| token.verify(&expectations(), &ring, NOW)).is_ok();
            assert!(theirs || !ours, "{algorithm} {what}: ours passes, theirs not");
            assert!(theirs == ours || stricter, "{algorithm} {what}: theirs {theirs}, ours {ours}");
        }
    }
}
