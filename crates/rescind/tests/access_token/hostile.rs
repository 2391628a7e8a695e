//! Tokens made to deceive: wrong types, foreign algorithms, keys in headers, re-encodings, other JWTs.

use crate::common::{ISSUER, JTI, NOW, base64url, expectations, forge, header, payload, session, sign, spec};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use rescind::access_token::{Unverified, Verified, issue};
use rescind::id::KeyId;
use rescind::keys::{Algorithm, KeyError, KeyRing, SigningKey};
use rescind::random::SystemRandom;
use rescind::refresh_token::RefreshTokens;
use rescind::rejection::{Claim, Rejection};

fn ring(algorithms: &[Algorithm]) -> KeyRing {
    KeyRing::new(algorithms, &SystemRandom).unwrap()
}

fn verify(ring: &KeyRing, text: &str) -> Result<Verified, Rejection> {
    Unverified::parse(text)?.verify(&expectations(), ring, NOW)
}

// holds: 61, R2
#[test]
fn a_claim_of_the_wrong_type_is_refused_by_name() {
    let ring = ring(&[Algorithm::Hs256]);
    let key = ring.current();
    let numbers = [
        "\"1800000000\"",
        "1800000000.0",
        "1.8e9",
        "-1",
        "-0",
        "1e400",
        "-1e400",
        "9007199254740992",
        "18446744073709551616",
        "null",
        "true",
        "[1800000000]",
        "{\"n\":1800000000}",
        "\"\"",
    ];
    for (claim, name) in [
        (Claim::Exp, "exp"),
        (Claim::Iat, "iat"),
        (Claim::Nbf, "nbf"),
        (Claim::Seq, "seq"),
        (Claim::AuthTime, "auth_time"),
    ] {
        for value in numbers {
            let text = forge(key, &header(key), payload(&[(name, value)]));
            assert_eq!(verify(&ring, &text).err(), Some(Rejection::BadClaim(claim)), "{name} {value}");
        }
    }
    let texts = ["1", "null", "true", "[]", "{}", "1e400"];
    for (claim, name) in [
        (Claim::Iss, "iss"),
        (Claim::Sub, "sub"),
        (Claim::Aud, "aud"),
        (Claim::ClientId, "client_id"),
        (Claim::Jti, "jti"),
        (Claim::Sid, "sid"),
        (Claim::Scope, "scope"),
    ] {
        for value in texts {
            let text = forge(key, &header(key), payload(&[(name, value)]));
            assert_eq!(verify(&ring, &text).err(), Some(Rejection::BadClaim(claim)), "{name} {value}");
        }
    }
    for aud in ["[1]", "[\"https://api.example\",1]", "[null]", "[[\"https://api.example\"]]"] {
        let text = forge(key, &header(key), payload(&[("aud", aud)]));
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::BadClaim(Claim::Aud)), "{aud}");
    }
}

// holds: 56
#[test]
fn every_required_claim_is_required() {
    let ring = ring(&[Algorithm::Hs256]);
    let key = ring.current();
    for (claim, name) in [
        (Claim::Iss, "iss"),
        (Claim::Sub, "sub"),
        (Claim::Aud, "aud"),
        (Claim::ClientId, "client_id"),
        (Claim::Iat, "iat"),
        (Claim::Exp, "exp"),
        (Claim::Jti, "jti"),
        (Claim::Sid, "sid"),
        (Claim::Seq, "seq"),
        (Claim::AuthTime, "auth_time"),
    ] {
        let text = forge(key, &header(key), payload(&[(name, "")]));
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::MissingClaim(claim)), "{name}");
    }
}

