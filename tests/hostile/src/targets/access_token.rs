//! Access tokens: any text, tokens built from choices, and signed ones with any header or any payload. What passes is
//! canonical and says what another reader of JSON sees; what does not has a reason.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::Rejection;
use rescind::access_token::{ForeignIssuer, ForeignSettings, TOKEN_MAX, TypPolicy, Unverified, Verified};
use rescind::keys::Algorithm;
use serde_json::Value;

use crate::dice::Dice;
use crate::forge;
use crate::ground::{AUDIENCE, ISSUER, NOW, expectations, key, ring, sign};

/// Any text.
pub(super) fn text(bytes: &[u8]) {
    if let Some(text) = crate::dice::text(bytes) {
        let _verdict = judge(text);
    }
}

/// A token that was built. One about which nothing is odd passes.
pub(super) fn built(bytes: &[u8]) {
    let forged = forge::access_token(&mut Dice::new(bytes));
    let verdict = judge(&forged.text);
    if forged.oddities.is_empty() {
        assert!(verdict.is_ok(), "a good token is refused: {verdict:?}, {}", forged.text);
    }
}

/// Any payload, signed. The choice of the key is the length's, so that all of them are used.
pub(super) fn claims(bytes: &[u8]) {
    let algorithm = if bytes.len().is_multiple_of(2) { Algorithm::EdDSA } else { Algorithm::Hs256 };
    let key = key(algorithm);
    let header = format!(r#"{{"alg":"{algorithm}","typ":"at+jwt","kid":"{}"}}"#, key.id());
    let token = sign(key, header, bytes);
    let refused = judge(&token).err();
    assert_eq!(refused == Some(Rejection::TooLong), token.len() > TOKEN_MAX);
    assert_ne!(refused, Some(Rejection::BadSignature), "it is signed");
}

/// Any header, over good claims, signed by the key of EdDSA.
pub(super) fn header(bytes: &[u8]) {
    let payload = forge::access_token(&mut Dice::new(&[]));
    let payload = payload.text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap();
    if judge(&sign(key(Algorithm::EdDSA), bytes, payload)).is_ok() {
        let header: Value = serde_json::from_slice(bytes).unwrap();
        let typ = header["typ"].as_str().unwrap().to_ascii_lowercase();
        assert!(header["alg"] == "EdDSA" && ["at+jwt", "application/at+jwt"].contains(&typ.as_str()), "{header}");
        for forbidden in ["crit", "jwk", "jku", "x5u", "x5c"] {
            assert!(header.get(forbidden).is_none(), "{header}");
        }
    }
}

/// Any text and any payload, as a token of a foreign issuer with the same keys.
pub(super) fn foreign(bytes: &[u8]) {
    static FOREIGN: OnceLock<ForeignIssuer> = OnceLock::new();
    let issuer = FOREIGN.get_or_init(|| {
        let settings = ForeignSettings {
            issuer: "https://idp.example",
            audience: AUDIENCE,
            jwks: &ring().jwks(),
            algorithms: &[Algorithm::EdDSA, Algorithm::Es256],
            typ: TypPolicy::AnyJwt,
            max_lifetime: Duration::from_hours(1),
        };
        ForeignIssuer::new(ISSUER, &settings).unwrap()
    });
    let verify = |text: &str| Unverified::parse(text).and_then(|token| issuer.verify(token, NOW));
    if let Some(text) = crate::dice::text(bytes) {
        let _verdict = verify(text).map_err(reasoned);
    }
    let key = key(Algorithm::EdDSA);
    let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, key.id());
    if let Ok(verified) = verify(&sign(key, header, bytes)).map_err(reasoned) {
        assert_eq!(verified.payload().as_bytes(), bytes);
        let claims: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(claims["sub"], verified.subject().as_str());
        assert_eq!(claims["exp"].as_u64(), Some(verified.expires_at().as_secs()));
        assert!(
            NOW < verified.expires_at() && verified.expires_at().since(verified.issued_at()) <= Duration::from_hours(1)
        );
    }
}

/// Verifies a text in every way, and asks of the verdicts that they agree.
fn judge(text: &str) -> Result<Verified, Rejection> {
    let parsed = Unverified::parse(text).map_err(reasoned)?;
    let verdict = parsed.verify(expectations(), ring(), NOW).map_err(reasoned);
    let whatever_its_age = parsed.verify_for_revocation(expectations(), ring(), NOW).map_err(reasoned);
    assert_ne!(whatever_its_age.as_ref().err(), Some(&Rejection::Expired));
    match &verdict {
        Ok(verified) => {
            assert!(whatever_its_age.is_ok());
            canonical(text, verified);
            agrees(verified);
            assert_eq!(verified.recheck(expectations(), ring(), NOW), Ok(()));
            let later = verified.recheck(expectations(), ring(), verified.expires_at());
            assert_eq!(later, Err(Rejection::Expired));
        }
        Err(Rejection::Expired) => assert!(whatever_its_age.is_ok()),
        Err(_) => assert!(whatever_its_age.is_err()),
    }
    verdict
}

/// A refusal has a word for logs, and one for the caller.
fn reasoned(rejection: Rejection) -> Rejection {
    let word = rejection.reason();
    assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    let _public = rejection.public();
    rejection
}

/// One token has one text: each part is what its bytes encode to.
fn canonical(text: &str, verified: &Verified) {
    let parts: Vec<&str> = text.split('.').collect();
    assert_eq!(parts.len(), 3);
    for part in &parts {
        assert_eq!(URL_SAFE_NO_PAD.encode(URL_SAFE_NO_PAD.decode(part).unwrap()), *part);
    }
    assert_eq!(URL_SAFE_NO_PAD.encode(verified.payload()), parts[1]);
}

/// Another reader of JSON sees the same claims.
fn agrees(verified: &Verified) {
    let claims: Value = verified.claims().unwrap();
    for (name, text) in [
        ("iss", ISSUER.to_owned()),
        ("sub", verified.subject().to_string()),
        ("client_id", verified.client().to_string()),
        ("jti", verified.jti().to_string()),
        ("sid", verified.sid().to_string()),
    ] {
        assert_eq!(claims[name], text);
    }
    for (name, number) in [
        ("iat", verified.issued_at().as_secs()),
        ("exp", verified.expires_at().as_secs()),
        ("auth_time", verified.auth_time().as_secs()),
        ("seq", verified.seq().get()),
    ] {
        assert_eq!(claims[name].as_u64(), Some(number));
    }
    let for_us = |audience: &Value| audience == AUDIENCE;
    assert!(for_us(&claims["aud"]) || claims["aud"].as_array().is_some_and(|many| many.iter().any(for_us)));
    assert_eq!(claims.get("scope").and_then(Value::as_str), verified.scope());
    assert!(NOW < verified.expires_at());
    assert!(verified.expires_at().since(verified.issued_at()) <= expectations().max_lifetime());
    assert!(verified.issued_at() <= NOW.plus(expectations().skew()));
}
