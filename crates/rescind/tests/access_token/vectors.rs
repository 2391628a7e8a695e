//! Our own vectors: one text file for each way in which a token is refused, and some that pass. The keys are the same
//! in every run, so the files are, too; `RESCIND_BLESS=1` writes them anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::common::{ISSUER, NOW, Steps, base64url, expectations, forge, header, payload};
use rescind::access_token::Unverified;
use rescind::id::KeyId;
use rescind::keys::{Algorithm, KeyRing, KeyState, SigningKey};
use rescind::rejection::Rejection;

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

/// What the vectors are made with.
struct Maker<'r> {
    ring: &'r KeyRing,
    revoked: &'r SigningKey,
    key: &'r SigningKey,
    /// The header that the key's tokens have.
    head: String,
    /// The text before the signature of a good token, and the signature.
    good: (String, String),
    /// A key that nobody knows.
    other: SigningKey,
}

impl<'r> Maker<'r> {
    fn new(ring: &'r KeyRing, revoked: &'r SigningKey) -> Self {
        let key = ring.current();
        let head = header(key);
        let good = forge(key, &head, payload(&[]));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let good = (signed.to_owned(), signature.to_owned());
        let other = KeyId::new("0000000000000000").unwrap();
        let other = SigningKey::generate(Algorithm::EdDSA, other, &Steps::default()).unwrap();
        Self { ring, revoked, key, head, good, other }
    }

    /// A token with these claims changed.
    fn with(&self, changes: &[(&str, &str)]) -> String {
        forge(self.key, &self.head, payload(changes))
    }

    /// A token with this in the header replaced.
    fn headed(&self, from: &str, to: &str) -> String {
        forge(self.key, &self.head.replacen(from, to, 1), payload(&[]))
    }

    fn paid(&self, payload: impl AsRef<[u8]>) -> String {
        forge(self.key, &self.head, payload)
    }

    fn shapes(&self) -> Vec<Vector> {
        let (signed, signature) = (&self.good.0, &self.good.1);
        let good = format!("{signed}.{signature}");
        let hs = self.ring.current_for(Algorithm::Hs256).unwrap();
        let stray = format!("{}.QUJ.{signature}", base64url(&self.head));
        vec![
            vector("good", "Everything as we issue it.", "ok", good.clone()),
            vector("good-hs256", "The same with a secret.", "ok", forge(hs, &header(hs), payload(&[]))),
            vector("too-long", "Nothing above 16 KiB is looked at.", "too_long", "a".repeat(16_385)),
            vector("two-parts", "No signature, and no dot before it.", "wrong_part_count", signed.clone()),
            vector("four-parts", "One dot too many.", "wrong_part_count", format!("{good}.")),
            vector("five-parts", "A JWE has five; there is no JWE.", "wrong_part_count", "a.b.c.d.e".to_owned()),
            vector("padding", "RFC 7515 §2: no padding.", "bad_encoding", format!("{good}=")),
            vector("blank", "No blanks.", "bad_encoding", format!("{signed}. {signature}")),
            vector("stray-bits", "Unused bits are zero.", "bad_encoding", stray),
            vector("refresh-token", "It begins like one.", "not_access_token", "rrt_AAAAAAAA".to_owned()),
        ]
    }

