//! A provider's tokens without a provider: the kinds exclude each other, and every edge in time is where it is said to
//! be. The sign-in's own tests, with one thing wrong at a time, stand where sign-ins are.
#![cfg(test)]

use std::time::Duration;

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::access_token::{ForeignIssuer, ForeignSettings, TypPolicy, Unverified};
use rescind::keys::{Algorithm, ProviderKeys};
use rescind::provider_token::{IdToken, IdTokenRules, LogoutToken, LogoutTokenRules, Refused};
use rescind::time::Timestamp;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";

struct Provider {
    pair: Ed25519KeyPair,
    jwks: String,
    keys: ProviderKeys,
}

impl Provider {
    fn new() -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }] }).to_string();
        let keys = ProviderKeys::parse(&jwks, &[Algorithm::EdDSA]).unwrap();
        Self { pair, jwks, keys }
    }

    fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": "EdDSA", "kid": "k" });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn id_token(&self, text: &str, now: Timestamp) -> Result<IdToken, Refused> {
        let rules = IdTokenRules {
            issuer: ISSUER,
            client_id: "app",
            nonce: "n",
            access_token: Some("at"),
            max_age: Duration::from_mins(10),
            skew: Duration::from_mins(1),
        };
        IdToken::verify(text, &self.keys, &rules, now)
    }

    fn logout_token(&self, text: &str, now: Timestamp) -> Result<LogoutToken, Refused> {
        let (max_age, skew) = (Duration::from_mins(2), Duration::from_mins(1));
        LogoutToken::verify(
            text,
            &self.keys,
            &LogoutTokenRules { issuer: ISSUER, client_id: "app", max_age, skew },
            now,
        )
    }

    /// Whether it passes as an access token of a foreign issuer.
    fn access_token(&self, text: &str) -> bool {
        let settings = ForeignSettings {
            issuer: ISSUER,
            audience: "app",
            jwks: &self.jwks,
            algorithms: &[Algorithm::EdDSA],
            typ: TypPolicy::AccessToken,
            max_lifetime: Duration::from_hours(1),
        };
        let issuer = ForeignIssuer::new("https://login.example", &settings).unwrap();
        Unverified::parse(text).and_then(|token| issuer.verify(token, Timestamp::from_secs(NOW))).is_ok()
    }
}

fn id_claims() -> Value {
    json!({ "iss": ISSUER, "aud": "app", "sub": "alice", "iat": NOW, "exp": NOW + 600, "nonce": "n" })
}

fn logout_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "app", "sub": "alice", "iat": NOW, "exp": NOW + 120, "jti": "j",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

/// STANDARDS 55.
// holds: 55
#[test]
fn each_kind_of_token_passes_as_itself_and_as_nothing_else() {
    let provider = Provider::new();
    let now = Timestamp::from_secs(NOW);
    let tokens = [
        ("access", provider.sign(Some("at+jwt"), &id_claims()), [true, false, false]),
        ("ID, no typ", provider.sign(None, &id_claims()), [false, true, false]),
        ("ID, JWT", provider.sign(Some("JWT"), &id_claims()), [false, true, false]),
        ("logout", provider.sign(Some("logout+jwt"), &logout_claims()), [false, false, true]),
        ("logout, JWT", provider.sign(Some("JWT"), &logout_claims()), [false, false, true]),
        ("event", provider.sign(Some("secevent+jwt"), &logout_claims()), [false; 3]),
        ("status list", provider.sign(Some("statuslist+jwt"), &id_claims()), [false; 3]),
        ("introspection", provider.sign(Some("token-introspection+jwt"), &id_claims()), [false; 3]),
        ("refresh", "rrt_AAAA".to_owned(), [false; 3]),
    ];
    for (kind, text, expected) in tokens {
        let passes = [
            provider.access_token(&text),
            provider.id_token(&text, now).is_ok(),
            provider.logout_token(&text, now).is_ok(),
        ];
        assert_eq!(passes, expected, "{kind} as access token, ID token, logout token");
    }
}

// holds: 100
#[test]
fn every_edge_in_time_is_where_it_is_said_to_be() {
    let provider = Provider::new();
    let at = |secs: u64| Timestamp::from_secs(secs);
    let id = provider.sign(None, &id_claims());
    assert!(provider.id_token(&id, at(NOW - 60)).is_ok());
    assert_eq!(provider.id_token(&id, at(NOW - 61)).err(), Some(Refused::IssuedInFuture));
    assert!(provider.id_token(&id, at(NOW + 659)).is_ok());
    assert_eq!(provider.id_token(&id, at(NOW + 660)).err(), Some(Refused::Expired));
    let mut long = id_claims();
    long["exp"] = (NOW + 86_400).into();
    let long = provider.sign(None, &long);
    assert!(provider.id_token(&long, at(NOW + 660)).is_ok());
    assert_eq!(provider.id_token(&long, at(NOW + 661)).err(), Some(Refused::TooOld));

    let logout = provider.sign(Some("logout+jwt"), &logout_claims());
    let refused_from = provider.logout_token(&logout, at(NOW)).unwrap().refused_from;
    assert_eq!(refused_from, at(NOW + 180), "so long its name has to be kept");
    assert!(provider.logout_token(&logout, refused_from.minus(Duration::from_secs(1))).is_ok());
    assert!(provider.logout_token(&logout, refused_from.plus(Duration::from_secs(1))).is_err());
}

#[test]
fn the_access_token_s_hash_is_that_of_the_key_s_algorithm() {
    let provider = Provider::new();
    let mut claims = id_claims();
    claims["at_hash"] = URL_SAFE_NO_PAD.encode(&digest(&SHA512, b"at").as_ref()[..32]).into();
    assert!(provider.id_token(&provider.sign(None, &claims), Timestamp::from_secs(NOW)).is_ok());
    claims["at_hash"] = URL_SAFE_NO_PAD.encode(&digest(&SHA512, b"other").as_ref()[..32]).into();
    let refused = provider.id_token(&provider.sign(None, &claims), Timestamp::from_secs(NOW)).err();
    assert_eq!(refused, Some(Refused::WrongAccessToken));
}

#[test]
fn every_flipped_character_of_a_token_is_refused() {
    let provider = Provider::new();
    let token = provider.sign(None, &id_claims());
    for at in 0..token.len() {
        let mut bent = token.clone().into_bytes();
        bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).unwrap();
        assert!(provider.id_token(&bent, Timestamp::from_secs(NOW)).is_err(), "character {at}");
    }
}
