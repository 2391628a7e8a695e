//! Our own vectors: one text file for each way in which a token is refused, and some that pass. The keys are the same
//! in every run, so the files are, too; `RESCIND_BLESS=1` writes them anew.

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use common::{ISSUER, NOW, Steps, base64url, expectations, forge, header, payload};
use rescind::access_token::Unverified;
use rescind::id::KeyId;
use rescind::keys::{Algorithm, KeyRing, KeyState, SigningKey};

struct Vector {
    name: &'static str,
    note: &'static str,
    expect: &'static str,
    token: String,
}

/// The reasons of `Rejection` that verification gives. The others belong to the check against the log and to refresh.
const REASONS: [&str; 19] = [
    "bad_claim",
    "bad_encoding",
    "bad_json",
    "bad_signature",
    "duplicate_member",
    "expired",
    "forbidden_header",
    "issued_in_future",
    "key_revoked",
    "lifetime_too_long",
    "missing_claim",
    "not_access_token",
    "not_yet_valid",
    "too_long",
    "unknown_key",
    "wrong_algorithm",
    "wrong_audience",
    "wrong_issuer",
    "wrong_part_count",
];

/// A ring whose next EdDSA key was revoked, and that key.
fn ring() -> (KeyRing, SigningKey) {
    let random = Steps::default();
    let ring = KeyRing::new(&[Algorithm::EdDSA, Algorithm::Hs256], &random).unwrap();
    let next = ring.keys().iter().find(|key| key.state() == KeyState::Next).unwrap().id().clone();
    let revoked = SigningKey::generate(Algorithm::EdDSA, next.clone(), &random).unwrap();
    (ring.revoke(&next, NOW, &random).unwrap(), revoked)
}

