//! What an OpenID provider sends, or somebody in its name: key sets, metadata, ID tokens and logout tokens, and the way
//! back from it.

use std::sync::OnceLock;
use std::time::Duration;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use rescind::access_token::{ForeignIssuer, ForeignSettings, TypPolicy};
use rescind::keys::{Algorithm, JwkSet, ProviderKeys};
use rescind::provider_token::{IdToken, IdTokenRules, LogoutToken, LogoutTokenRules, Refused};
use rescind_axum::oidc::testing::{Read, metadata};
use rescind_axum::oidc::{Allow, Provider, Providers, RedirectUri};
use serde_json::Value;

use crate::ground::{AUDIENCE, ISSUER, NOW, house, key, ring, run, sign};

const IDP: &str = "https://idp.example";

/// A key set: as a foreign issuer's, and as a provider's. No set with a secret part is taken, and no symmetric key is.
pub(super) fn jwks(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    let strict = JwkSet::parse(text, &Algorithm::EVERY);
    let lenient = ProviderKeys::parse(text, &Algorithm::EVERY);
    for error in [strict.as_ref().err(), lenient.as_ref().err()].into_iter().flatten() {
        assert!(!error.to_string().is_empty());
    }
    if strict.is_ok() || lenient.is_ok() {
        let set: Value = serde_json::from_str(text).unwrap();
        for jwk in set["keys"].as_array().unwrap() {
            assert!(jwk["kty"] != "oct" && jwk.get("d").is_none_or(Value::is_null), "{jwk}");
        }
    }
    let settings = ForeignSettings {
        issuer: IDP,
        audience: AUDIENCE,
        jwks: text,
        algorithms: &[Algorithm::EdDSA],
        typ: TypPolicy::AnyJwt,
        max_lifetime: Duration::from_mins(15),
    };
    let _either = ForeignIssuer::new(ISSUER, &settings);
}

/// Metadata, as if found at a provider on the internet and at one on this machine. What is taken leads to https, or on this
/// machine as plainly as its issuer.
pub(super) fn discovery(bytes: &[u8]) {
    for issuer in [IDP, "http://localhost:3000"] {
        let read = metadata(issuer, bytes);
        let Ok(Read { endpoints, algorithms }) = read else { continue };
        let document: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(document["issuer"], issuer);
        for endpoint in endpoints {
            let plain = endpoint.starts_with("http://") && issuer.starts_with("http://");
            assert!(endpoint.starts_with("https://") || plain, "{endpoint}");
            let authority =
                endpoint.split("//").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
            assert!(!endpoint.contains('#') && !authority.contains('@') && !authority.is_empty(), "{endpoint}");
        }
        assert!(!algorithms.is_empty() && !algorithms.iter().any(|algorithm| algorithm.is_symmetric()));
    }
}

fn keys() -> &'static ProviderKeys {
    static KEYS: OnceLock<ProviderKeys> = OnceLock::new();
    KEYS.get_or_init(|| ProviderKeys::parse(&ring().jwks(), &Algorithm::EVERY).unwrap())
}

/// Any text, and any payload signed by the provider's key under each `typ`: as ID token and as logout token. None is both.
pub(super) fn token(bytes: &[u8]) {
    if let Some(text) = crate::dice::text(bytes) {
        judge(text);
    }
    let key = key(Algorithm::EdDSA);
    for typ in ["", r#","typ":"JWT""#, r#","typ":"logout+jwt""#] {
        judge(&sign(key, format!(r#"{{"alg":"EdDSA","kid":"{}"{typ}}}"#, key.id()), bytes));
    }
}

fn judge(text: &str) {
    let (max_age, skew) = (Duration::from_mins(10), Duration::from_secs(30));
    let rules = IdTokenRules { issuer: IDP, client_id: "app", nonce: "n-0", access_token: Some("at"), max_age, skew };
    let id = IdToken::verify(text, keys(), &rules, NOW).map_err(reasoned);
    let form = LogoutToken::check_form(text).map_err(reasoned);
    let rules = LogoutTokenRules { issuer: IDP, client_id: "app", max_age: Duration::from_mins(2), skew };
    let logout = LogoutToken::verify(text, keys(), &rules, NOW).map_err(reasoned);
    assert!(id.is_err() || logout.is_err(), "a token is an ID token or a logout token: {text}");
    if let Ok(id) = id {
        assert_eq!((&id.claims["iss"], &id.claims["nonce"]), (&Value::from(IDP), &Value::from("n-0")));
        assert_eq!(id.claims["sub"], id.subject);
        assert!(!id.subject.is_empty() && id.subject.len() <= 255 && id.issued_at <= NOW.plus(skew));
    }
    if let Ok(logout) = logout {
        assert!(form.is_ok() && !logout.jti.is_empty());
        assert!(logout.subject.is_some() || logout.sid.is_some());
        assert!(logout.refused_from > NOW);
    }
}

fn reasoned(refused: Refused) -> Refused {
    assert!(!refused.to_string().is_empty());
    refused
}

/// The way back: a query and a cookie that this service has not sealed. Nobody comes in by them, and nobody is asked.
pub(super) fn callback(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    let (query, cookie) = text.split_once('\n').unwrap_or((text, ""));
    run(async {
        let rescind = house().await;
        let provider = Provider::new("work", "http://localhost:9", "app").unwrap().admit(Allow::everyone());
        let here = RedirectUri::Under("https://app.example/login".to_owned());
        let providers = Providers::new(&rescind, here, vec![provider]).unwrap();
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(cookie) {
            headers.insert(COOKIE, value);
        }
        for name in [Some("work"), Some(cookie), None] {
            let error =
                providers.finish(name, query, &headers).await.err().unwrap_or_else(|| panic!("somebody came in"));
            assert!(error.respond(&headers).status().as_u16() >= 300);
        }
    });
}
