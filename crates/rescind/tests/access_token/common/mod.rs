//! What the access token tests share: one session, one moment, one set of expectations.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test program uses a part of it"
)]

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use rescind::access_token::{AccessTokenSpec, Expectations};
use rescind::id::{ClientId, Jti, SessionId, Subject};
use rescind::keys::{Algorithm, KeyRing, SigningKey};
use rescind::position::{Generation, Seq};
use rescind::random::{Random, RandomFailed};
use rescind::refresh_token::ClientClass;
use rescind::session::Session;
use rescind::time::Timestamp;

/// The present of the tests.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Our issuer.
pub(crate) const ISSUER: &str = "https://login.example";
/// Our audience.
pub(crate) const AUDIENCE: &str = "https://api.example";
/// The name of the token that the tests issue.
pub(crate) const JTI: &str = "0198c0de-0000-7000-8000-00000000beef";

/// What the tests expect of a token.
pub(crate) fn expectations() -> Expectations {
    Expectations::new(ISSUER, AUDIENCE, Duration::from_mins(15)).unwrap()
}

/// The session that the tests' tokens come from.
pub(crate) fn session() -> Session {
    Session {
        id: "0198c0de-0000-7000-8000-00000000abcd".parse::<SessionId>().unwrap(),
        subject: Subject::new("alice@example.com").unwrap(),
        client: ClientId::new("web").unwrap(),
        class: ClientClass::Browser,
        position: Seq::new(42),
        opened_at: NOW,
        auth_time: NOW,
        generation: Generation::FIRST,
        rotated_at: NOW,
        idle: Duration::from_hours(1),
        expires_at: NOW.plus(Duration::from_hours(9)),
        device: None,
        scope: Some("read write".to_owned()),
        claims: Some(r#"{"role":"admin","groups":["a","b"]}"#.to_owned()),
    }
}

/// A token of this session, issued now for 15 minutes.
pub(crate) fn spec(session: &Session) -> AccessTokenSpec<'_> {
    AccessTokenSpec {
        issuer: ISSUER,
        audience: AUDIENCE,
        session,
        jti: JTI.parse::<Jti>().unwrap(),
        issued_at: NOW,
        lifetime: Duration::from_mins(15),
        max_lifetime: Duration::from_mins(15),
    }
}

/// The name of `jsonwebtoken`'s algorithm for ours.
pub(crate) fn their_name(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Ps256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
    }
}

/// One of our keys as `jsonwebtoken`'s pair; the verifying half comes from our JWK Set.
pub(crate) fn their_keys(ring: &KeyRing, key: &SigningKey) -> (EncodingKey, DecodingKey) {
    let private = key.export_secret().unwrap();
    let encoding = match key.algorithm() {
        Algorithm::EdDSA => EncodingKey::from_ed_der(&private),
        Algorithm::Es256 => EncodingKey::from_ec_der(&private),
        // It takes the inner `RSAPrivateKey` only; in PKCS#8 that follows 26 bytes of version and algorithm.
        Algorithm::Rs256 | Algorithm::Ps256 => EncodingKey::from_rsa_der(&private[26..]),
        Algorithm::Hs256 => return (EncodingKey::from_secret(&private), DecodingKey::from_secret(&private)),
    };
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&ring.jwks()).unwrap();
    (encoding, DecodingKey::from_jwk(set.find(key.id().as_str()).unwrap()).unwrap())
}

/// Randomness that is the same in every run: each filling counts up from one further on.
#[derive(Debug, Default)]
pub(crate) struct Steps(AtomicU8);

impl Random for Steps {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFailed> {
        let mut next = self.0.fetch_add(1, Ordering::Relaxed);
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
        Ok(())
    }
}

/// Base64url as JWS writes it.
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with any header and payload, signed properly.
pub(crate) fn forge(key: &SigningKey, header: &str, payload: impl AsRef<[u8]>) -> String {
    sign(key, &format!("{}.{}", base64url(header), base64url(payload)))
}

/// Signs what stands before the second dot.
pub(crate) fn sign(key: &SigningKey, signed: &str) -> String {
    let mut signature = Vec::new();
    key.sign(signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", base64url(signature))
}

/// The header that the key's own tokens have.
pub(crate) fn header(key: &SigningKey) -> String {
    format!(r#"{{"alg":"{}","typ":"at+jwt","kid":"{}"}}"#, key.algorithm(), key.id())
}

/// Good claims, with changes: a JSON text replaces the claim, the empty text removes it.
pub(crate) fn payload(changes: &[(&str, &str)]) -> String {
    let now = NOW.as_secs();
    let (iat, exp) = (now.to_string(), (now + 900).to_string());
    let text = |value: &str| format!("\"{value}\"");
    let mut members: Vec<(&str, String)> = vec![
        ("iss", text(ISSUER)),
        ("sub", text("alice")),
        ("aud", text(AUDIENCE)),
        ("client_id", text("web")),
        ("iat", iat.clone()),
        ("exp", exp),
        ("jti", text(JTI)),
        ("sid", text("0198c0de-0000-7000-8000-00000000abcd")),
        ("seq", "42".to_owned()),
        ("auth_time", iat),
    ];
    for (name, value) in changes {
        members.retain(|(member, _)| member != name);
        if !value.is_empty() {
            members.push((name, (*value).to_owned()));
        }
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
