//! Google's Wycheproof vectors for JWS, JWK and JWE (`../shared/vectors` beside the repository): every one has the verdict
//! that they expect, or stands in a list here with the reason why ours differs. We only ever refuse more.
//!
//! | file | tests | invalid there, refused | valid there, accepted | valid there, refused here |
//! |---|---|---|---|---|
//! | signature | 401, two of them left out | 353 | 22 | 24: 18 of algorithms that do not exist here or payloads that are no text, 6 that a careful reader refuses |
//! | key | 26 | 21 | 1 | 4: secrets in a set |
//! | encryption | 139 | 74 | 0 | 65: there is no JWE here |
//!
//! A reader of every registered algorithm would refuse 359 signatures (353 and those 6) and accept 40 (22 and those 18).

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::header::TypRule;
use super::unverified::{KeySource, Unverified};
use crate::id::KeyId;
use crate::keys::{Algorithm, JwkSet, SigningKey, VerifyingKey};
use crate::rejection::Rejection;

/// Valid for Wycheproof, refused here.
const REFUSED: [(&str, std::ops::RangeInclusive<u64>, &str); 13] = [
    ("signature", 263..=263, "the payload is no UTF-8 text, and a JWT's always is"),
    ("signature", 264..=267, "RS384 does not exist here"),
    ("signature", 268..=271, "RS512 does not exist here"),
    ("signature", 275..=275, "the payload is no UTF-8 text, and a JWT's always is"),
    ("signature", 320..=323, "PS384 does not exist here"),
    ("signature", 325..=328, "PS512 does not exist here"),
    ("signature", 346..=346, "the key says PS256, the header PS384"),
    ("signature", 347..=347, "the key is on P-521 and says ES521, which is no algorithm"),
    ("signature", 350..=350, "the key says PS256, the header PS384"),
    ("signature", 351..=351, "the key is on P-521 and says ES521, which is no algorithm"),
    ("signature", 372..=373, "strict base64url: a stray character is not passed over"),
    ("key", 2..=2, "a symmetric key never comes in a set"),
    ("key", 13..=15, "a symmetric key never comes in a set; HS384 and HS512 do not exist here"),
];

/// Invalid for Wycheproof, but byte for byte the text of 357, which is valid: the padding that they speak of is lost.
const SAME_AS_VALID: [(&str, u64); 2] = [("signature", 367), ("signature", 370)];

struct Keys(Vec<VerifyingKey>);

impl KeySource for Keys {
    fn by_header(&self, _: &str) -> Option<&VerifyingKey> {
        None
    }

    fn by_kid(&self, kid: &str) -> Result<&VerifyingKey, Rejection> {
        self.0.iter().find(|key| key.id().as_str() == kid).ok_or(Rejection::UnknownKey)
    }
}

/// What a careful operator would make of the group's key.
fn keys_of(group: &Value) -> Keys {
    let public = group.get("public").unwrap_or(&group["private"]);
    if public.get("keys").is_none() && public["kty"] == "oct" {
        return Keys(secret_of(public).into_iter().collect());
    }
    let set = if public.get("keys").is_some() { public.clone() } else { serde_json::json!({ "keys": [public] }) };
    Keys(JwkSet::parse(&set.to_string(), &Algorithm::EVERY).map(|set| set.keys).unwrap_or_default())
}

fn secret_of(jwk: &Value) -> Option<VerifyingKey> {
    let algorithm = Algorithm::from_name(jwk["alg"].as_str()?)?;
    let secret = URL_SAFE_NO_PAD.decode(jwk["k"].as_str()?).ok()?;
    let kid = KeyId::new(jwk["kid"].as_str()?).ok()?;
    SigningKey::import(algorithm, kid, &secret).ok()?.verifying_key().ok()
}

fn passes(keys: &Keys, jws: &str) -> bool {
    Unverified::parse(jws).and_then(|token| token.authenticate(TypRule::AnyAccess, keys)).is_ok()
}

