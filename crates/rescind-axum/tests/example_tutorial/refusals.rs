//! The tutorial's errors: every one is 401 in its words.
#![cfg(test)]

use std::time::Duration;

use rescind::OpenSession;
use rescind::Settings;
use rescind::id::{ClientId, Subject};
use rescind::keys::Algorithm;
use rescind::refresh_token::ClientClass;
use serde_json::json;

use crate::example::workshop::{self, Origin};
use crate::service::{INVALID, MISSING, Pair, Service, assert_refused, provider};

const REFRESH_LIFETIME: Duration = Duration::from_hours(43_200 / 60);

#[tokio::test]
async fn every_bad_authorization_header_is_refused() {
    let service = Service::start().await;
    let pair = service.sign_in().await;
    let good = format!("Bearer {}", pair.jwt);
    let none = workshop::forge(&json!({ "alg": "none", "typ": "at+jwt" }), &json!({ "sub": "alice@example.com" }));
    let forged = workshop::forge(&json!({ "alg": "HS256", "typ": "JWT" }), &json!({ "sub": "alice@example.com" }));
    let rows: [(&[&str], &str); 9] = [
        (&[], MISSING),
        (&["Basic YTpi"], MISSING),
        (&["Bearer"], INVALID),
        (&["Bearer a.b.c"], INVALID),
        (&[&format!("Bearer {none}")], INVALID),
        (&[&format!("Bearer {forged}")], INVALID),
        (&[&format!("{good} {good}")], INVALID),
        (&[&good, &good], INVALID),
        (&[&format!("Bearer {}", pair.refresh)], INVALID),
    ];
    for (values, detail) in rows {
        let headers: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        for (method, path) in [("GET", "/api/protected"), ("GET", "/logout"), ("POST", "/logout")] {
            assert_refused(&service.example.ask(method, path, &headers, "").await, detail);
        }
    }
    service.assert_live(&pair).await;
    // RFC 9110 §11.1.
    let lower = good.replace("Bearer", "bearer");
    let reply = service.example.ask("GET", "/api/protected", &[("authorization", &lower)], "").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn every_bad_refresh_is_refused() {
    let service = Service::start().await;
    let Pair { jwt, refresh } = service.sign_in().await;
    let mut tampered = refresh.clone();
    tampered.replace_range(10..11, if &refresh[10..11] == "A" { "B" } else { "A" });
    for body in [
        String::new(),
        "not json".to_owned(),
        "[]".to_owned(),
        format!("grant_type=refresh_token&refresh_token={refresh}"),
        json!({ "refresh_token": refresh }).to_string(),
        json!({ "grant_type": "password", "refresh_token": refresh }).to_string(),
        json!({ "grant_type": "refresh_token" }).to_string(),
        json!({ "grant_type": "refresh_token", "refresh_token": 7 }).to_string(),
        json!({ "grant_type": "refresh_token", "refresh_token": "rrt_x" }).to_string(),
        json!({ "grant_type": "refresh_token", "refresh_token": tampered }).to_string(),
        json!({ "grant_type": "refresh_token", "refresh_token": jwt }).to_string(),
        format!(r#"{{"grant_type":"refresh_token","refresh_token":"x","refresh_token":"{refresh}"}}"#),
    ] {
        assert_refused(&service.example.ask("POST", "/auth/refresh", &[], &body).await, INVALID);
    }
    let huge = " ".repeat(1 << 17);
    assert_eq!(service.example.ask("POST", "/auth/refresh", &[], &huge).await.status, 413);
    assert_eq!(service.example.ask("GET", "/auth/refresh", &[], "").await.status, 405);
    service.assert_live(&Pair { jwt, refresh }).await;
}

#[tokio::test]
async fn every_bad_return_from_the_provider_is_refused() {
    let service = Service::start().await;
    let returning = service.go_and_agree().await;
    let state = returning.path.split('&').find(|part| part.starts_with("state=")).unwrap();
    let denied = format!("/auth/token?error=access_denied&error_description=no&{state}");
    for path in ["/auth/token", "/auth/token?code=a&state=b", "/auth/token?error=access_denied"] {
        let reply = service.example.ask("GET", path, &[("cookie", &returning.cookie)], "").await;
        assert_refused(&reply, INVALID);
    }
    assert_refused(&service.get(&returning.path).await, INVALID);
    assert_eq!(service.fetch_tokens(&returning).await.status, 200, "none of these has spent it");
    assert_refused(&service.fetch_tokens(&returning).await, INVALID);
    let reply = service.example.ask("GET", &denied, &[("cookie", &returning.cookie)], "").await;
    assert_refused(&reply, INVALID);
    service.idp.change_claims(|claims| claims["aud"] = "somebody-else".into());
    let foreign = service.fetch_tokens(&service.go_and_agree().await).await;
    assert_refused(&foreign, INVALID);
    assert!(foreign.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"), "the spent sign-in is cleared");
}

#[tokio::test]
async fn an_expired_access_token_opens_nothing_and_still_logs_out() {
    let home = tempfile::tempdir().unwrap();
    let open = async |ago: Duration| {
        let settings = Settings { idle: REFRESH_LIFETIME, absolute: REFRESH_LIFETIME, ..Settings::default() };
        let issuer = "http://127.0.0.1:7000";
        let origin = Origin { issuer, audience: issuer, algorithm: Algorithm::EdDSA, settings };
        let mut session = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("tutorial").unwrap());
        session.class = ClientClass::Fixed;
        let pair = workshop::open(home.path(), origin, ago, session).await;
        Pair { jwt: pair.access_token, refresh: pair.refresh_token }
    };
    let outlived = open(REFRESH_LIFETIME + Duration::from_mins(1)).await;
    let old = open(Duration::from_hours(24)).await;
    let service = Service::start_in(home, provider().await, "").await;
    service.assert_dead(&outlived).await;
    assert_refused(&service.call("GET", "/api/protected", &old.jwt).await, INVALID);
    let newer = service.refresh(&old.refresh).await.text("access_token");
    assert_eq!(service.protected(&newer).await, 200);
    assert_eq!(service.call("POST", "/logout", &old.jwt).await.status, 200);
    assert_refused(&service.call("GET", "/api/protected", &newer).await, INVALID);
    service.assert_dead(&old).await;
}
