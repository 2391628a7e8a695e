//! Tokens of a foreign issuer, and the JWK Sets that it may come with.

use std::time::Duration;

use crate::common::{AUDIENCE, ISSUER, JTI, NOW, forge, header, payload};
use rescind::access_token::{ForeignInvalid, ForeignIssuer, ForeignSettings, ForeignVerified, TypPolicy, Unverified};
use rescind::keys::{Algorithm, JwkSet, JwkSetError, KeyError, KeyRing};
use rescind::log::TokenRef;
use rescind::random::SystemRandom;
use rescind::rejection::{Claim, Rejection};

const THEIRS: &str = "https://idp.example";

fn settings(jwks: &str) -> ForeignSettings<'_> {
    ForeignSettings {
        issuer: THEIRS,
        audience: AUDIENCE,
        jwks,
        algorithms: &[Algorithm::Es256, Algorithm::EdDSA],
        typ: TypPolicy::AccessToken,
        max_lifetime: Duration::from_hours(1),
    }
}

fn theirs() -> KeyRing {
    KeyRing::new(&[Algorithm::Es256, Algorithm::Hs256], &SystemRandom).unwrap()
}

fn verify(issuer: &ForeignIssuer, text: &str) -> Result<ForeignVerified, Rejection> {
    issuer.verify(Unverified::parse(text)?, NOW)
}

#[test]
fn a_foreign_token_needs_neither_seq_nor_sid_nor_jti() {
    let ring = theirs();
    let issuer = ForeignIssuer::new(ISSUER, &settings(&ring.jwks())).unwrap();
    let key = ring.current();
    let iss = format!("\"{THEIRS}\"");
    let bare = [("iss", &*iss), ("jti", ""), ("sid", ""), ("seq", ""), ("client_id", ""), ("auth_time", "")];
    let verified = verify(&issuer, &forge(key, &header(key), payload(&bare))).unwrap();
    assert!(verified.token().is_none() && verified.session().is_none() && verified.client().is_none());
    let named = [("iss", &*iss), ("jti", "\"any text\""), ("seq", "\"theirs\"")];
    let verified = verify(&issuer, &forge(key, &header(key), payload(&named))).unwrap();
    assert!(
        matches!(verified.token(), Some(TokenRef::Foreign(name)) if name.as_str() == "https://idp.example any text")
    );
    // The same name as one of ours is another token.
    let ours = [("iss", &*iss), ("jti", &format!("\"{JTI}\""))];
    let verified = verify(&issuer, &forge(key, &header(key), payload(&ours))).unwrap();
    assert!(matches!(verified.token(), Some(TokenRef::Foreign(_))));
    for (claim, name) in [(Claim::Jti, "jti"), (Claim::Sid, "sid"), (Claim::ClientId, "client_id")] {
        let text = forge(key, &header(key), payload(&[("iss", &iss), (name, "7")]));
        assert_eq!(verify(&issuer, &text).err(), Some(Rejection::BadClaim(claim)));
    }
}

// holds: 49, R28
#[test]
fn one_issuers_keys_sign_nothing_for_another() {
    let (ring, own) = (theirs(), theirs());
    let issuer = ForeignIssuer::new(ISSUER, &settings(&ring.jwks())).unwrap();
    let key = ring.current();
    let text = forge(key, &header(key), payload(&[]));
    assert_eq!(verify(&issuer, &text).err(), Some(Rejection::WrongIssuer), "it says our name");
    let text = forge(own.current(), &header(own.current()), payload(&[("iss", "\"https://idp.example\"")]));
    assert_eq!(verify(&issuer, &text).err(), Some(Rejection::UnknownKey));
    let hmac = ring.current_for(Algorithm::Hs256).unwrap();
    let text = forge(hmac, &header(hmac), payload(&[("iss", "\"https://idp.example\"")]));
    assert_eq!(verify(&issuer, &text).err(), Some(Rejection::UnknownKey));
}