/// Reads the vectors, or notes by name that they are not there.
fn vectors(test: &str, file: &str) -> Option<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let path = root.join(format!("wycheproof_json_web_{file}_test.json"));
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            let line = format!("SKIPPED {test}: no Wycheproof vectors ({error})");
            println!("{line}");
            if let Some(log) = std::env::var_os("RESCIND_SKIP_LOG") {
                let mut log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
                writeln!(log, "{line}").unwrap();
            }
            None
        }
    }
}

/// What became of a file's vectors, those left out aside.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    invalid_refused: usize,
    valid_accepted: usize,
    valid_refused: usize,
}

fn check(test: &str, file: &str) -> Option<Count> {
    let vectors = vectors(test, file)?;
    let mut seen = 0;
    let mut count = Count::default();
    let mut wrong = Vec::new();
    for group in vectors["testGroups"].as_array().unwrap() {
        let keys = keys_of(group);
        for vector in group["tests"].as_array().unwrap() {
            let id = vector["tcId"].as_u64().unwrap();
            let refused = REFUSED.iter().any(|(of, ids, _)| *of == file && ids.contains(&id));
            let same = SAME_AS_VALID.contains(&(file, id));
            let valid = vector["result"] == "valid";
            assert!(valid || !refused, "{file} {id} stands in a list for nothing");
            let passed = passes(&keys, vector["jws"].as_str().unwrap());
            if passed != ((valid && !refused) || same) {
                wrong.push((id, vector["comment"].to_string()));
            }
            match (same, valid, passed) {
                (true, ..) | (_, false, true) => {}
                (_, true, true) => count.valid_accepted += 1,
                (_, true, false) => count.valid_refused += 1,
                (_, false, false) => count.invalid_refused += 1,
            }
            seen += 1;
        }
    }
    assert_eq!(wrong, [], "vectors with another verdict");
    assert_eq!(Some(seen), vectors["numberOfTests"].as_u64(), "every vector was tried");
    Some(count)
}

// holds: 63, 65, R8
#[test]
fn every_signature_vector_has_its_verdict() {
    let Some(count) = check("every_signature_vector_has_its_verdict", "signature") else { return };
    assert_eq!(count, Count { invalid_refused: 353, valid_accepted: 22, valid_refused: 24 });
}

#[test]
fn what_is_left_out_is_byte_for_byte_a_valid_vector() {
    let Some(vectors) = vectors("what_is_left_out_is_byte_for_byte_a_valid_vector", "signature") else { return };
    let all: Vec<&Value> =
        vectors["testGroups"].as_array().unwrap().iter().flat_map(|group| group["tests"].as_array().unwrap()).collect();
    let of = |id: u64| *all.iter().find(|vector| vector["tcId"] == id).unwrap();
    assert_eq!(of(357)["result"], "valid");
    for (_, id) in SAME_AS_VALID {
        assert_eq!((&of(id)["jws"], &of(id)["result"]), (&of(357)["jws"], &Value::from("invalid")), "{id}");
    }
}

// holds: 64
#[test]
fn every_key_vector_has_its_verdict() {
    let Some(count) = check("every_key_vector_has_its_verdict", "key") else { return };
    assert_eq!(count, Count { invalid_refused: 21, valid_accepted: 1, valid_refused: 4 });
}

/// RFC 8725 §3.3: what decrypts is not signed. There is no key that could make one of them pass, so none is made.
// holds: R10
#[test]
fn no_encryption_vector_is_a_token() {
    let Some(vectors) = vectors("no_encryption_vector_is_a_token", "encryption") else { return };
    let groups = vectors["testGroups"].as_array().unwrap();
    let tests: Vec<&Value> = groups.iter().flat_map(|group| group["tests"].as_array().unwrap()).collect();
    for vector in &tests {
        let refused = Unverified::parse(vector["jwe"].as_str().unwrap()).err();
        assert!(refused.is_some(), "{} {}", vector["tcId"], vector["comment"]);
    }
    assert_eq!(Some(tests.len() as u64), vectors["numberOfTests"].as_u64(), "every vector was tried");
}