// holds: 47, R4
#[test]
fn none_is_no_algorithm_in_any_case_and_with_any_signature() {
    let ring = ring(&[Algorithm::EdDSA]);
    let kid = ring.current().id();
    for bits in 0..16_u8 {
        let name: String = "none"
            .chars()
            .enumerate()
            .map(|(at, c)| if bits >> at & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect();
        for kid in [format!(",\"kid\":\"{kid}\""), String::new()] {
            let head = base64url(format!(r#"{{"alg":"{name}","typ":"at+jwt"{kid}}}"#));
            for signature in ["", "AA", "none"] {
                let text = format!("{head}.{}.{signature}", base64url(payload(&[])));
                assert_eq!(verify(&ring, &text).err(), Some(Rejection::WrongAlgorithm), "{name}");
            }
        }
    }
}

// holds: 44, R3
#[test]
fn a_public_key_is_never_an_hmac_secret() {
    let ring = ring(&[Algorithm::EdDSA, Algorithm::Es256, Algorithm::Rs256]);
    let set: serde_json::Value = serde_json::from_str(&ring.jwks()).unwrap();
    for jwk in set["keys"].as_array().unwrap() {
        let kid = KeyId::new(jwk["kid"].as_str().unwrap()).unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode([7; 91]));
        let padded = format!(" \n\t{pem}");
        for document in [jwk.to_string(), pem, padded] {
            let refused = SigningKey::import(Algorithm::Hs256, kid.clone(), document.as_bytes());
            assert_eq!(refused.err(), Some(KeyError::SecretIsKeyDocument), "{document}");
        }
        // An attacker's own tool has no such scruples: sign with the raw public bytes and name the asymmetric key.
        let raw = ["x", "n"].iter().find_map(|part| jwk[part].as_str()).unwrap();
        let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(raw).unwrap();
        let forger = SigningKey::import(Algorithm::Hs256, kid, &raw).unwrap();
        let text = forge(&forger, &header(&forger), payload(&[]));
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::WrongAlgorithm));
    }
}

// holds: 48, R5
#[test]
fn a_key_that_the_token_brings_along_is_refused() {
    let ring = ring(&[Algorithm::EdDSA]);
    let kid = ring.current().id().clone();
    let forger = SigningKey::generate(Algorithm::EdDSA, kid.clone(), &SystemRandom).unwrap();
    for member in ["\"jwk\":{}", "\"jku\":\"https://evil.example\"", "\"x5u\":\"\"", "\"x5c\":[]", "\"crit\":[]"] {
        let text = forge(&forger, &format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}",{member}}}"#), payload(&[]));
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::ForbiddenHeader), "{member}");
    }
    let text = forge(&forger, &header(&forger), payload(&[]));
    assert_eq!(verify(&ring, &text).err(), Some(Rejection::BadSignature));
}

// holds: R11
#[test]
fn a_bad_signature_is_never_reported_as_expired() {
    let ring = ring(&[Algorithm::EdDSA]);
    let forger = SigningKey::generate(Algorithm::EdDSA, ring.current().id().clone(), &SystemRandom).unwrap();
    for claims in [payload(&[("exp", "1"), ("iat", "1")]), payload(&[("iss", "1")]), "no JSON".to_owned()] {
        assert_eq!(verify(&ring, &forge(&forger, &header(&forger), claims)).err(), Some(Rejection::BadSignature));
    }
}

/// RFC 8725 §3.12. Two kinds of tokens are read here, access and refresh, and neither reader takes any other kind; an ID
/// token has no `typ` of its own, hence `JWT`.
// holds: 42, 55
#[test]
fn no_kind_of_token_passes_where_another_is_read() {
    const OTHERS: [&str; 7] =
        ["JWT", "logout+jwt", "secevent+jwt", "statuslist+jwt", "token-introspection+jwt", "dpop+jwt", "JOSE"];
    let ring = ring(&[Algorithm::EdDSA]);
    let key = ring.current();
    let refresh = RefreshTokens::new(1, hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), ISSUER);
    for other in OTHERS.into_iter().flat_map(|typ| [typ.to_owned(), format!("application/{typ}")]) {
        let text = forge(key, &header(key).replace("at+jwt", &other), payload(&[]));
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::NotAccessToken), "{other}");
        assert_eq!(refresh.read(&text).err(), Some(Rejection::NotRefreshToken), "{other}");
    }
    let access = forge(key, &header(key), payload(&[]));
    assert_eq!(refresh.read(&access).err(), Some(Rejection::NotRefreshToken));
    let minted = refresh.mint(session().id, session().generation);
    assert_eq!(verify(&ring, &minted).err(), Some(Rejection::NotAccessToken));
}

