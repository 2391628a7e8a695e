//! The extractor in a real router on a real handle: who reaches the handler, and what the others are answered.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::log::Text;
use rescind::refresh_token::ClientClass;
use rescind::store::MemoryStore;
use rescind::{LogoutScope, OpenSession, Rescind};
use rescind_axum::Live;
use serde::Deserialize;
use tower::ServiceExt;

#[derive(Deserialize)]
struct Mine {
    tenant: String,
}

async fn rescind() -> Rescind {
    let store = MemoryStore::new().unwrap();
    let builder = Rescind::builder("https://id.example", "https://api.example").store(store);
    builder.root_secret(RootSecret::from_bytes([7; 32])).build().await.unwrap()
}

fn app(rescind: &Rescind) -> Router {
    Router::new()
        .route("/hello", get(async |token: Live| token.subject().to_string()))
        .route("/tenant", get(async |token: Live<Mine>| token.claims().tenant.clone()))
        .route(
            "/maybe",
            get(async |token: Option<Live>| token.map_or("nobody".to_owned(), |it| it.subject().to_string())),
        )
        .with_state(rescind.clone())
}

async fn access_token(rescind: &Rescind, claims: serde_json::Value) -> String {
    let session = OpenSession {
        subject: Subject::new("alice").unwrap(),
        client: ClientId::new("app").unwrap(),
        class: ClientClass::Browser,
        auth_time: None,
        device: None,
        scope: None,
        claims: claims.as_object().cloned(),
    };
    rescind.open_session(session).await.unwrap().access_token
}

/// Status, body and challenge.
async fn ask(app: &Router, path: &str, authorization: Option<&str>) -> (StatusCode, String, String) {
    let mut request = Request::get(path);
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map_or("", |value| value.to_str().unwrap()).to_owned();
    let status = response.status();
    let body = to_bytes(response.into_body(), 4096).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap(), challenge)
}

#[tokio::test]
async fn a_good_token_reaches_the_handler_with_its_claims() {
    let rescind = rescind().await;
    let app = app(&rescind);
    let bearer = format!("Bearer {}", access_token(&rescind, serde_json::json!({ "tenant": "acme" })).await);
    assert_eq!(ask(&app, "/hello", Some(&bearer)).await.1, "alice");
    assert_eq!(ask(&app, "/tenant", Some(&bearer)).await.1, "acme");
    assert_eq!(ask(&app, "/maybe", Some(&bearer)).await.1, "alice");
}

#[tokio::test]
async fn no_token_is_nobody_where_that_is_allowed_and_401_elsewhere() {
    let app = app(&rescind().await);
    assert_eq!(ask(&app, "/maybe", None).await.1, "nobody");
    let (status, body, challenge) = ask(&app, "/hello", None).await;
    assert_eq!((status, challenge.as_str()), (StatusCode::UNAUTHORIZED, "Bearer realm=\"rescind\""));
    // RFC 6750 §3.1: no error code.
    assert!(!body.contains("\"error\""));
    assert_eq!(ask(&app, "/hello?access_token=x", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_revoked_token_is_refused_also_where_none_is_needed() {
    let rescind = rescind().await;
    let app = app(&rescind);
    let token = access_token(&rescind, serde_json::json!({})).await;
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(&app, "/hello", Some(&bearer)).await.0, StatusCode::OK);
    rescind.logout(&token, LogoutScope::Session, Text::new("test").unwrap()).await.unwrap();
    for path in ["/hello", "/maybe", "/tenant"] {
        let (status, body, challenge) = ask(&app, path, Some(&bearer)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(body.contains("invalid_token") && challenge.contains("error=\"invalid_token\""), "{path}");
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_and_a_malformed_header_are_told_apart() {
    let rescind = rescind().await;
    let app = app(&rescind);
    let bearer = format!("Bearer {}", access_token(&rescind, serde_json::json!({ "tenant": 7 })).await);
    let (status, body, challenge) = ask(&app, "/tenant", Some(&bearer)).await;
    assert_eq!((status, challenge.as_str()), (StatusCode::FORBIDDEN, ""), "the token is good");
    assert!(body.contains("access_denied"));
    assert_eq!(ask(&app, "/hello", Some(&bearer)).await.0, StatusCode::OK);
    let (status, body, _) = ask(&app, "/hello", Some("Bearer a b")).await;
    assert_eq!((status, body.contains("invalid_request")), (StatusCode::BAD_REQUEST, true));
}