fn vectors(ring: &KeyRing, revoked: &SigningKey) -> Vec<Vector> {
    let key = ring.current();
    let head = header(key);
    let secs = |offset: i64| (i64::try_from(NOW.as_secs()).unwrap() + offset).to_string();
    let with = |changes: &[(&str, &str)]| forge(key, &head, payload(changes));
    let headed = |header: &str| forge(key, header, payload(&[]));
    let good = with(&[]);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = SigningKey::generate(Algorithm::EdDSA, KeyId::new("0000000000000000").unwrap(), &Steps::default());
    let other = other.unwrap();
    let hmac = ring.current_for(Algorithm::Hs256).unwrap();
    let vector = |name, note, expect, token| Vector { name, note, expect, token };
    vec![
        vector("good", "Everything as we issue it.", "ok", good.clone()),
        vector("good-hs256", "The same with a secret.", "ok", forge(hmac, &header(hmac), payload(&[]))),
        vector("good-header-order", "Another spelling of the header.", "ok", headed(&reordered(key))),
        vector(
            "aud-array",
            "RFC 7519 §4.1.3: one of several.",
            "ok",
            with(&[("aud", r#"["x","https://api.example"]"#)]),
        ),
        vector("too-long", "Nothing above 16 KiB is looked at.", "too_long", "a".repeat(16_385)),
        vector("two-parts", "The signature is missing, with its dot.", "wrong_part_count", signed.to_owned()),
        vector("four-parts", "One dot too many.", "wrong_part_count", format!("{good}.")),
        vector("five-parts", "A JWE has five; there is no JWE.", "wrong_part_count", "a.b.c.d.e".to_owned()),
        vector("padding", "RFC 7515 §2: no padding.", "bad_encoding", format!("{good}=")),
        vector("blank", "No blanks.", "bad_encoding", format!("{signed}. {signature}")),
        vector(
            "stray-bits",
            "Unused bits are zero.",
            "bad_encoding",
            format!("{head}.QUJ.{signature}", head = base64url(&head)),
        ),
        vector("payload-no-json", "Signed, but no JSON.", "bad_json", forge(key, &head, "{")),
        vector("payload-no-utf8", "Signed, but no UTF-8.", "bad_json", forge(key, &head, b"{\"a\":\"\xff\"}")),
        vector("payload-array", "Signed, but no object.", "bad_json", forge(key, &head, "[]")),
        vector("header-no-json", "The header is no object.", "bad_json", headed("[]")),
        vector(
            "claim-twice",
            "RFC 7519 §4.",
            "duplicate_member",
            forge(key, &head, payload(&[]).replace(r#""seq":42"#, r#""seq":42,"seq":42"#)),
        ),
        vector("claim-twice-inside", "At any depth.", "duplicate_member", with(&[("x", r#"[{"a":1,"\u0061":2}]"#)])),
        vector("header-twice", "RFC 7515 §4.", "duplicate_member", headed(&head.replace('{', r#"{"alg":"none","#))),
        vector("refresh-token", "It begins like a refresh token.", "not_access_token", "rrt_AAAAAAAA".to_owned()),
        vector(
            "typ-jwt",
            "RFC 9068 §4: another kind of JWT.",
            "not_access_token",
            headed(&head.replace("at+jwt", "JWT")),
        ),
        vector("typ-missing", "RFC 9068 §4.", "not_access_token", headed(&head.replace(r#""typ":"at+jwt","#, ""))),
        vector(
            "crit",
            "RFC 7515 §4.1.11.",
            "forbidden_header",
            headed(&head.replace('{', r#"{"crit":["b64"],"b64":false,"#)),
        ),
        vector(
            "jwk",
            "A key of the attacker's.",
            "forbidden_header",
            headed(&head.replace('{', r#"{"jwk":{"kty":"oct"},"#)),
        ),
        vector("none", "RFC 8725 §3.2.", "wrong_algorithm", headed(&head.replace("EdDSA", "none"))),
        vector("none-mixed", "In every spelling.", "wrong_algorithm", headed(&head.replace("EdDSA", "noNE"))),
        vector("alg-of-another-key", "The key says which.", "wrong_algorithm", headed(&head.replace("EdDSA", "HS256"))),
        vector("kid-unknown", "No key of this issuer.", "unknown_key", forge(&other, &header(&other), payload(&[]))),
        vector("kid-missing", "Ours always name it.", "unknown_key", headed(r#"{"alg":"EdDSA","typ":"at+jwt"}"#)),
        vector(
            "kid-path",
            "Never more than compared.",
            "unknown_key",
            headed(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../../dev/null"}"#),
        ),
        vector(
            "key-revoked",
            "Signed before, refused now.",
            "key_revoked",
            forge(revoked, &header(revoked), payload(&[])),
        ),
        vector("signature-empty", "No signature.", "bad_signature", format!("{signed}.")),
        vector("signature-of-another", "Signed by another key.", "bad_signature", forge(&other, &head, payload(&[]))),
        vector(
            "expired-and-forged",
            "Signature first (CVE-2024-51744).",
            "bad_signature",
            forge(&other, &head, payload(&[("iat", "1"), ("exp", "2")])),
        ),
        vector("sub-missing", "RFC 9068 §2.2.", "missing_claim", with(&[("sub", "")])),
        vector("jti-missing", "Without it there is nothing to revoke.", "missing_claim", with(&[("jti", "")])),
        vector("exp-text", "CVE-2026-25537.", "bad_claim", with(&[("exp", "\"1800000900\"")])),
        vector("exp-huge", "No reader can hold it.", "bad_claim", with(&[("exp", "1e400")])),
        vector("seq-above-2-53", "Readers would differ.", "bad_claim", with(&[("seq", "9007199254740992")])),
        vector(
            "jti-upper-case",
            "One id has one spelling.",
            "bad_claim",
            with(&[("jti", "\"0198C0DE-0000-7000-8000-00000000BEEF\"")]),
        ),
        vector("exp-before-iat", "It never lived.", "bad_claim", with(&[("exp", &secs(-1))])),
        vector("issuer", "Another issuer, our key.", "wrong_issuer", with(&[("iss", "\"https://login.example/\"")])),
        vector("audience", "For another service.", "wrong_audience", with(&[("aud", "\"https://other.example\"")])),
        vector("expired", "RFC 7519 §4.1.4: on or after.", "expired", with(&[("iat", &secs(-900)), ("exp", &secs(0))])),
        vector("not-before", "RFC 7519 §4.1.5, beyond skew.", "not_yet_valid", with(&[("nbf", &secs(11))])),
        vector("from-the-future", "Beyond skew.", "issued_in_future", with(&[("iat", &secs(11)), ("exp", &secs(99))])),
        vector("too-old-to-be", "More than the maximum.", "lifetime_too_long", with(&[("exp", &secs(901))])),
    ]
}

fn reordered(key: &SigningKey) -> String {
    format!(r#"{{ "kid" : "{}", "typ" : "APPLICATION/AT+JWT", "x5t" : "x", "alg" : "{}" }}"#, key.id(), key.algorithm())
}

#[test]
fn every_vector_has_its_verdict_and_every_reason_a_vector() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/access_token");
    let (ring, revoked) = ring();
    let mut files = BTreeSet::new();
    for Vector { name, note, expect, token } in vectors(&ring, &revoked) {
        let path = directory.join(format!("{name}.txt"));
        let text = format!("# {note}\nissuer: {ISSUER}\nnow: {}\nexpect: {expect}\n\n{token}\n", NOW.as_secs());
        if std::env::var_os("RESCIND_BLESS").is_some() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written, text, "{name}: run with RESCIND_BLESS=1 if the change is meant");
        assert!(files.insert(format!("{name}.txt")), "{name} twice");
    }
    let mut reasons = BTreeSet::new();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(files.contains(&name), "{name} belongs to no vector");
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let (head, token) = text.split_once("\n\n").unwrap();
        let expect = head.lines().find_map(|line| line.strip_prefix("expect: ")).unwrap();
        let verdict = Unverified::parse(token.trim_end_matches('\n'))
            .and_then(|token| token.verify(&expectations(), &ring, NOW))
            .map_or_else(|rejection| rejection.reason(), |_| "ok");
        assert_eq!(verdict, expect, "{name}");
        reasons.insert(expect.to_owned());
    }
    reasons.remove("ok");
    assert_eq!(reasons, REASONS.iter().map(|reason| (*reason).to_owned()).collect());
}
