//! Bodies of requests, and whole requests to the ready-made routes. Nothing that a stranger sends is answered with a fault
//! of ours, and a session goes on unless its own token was presented.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::BodyExt;
use rescind::testing::{client, subject};
use rescind::{OpenSession, TokenPair};
use rescind_axum::body::{Form, json};
use rescind_axum::{Cookies, Live, Routes};
use serde_json::Value;
use tower::ServiceExt;

use crate::ground::{house, run};
use crate::wire::ScopeJson;

/// A body as form and as JSON. What is read has each name once and none with an empty value.
pub(super) fn bodies(bytes: &[u8]) {
    for form in [Form::parse(bytes), Form::from_json(bytes)] {
        match form {
            Ok(form) => {
                for name in ["token", "grant_type", "refresh_token", "scope", "username", "password", "a"] {
                    assert_ne!(form.get(name), Some(""));
                    assert_eq!(form.get(name), form.require(name).ok());
                }
                let _names_only = format!("{form:?}");
            }
            Err(unreadable) => assert!(!format!("{unreadable:?}").is_empty()),
        }
    }
    if let Ok(value) = json::<Value>(bytes) {
        assert!(value.is_object());
    }
}

/// A scope in a body of the admin API, as `POST /admin/v1/revocations` reads it. What is read is written the same.
pub(super) fn admin_bodies(bytes: &[u8]) {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        #[serde(default, deserialize_with = "crate::wire::object")]
        scope: Option<ScopeJson>,
        reason: Option<String>,
    }
    let Ok(Asked { scope: Some(scope), reason }) = json::<Asked>(bytes) else { return };
    let kind = rescind::log::ScopeKind::parse(&scope.kind);
    if let Some(Ok(read)) = kind.map(|kind| rescind::log::Scope::parse(kind, scope.id.as_deref().unwrap_or_default())) {
        let written = ScopeJson::from(&read);
        assert_eq!(
            (&written.kind, written.id.as_deref().unwrap_or_default()),
            (&scope.kind, scope.id.as_deref().unwrap_or_default())
        );
    }
    if let Some(Ok(reason)) = reason.map(rescind::log::Text::new) {
        assert!(!reason.as_str().chars().any(char::is_control));
    }
}

/// A request: `METHOD path`, header lines, an empty line, the body. In it `{access}`, `{refresh}` and `{sid}` stand for
/// those of one session; another session is never named, and goes on whatever is sent.
pub(super) fn requests(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    run(async {
        let rescind = house().await;
        let open = async || rescind.open_session(OpenSession::new(subject("alice"), client("web"))).await.unwrap();
        let (named, other) = (open().await, open().await);
        let untouched = !text.contains('{') || !["{access}", "{refresh}", "{sid}"].iter().any(|it| text.contains(it));
        let Some(request) = request(text, &named) else { return };
        let app: Router = Routes::new(&rescind)
            .cookies(Cookies::new())
            .into_router::<rescind::Rescind>()
            .route(
                "/me",
                get(async |live: Option<Live>| live.map_or_else(String::new, |live| live.subject().to_string())),
            )
            .with_state(rescind.clone());
        let response = app.oneshot(request).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(parts.status.as_u16() < 500, "{} {}", parts.status, String::from_utf8_lossy(&body));
        let is_json =
            parts.headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        assert!(!is_json || serde_json::from_slice::<Value>(&body).is_ok(), "an answer that is no JSON");
        if untouched {
            assert!(
                !parts.status.is_success() || body.is_empty() || !is_json,
                "a stranger was answered: {}",
                parts.status
            );
            assert!(rescind.check(&named.access_token).await.is_ok(), "a stranger has ended a session");
        }
        // `scope` may say all or others, of which the other session is one.
        let everybody = text.contains("all") || text.contains("others") || text.contains('\\') || text.contains('%');
        assert!(everybody || rescind.check(&other.access_token).await.is_ok(), "a session was ended that nobody named");
    });
}

fn request(text: &str, pair: &TokenPair) -> Option<Request<Body>> {
    let text = text
        .replace("{access}", &pair.access_token)
        .replace("{refresh}", &pair.refresh_token)
        .replace("{sid}", &pair.session_id.to_string());
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::new(Body::from(body.to_owned()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = path.parse::<Uri>().ok()?;
    for line in lines.take(32) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(request)
}