#[test]
fn the_typ_policy_is_the_issuers() {
    let ring = theirs();
    let jwks = ring.jwks();
    let strict = ForeignIssuer::new(ISSUER, &settings(&jwks)).unwrap();
    let any = ForeignIssuer::new(ISSUER, &ForeignSettings { typ: TypPolicy::AnyJwt, ..settings(&jwks) }).unwrap();
    let key = ring.current();
    let text = forge(key, &header(key).replace("at+jwt", "JWT"), payload(&[("iss", "\"https://idp.example\"")]));
    assert_eq!(verify(&strict, &text).err(), Some(Rejection::NotAccessToken));
    assert!(verify(&any, &text).is_ok());
    let text = forge(key, &header(key).replace("at+jwt", "logout+jwt"), payload(&[]));
    assert_eq!(verify(&any, &text).err(), Some(Rejection::NotAccessToken));
}

#[test]
fn a_foreign_issuer_is_not_us_and_has_keys() {
    let jwks = theirs().jwks();
    assert_eq!(ForeignIssuer::new(THEIRS, &settings(&jwks)).err(), Some(ForeignInvalid::OurOwn));
    let empty = settings("{\"keys\":[]}");
    assert_eq!(ForeignIssuer::new(ISSUER, &empty).err(), Some(ForeignInvalid::Keys(JwkSetError::Empty)));
    let none = ForeignSettings { algorithms: &[], ..settings(&jwks) };
    assert_eq!(ForeignIssuer::new(ISSUER, &none).err(), Some(ForeignInvalid::Keys(JwkSetError::Empty)));
}

// holds: 64, 70
#[test]
fn a_set_is_read_strictly() {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let ed = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"a"{more}}}"#);
    let parse = |keys: &str| JwkSet::parse(&format!("{{\"keys\":[{keys}]}}"), &Algorithm::EVERY).err();
    assert_eq!(parse(&ed("")), None);
    assert_eq!(parse(&ed(r#","use":"sig","key_ops":["verify"],"alg":"EdDSA""#)), None);
    for unusable in [r#","use":"enc""#, r#","key_ops":["encrypt"]"#, r#","alg":"ES256""#] {
        assert_eq!(parse(&ed(unusable)), Some(JwkSetError::Empty), "{unusable}");
    }
    assert_eq!(parse(&ed(r#","d":"AA""#)), Some(JwkSetError::Secret(0)));
    assert_eq!(parse(&format!(r#"{},{{"kty":"oct","k":"AA","kid":"b"}}"#, ed(""))), Some(JwkSetError::Secret(1)));
    assert_eq!(parse(&format!("{},{}", ed(""), ed(""))), Some(JwkSetError::DuplicateKid(1)));
    assert_eq!(parse(&ed("").replace(r#","kid":"a""#, "")), Some(JwkSetError::Kid(0)));
    assert_eq!(
        parse(&ed("").replace("\"a\"", &format!("\"{}\"", "k".repeat(200)))),
        Some(JwkSetError::Key(0, KeyError::Kid))
    );
    assert_eq!(parse(&ed("").replace(x, "AA")), Some(JwkSetError::Key(0, KeyError::Malformed(Algorithm::EdDSA))));
    assert_eq!(
        parse(&ed("").replace(x, &format!("{x}="))),
        Some(JwkSetError::Key(0, KeyError::Malformed(Algorithm::EdDSA)))
    );
    assert_eq!(parse(&ed("").replace("Ed25519", "X25519")), Some(JwkSetError::Empty));
    assert_eq!(parse(&ed(r#","kid":"b""#)), Some(JwkSetError::Shape), "a member twice");
    let rsa = r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"r"}"#;
    assert_eq!(parse(rsa), Some(JwkSetError::Ambiguous(0)));
    let one = JwkSet::parse(&format!("{{\"keys\":[{rsa}]}}"), &[Algorithm::Ps256]).err();
    assert_eq!(one, Some(JwkSetError::Key(0, KeyError::RsaSize)));
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[1]}", "{\"keys\":[{\"kty\":1}]}"] {
        assert_eq!(JwkSet::parse(text, &Algorithm::EVERY).err(), Some(JwkSetError::Shape), "{text}");
    }
}