    fn headers(&self) -> Vec<Vector> {
        let other_order = forge(self.key, &reordered(self.key), payload(&[]));
        let no_kid = forge(self.key, r#"{"alg":"EdDSA","typ":"at+jwt"}"#, payload(&[]));
        let path = forge(self.key, r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../../dev/null"}"#, payload(&[]));
        vec![
            vector("good-header-order", "Another spelling of the header.", "ok", other_order),
            vector("header-no-json", "No object.", "bad_json", forge(self.key, "[]", payload(&[]))),
            vector("header-twice", "RFC 7515 §4.", "duplicate_member", self.headed("{", r#"{"alg":"none","#)),
            vector("typ-jwt", "RFC 9068 §4.", "not_access_token", self.headed("at+jwt", "JWT")),
            vector("typ-missing", "RFC 9068 §4.", "not_access_token", self.headed(r#""typ":"at+jwt","#, "")),
            vector("crit", "RFC 7515 §4.1.11.", "forbidden_header", self.headed("{", r#"{"crit":["b64"],"#)),
            vector("jwk", "A key of the attacker's.", "forbidden_header", self.headed("{", r#"{"jwk":{},"#)),
            vector("none", "RFC 8725 §3.2.", "wrong_algorithm", self.headed("EdDSA", "none")),
            vector("none-mixed", "In every spelling.", "wrong_algorithm", self.headed("EdDSA", "noNE")),
            vector("alg-of-another-key", "The key says which.", "wrong_algorithm", self.headed("EdDSA", "HS256")),
            vector("kid-missing", "Ours always name it.", "unknown_key", no_kid),
            vector("kid-path", "Never more than compared.", "unknown_key", path),
        ]
    }

    fn signatures(&self) -> Vec<Vector> {
        let (other, revoked) = (&self.other, self.revoked);
        let unknown = forge(other, &header(other), payload(&[]));
        let expired = forge(other, &self.head, payload(&[("iat", "1"), ("exp", "2")]));
        let gone = forge(revoked, &header(revoked), payload(&[]));
        let empty = format!("{}.", self.good.0);
        let forged = forge(other, &self.head, payload(&[]));
        vec![
            vector("kid-unknown", "No key of this issuer.", "unknown_key", unknown),
            vector("key-revoked", "Signed before, refused now.", "key_revoked", gone),
            vector("signature-empty", "No signature.", "bad_signature", empty),
            vector("signature-of-another", "Signed by another key.", "bad_signature", forged),
            vector("expired-and-forged", "Signature first (CVE-2024-51744).", "bad_signature", expired),
        ]
    }

    fn payloads(&self) -> Vec<Vector> {
        let twice = payload(&[]).replace(r#""seq":42"#, r#""seq":42,"seq":42"#);
        let inside = self.with(&[("x", r#"[{"a":1,"\u0061":2}]"#)]);
        vec![
            vector("payload-no-json", "Signed, but no JSON.", "bad_json", self.paid("{")),
            vector("payload-no-utf8", "Signed, but no UTF-8.", "bad_json", self.paid(b"{\"a\":\"\xff\"}")),
            vector("payload-array", "Signed, but no object.", "bad_json", self.paid("[]")),
            vector("claim-twice", "RFC 7519 §4.", "duplicate_member", self.paid(twice)),
            vector("claim-twice-inside", "At any depth.", "duplicate_member", inside),
            vector("sub-missing", "RFC 9068 §2.2.", "missing_claim", self.with(&[("sub", "")])),
            vector("jti-missing", "Nothing to revoke it by.", "missing_claim", self.with(&[("jti", "")])),
            vector("exp-text", "CVE-2026-25537.", "bad_claim", self.with(&[("exp", "\"1800000900\"")])),
            vector("exp-huge", "No reader can hold it.", "bad_claim", self.with(&[("exp", "1e400")])),
            vector("seq-above-2-53", "Readers differ.", "bad_claim", self.with(&[("seq", "9007199254740992")])),
            vector("jti-upper-case", "One id has one spelling.", "bad_claim", self.with(&[("jti", UPPER)])),
        ]
    }

    fn judged(&self) -> Vec<Vector> {
        let secs = |offset: i64| (i64::try_from(NOW.as_secs()).unwrap() + offset).to_string();
        let array = self.with(&[("aud", r#"["x","https://api.example"]"#)]);
        let issuer = self.with(&[("iss", "\"https://login.example/\"")]);
        let audience = self.with(&[("aud", "\"https://other.example\"")]);
        let expired = self.with(&[("iat", &secs(-900)), ("exp", &secs(0))]);
        let future = self.with(&[("iat", &secs(11)), ("exp", &secs(99))]);
        vec![
            vector("aud-array", "RFC 7519 §4.1.3: one of several.", "ok", array),
            vector("issuer", "Another issuer, our key.", "wrong_issuer", issuer),
            vector("audience", "For another service.", "wrong_audience", audience),
            vector("exp-before-iat", "It never lived.", "bad_claim", self.with(&[("exp", &secs(-1))])),
            vector("expired", "RFC 7519 §4.1.4: on or after.", "expired", expired),
            vector("not-before", "RFC 7519 §4.1.5.", "not_yet_valid", self.with(&[("nbf", &secs(11))])),
            vector("from-the-future", "Beyond skew.", "issued_in_future", future),
            vector("lives-too-long", "Above the maximum.", "lifetime_too_long", self.with(&[("exp", &secs(901))])),
        ]
    }
}

const UPPER: &str = "\"0198C0DE-0000-7000-8000-00000000BEEF\"";

fn vector(name: &'static str, note: &'static str, expect: &'static str, token: String) -> Vector {
    Vector { name, note, expect, token }
}

fn vectors(ring: &KeyRing, revoked: &SigningKey) -> Vec<Vector> {
    let maker = Maker::new(ring, revoked);
    [maker.shapes(), maker.headers(), maker.signatures(), maker.payloads(), maker.judged()]
        .into_iter()
        .flatten()
        .collect()
}

fn reordered(key: &SigningKey) -> String {
    format!(r#"{{ "kid" : "{}", "typ" : "APPLICATION/AT+JWT", "x5t" : "x", "alg" : "{}" }}"#, key.id(), key.algorithm())
}

// holds: 44, 60 (`payload-no-utf8`), 62 (`not-before`), 129, R6 (`kid-path`)
// holds: R35 (a check that is taken out loses its vector)
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
            .map_or_else(Rejection::reason, |_| "ok");
        assert_eq!(verdict, expect, "{name}");
        reasons.insert(expect.to_owned());
    }
    reasons.remove("ok");
    assert_eq!(reasons, REASONS.iter().map(|reason| (*reason).to_owned()).collect());
}