/// Revocation is keyed on the `jti`, so a re-encoding must be refused or have the same one.
// holds: 45
#[test]
fn every_re_encoding_is_refused_or_names_the_same_token() {
    let ring = ring(&[Algorithm::EdDSA, Algorithm::Es256, Algorithm::Hs256]);
    let session = session();
    for algorithm in [Algorithm::EdDSA, Algorithm::Es256, Algorithm::Hs256] {
        let text = issue(ring.current_for(algorithm).unwrap(), &spec(&session)).unwrap();
        assert_eq!(verify(&ring, &text).unwrap().jti().to_string(), JTI);
        let variants = re_encodings(&text);
        assert!(variants.len() >= 12);
        for (what, variant) in variants {
            assert_ne!(variant, text, "{what}");
            if let Ok(verified) = verify(&ring, &variant) {
                assert_eq!(verified.jti().to_string(), JTI, "{what}");
                assert_eq!(what, "negated s", "only ECDSA has two signatures of one text");
            }
        }
    }
}

fn re_encodings(text: &str) -> Vec<(&'static str, String)> {
    let [head, body, signature]: [&str; 3] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
    let decode = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    let spaced = |part: &str| base64url(String::from_utf8(decode(part)).unwrap().replace(':', ": "));
    let reordered: serde_json::Value = serde_json::from_slice(&decode(body)).unwrap();
    let last = signature.chars().last().unwrap();
    let stray = if last == 'A' { 'B' } else { 'A' };
    let mut variants = vec![
        ("padded header", format!("{head}=.{body}.{signature}")),
        ("padded signature", format!("{head}.{body}.{}", URL_SAFE.encode(decode(signature)) + "=")),
        ("stray bits", format!("{head}.{body}.{}{stray}", &signature[..signature.len() - 1])),
        ("blank before", format!(" {text}")),
        ("blank behind", format!("{text} ")),
        ("newline behind", format!("{text}\n")),
        ("blank inside", format!("{head}.{body}. {signature}")),
        ("nul behind", format!("{text}\0")),
        ("fourth part", format!("{text}.")),
        ("standard alphabet", format!("{head}.{body}.{}", STANDARD.encode(decode(signature)))),
        ("spaced header", format!("{}.{body}.{signature}", spaced(head))),
        ("spaced payload", format!("{head}.{}.{signature}", spaced(body))),
        ("reordered payload", format!("{head}.{}.{signature}", base64url(reordered.to_string() + " "))),
        ("longer signature", format!("{head}.{body}.{}", base64url([decode(signature), vec![0]].concat()))),
        ("shorter signature", format!("{head}.{body}.{}", base64url(&decode(signature)[1..]))),
        ("bearer in front", format!("Bearer {text}")),
        ("percent encoding", text.replacen('.', "%2E", 1)),
        ("json serialization", format!(r#"{{"protected":"{head}","payload":"{body}","signature":"{signature}"}}"#)),
    ];
    if decode(signature).len() == 64 {
        variants.push(("negated s", format!("{head}.{body}.{}", base64url(negated(&decode(signature))))));
    }
    variants
}

/// The order of P-256.
const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature that ECDSA on P-256 has for the same text: s becomes n - s.
fn negated(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let mut borrow = 0_i16;
    let mut other = [0; 32];
    for at in (0..32).rev() {
        let digit = i16::from(N[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(digit < 0);
        other[at] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    [r, &other].concat()
}

// holds: R1
#[test]
fn ecdsa_with_s_negated_is_the_same_token() {
    let ring = ring(&[Algorithm::Es256]);
    let text = issue(ring.current(), &spec(&session())).unwrap();
    let (_, other) = re_encodings(&text).into_iter().find(|(what, _)| *what == "negated s").unwrap();
    assert_eq!(verify(&ring, &other).unwrap().jti().to_string(), JTI);
}

// holds: 65, R8
#[test]
fn an_ecdsa_signature_out_of_range_or_in_another_form_is_refused() {
    let ring = ring(&[Algorithm::Es256]);
    let text = issue(ring.current(), &spec(&session())).unwrap();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let good = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with = |signature: &[u8]| verify(&ring, &format!("{signed}.{}", base64url(signature))).err();
    assert_eq!(with(&good), None);
    let (r, s) = good.split_at(32);
    let (zero, one, most) = ([0; 32], [[0; 31].as_slice(), &[1]].concat(), [0xff; 32]);
    for part in [&zero[..], &N, &most] {
        for pair in [[part, s], [r, part], [part, part]] {
            assert_eq!(with(&pair.concat()), Some(Rejection::BadSignature), "{pair:?}");
        }
    }
    for wrong in [[s, r].concat(), [&one[..], &one].concat()] {
        assert_eq!(with(&wrong), Some(Rejection::BadSignature));
    }
    let integer = |part: &[u8]| [&[2, 33, 0], part].concat();
    let der = [vec![0x30, 70], integer(r), integer(s)].concat();
    let long = [&zero[..1], r, &zero[..1], s].concat();
    for other in [der, long, good[..63].to_vec(), [good.as_slice(), &[0]].concat(), good.repeat(2), Vec::new()] {
        assert!(with(&other).is_some(), "{} bytes", other.len());
    }
}

// holds: R9
#[test]
fn tokens_too_long_cost_nothing_and_long_headers_little() {
    let ring = ring(&[Algorithm::Hs256]);
    for text in ["a".repeat(50_000_000), ".".repeat(1_000_000), format!("rrt_{}", "a".repeat(20_000))] {
        assert_eq!(verify(&ring, &text).err(), Some(Rejection::TooLong));
    }
    let members = (0..1000).fold(String::new(), |text, n| format!("{text}\"{n}\":0,"));
    let text = sign(ring.current(), &format!("{}.e30", base64url(format!("{{{members}\"alg\":\"HS256\"}}"))));
    assert_eq!(verify(&ring, &text).err(), Some(Rejection::NotAccessToken));
}

// holds: R9
#[test]
fn nesting_that_would_exhaust_the_stack_is_refused() {
    let ring = ring(&[Algorithm::Hs256]);
    let key = ring.current();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [200, 1200] {
            let deep = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            let in_header = header(key).replacen('{', &format!("{{\"x\":{deep},"), 1);
            assert_eq!(verify(&ring, &forge(key, &in_header, payload(&[]))).err(), Some(Rejection::BadJson));
            let in_payload = forge(key, &header(key), payload(&[("x", &deep)]));
            assert_eq!(verify(&ring, &in_payload).err(), Some(Rejection::BadJson));
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_panic(text in "\\PC{0,200}", dotted in "[a-zA-Z0-9_.=-]{0,400}") {
        let ring = fixed_ring();
        prop_assert!(verify(ring, &text).is_err());
        prop_assert!(verify(ring, &dotted).is_err());
    }

    #[test]
    fn an_arbitrary_payload_of_ours_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let ring = fixed_ring();
        prop_assert!(verify(ring, &forge(ring.current(), &header(ring.current()), &bytes)).is_err());
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused(at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f) {
        let ring = fixed_ring();
        let text = issue(ring.current(), &spec(&session())).unwrap();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(verify(ring, &String::from_utf8(bytes).unwrap()).is_err());
    }
}

fn fixed_ring() -> &'static KeyRing {
    static RING: std::sync::OnceLock<KeyRing> = std::sync::OnceLock::new();
    RING.get_or_init(|| ring(&[Algorithm::Hs256]))
}
