//! The layer in front of services with and without axum: who gets through, by which token, under which rule.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::log::Text;
use rescind::random::SystemRandom;
use rescind::store::{FailingStore, MemoryStore, Store};
use rescind::testing::ManualClock;
use rescind::time::Clock;
use rescind::{LogoutScope, OnStale, OpenSession, Rescind, Settings};
use rescind_axum::{Guard, Live, Refusal, Reshape, STALENESS, TokensIn, Unchecked, admitted};
use tower::{Layer, ServiceExt, service_fn};

struct House {
    rescind: Rescind,
    store: Arc<FailingStore<MemoryStore>>,
    clock: Arc<ManualClock>,
}

impl House {
    async fn new(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::default());
        let memory = MemoryStore::with(Arc::clone(&clock) as Arc<dyn Clock>, &SystemRandom).unwrap();
        let store = Arc::new(FailingStore::new(Arc::new(memory)));
        let builder = Rescind::builder("https://id.example", "https://api.example")
            .store(Arc::clone(&store) as Arc<dyn Store>)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .settings(settings)
            .root_secret(RootSecret::from_bytes([7; 32]));
        Self { rescind: builder.build().await.unwrap(), store, clock }
    }

    async fn token(&self, scope: Option<&str>) -> String {
        let mut session = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("app").unwrap());
        session.scope = scope.map(str::to_owned);
        self.rescind.open_session(session).await.unwrap().access_token
    }

    async fn log_out(&self, token: &str) {
        self.rescind.logout(token, LogoutScope::Session, Text::new("test").unwrap()).await.unwrap();
    }

    /// Behind this guard, a handler that says whose request it is.
    fn app(&self, guard: Guard) -> Router {
        let whose = async |token: Option<Live>| token.map_or("nobody".to_owned(), |it| it.subject().to_string());
        Router::new()
            .route("/", get(whose).post(whose))
            .route("/unchecked", get(async |token: Unchecked| token.subject().to_string()))
            .layer(guard)
            .with_state(self.rescind.clone())
    }
}

/// Where the token stands in a request.
#[derive(Clone, Copy)]
enum In {
    Header,
    Cookie,
    Both,
}

fn request(method: &str, token: &str, place: In, more: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/").header("host", "api.example");
    if matches!(place, In::Header | In::Both) {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if matches!(place, In::Cookie | In::Both) {
        request = request.header(COOKIE, format!("__Host-rescind_access={token}"));
    }
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    (status, text(response).await)
}

async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_service_without_axum_is_reached_with_a_good_token_only() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let hello = async |request: Request<Full<Bytes>>| {
        let subject = admitted(&request).map(|token| token.subject().to_string()).unwrap_or_default();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(subject)))
    };
    let service = Guard::new(&house.rescind).layer(service_fn(hello));
    let asked = async |authorization: &str| {
        let request = Request::get("/").header(AUTHORIZATION, authorization).body(Full::default()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        (response.status(), text(response).await)
    };
    assert_eq!(asked(&format!("Bearer {token}")).await, (StatusCode::OK, "alice".to_owned()));
    assert_eq!(asked("Basic YTpi").await.0, StatusCode::UNAUTHORIZED);
    house.log_out(&token).await;
    let (status, body) = asked(&format!("Bearer {token}")).await;
    assert_eq!((status, body.contains("invalid_token")), (StatusCode::UNAUTHORIZED, true));
}

#[tokio::test]
async fn a_token_in_two_places_is_refused_and_in_one_is_taken() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let either = house.app(Guard::new(&house.rescind).tokens_in(TokensIn::HeaderOrCookie));
    for (place, expected) in [(In::Header, 200), (In::Cookie, 200), (In::Both, 400)] {
        assert_eq!(ask(&either, request("GET", &token, place, &[])).await.0.as_u16(), expected);
    }
    let cookie = house.app(Guard::new(&house.rescind).tokens_in(TokensIn::Cookie));
    assert_eq!(ask(&cookie, request("GET", &token, In::Header, &[])).await.0, StatusCode::BAD_REQUEST);
    let header = house.app(Guard::new(&house.rescind));
    assert_eq!(ask(&header, request("GET", &token, In::Cookie, &[])).await.0, StatusCode::UNAUTHORIZED);
    let twice = [("cookie", "__Host-rescind_access=other")];
    assert_eq!(ask(&either, request("GET", &token, In::Cookie, &twice)).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_cookie_changes_nothing_at_the_word_of_another_site_and_a_header_does() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let guard = Guard::new(&house.rescind).tokens_in(TokensIn::HeaderOrCookie);
    let app = house.app(guard.trust_origin("https://app.example").unwrap());
    let status = async |method: &str, place, more: &[(&str, &str)]| {
        ask(&app, request(method, &token, place, more)).await.0.as_u16()
    };
    let evil = [("origin", "https://evil.example")];
    assert_eq!(status("POST", In::Cookie, &evil).await, 403);
    assert_eq!(status("POST", In::Cookie, &[("sec-fetch-site", "same-site")]).await, 403);
    assert_eq!(status("POST", In::Cookie, &[(ORIGIN.as_str(), "https://api.example")]).await, 200);
    assert_eq!(status("POST", In::Cookie, &[(ORIGIN.as_str(), "https://app.example")]).await, 200);
    assert_eq!(status("GET", In::Cookie, &evil).await, 200);
    assert_eq!(status("POST", In::Header, &evil).await, 200, "no page sends a header on its own");
    let invalid = Guard::new(&house.rescind).trust_origin("app.example").err().unwrap().to_string();
    assert!(invalid.contains("https://app.example.com"), "{invalid}");
}

#[tokio::test]
async fn a_socket_by_cookie_is_opened_at_the_word_of_this_site_only() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let app = house.app(Guard::new(&house.rescind).tokens_in(TokensIn::HeaderOrCookie));
    let status = async |place, origin: (&str, &str)| {
        let handshake = [("connection", "upgrade"), ("upgrade", "websocket"), origin];
        ask(&app, request("GET", &token, place, &handshake)).await.0.as_u16()
    };
    for elsewhere in [(ORIGIN.as_str(), "https://evil.example"), ("sec-fetch-site", "same-site")] {
        assert_eq!(status(In::Cookie, elsewhere).await, 403, "{elsewhere:?}");
        assert_eq!(status(In::Header, elsewhere).await, 200, "{elsewhere:?}");
    }
    assert_eq!(status(In::Cookie, (ORIGIN.as_str(), "https://api.example")).await, 200);
}

#[tokio::test]
async fn a_handler_of_another_issuer_is_not_given_what_this_one_s_guard_let_pass() {
    let (house, other) = (House::new(Settings::default()).await, House::new(Settings::default()).await);
    let (token, theirs) = (house.token(None).await, other.token(None).await);
    let tokens = [TokensIn::Header, TokensIn::HeaderOrCookie];
    for (tokens, skips) in tokens.into_iter().flat_map(|tokens| [(tokens, false), (tokens, true)]) {
        let guard = Guard::new(&house.rescind).tokens_in(tokens).optional();
        let guard = if skips { guard.skip_revocation_check() } else { guard };
        let app = other.app(guard);
        for path in ["/", "/unchecked"] {
            let mut request = request("GET", &token, In::Header, &[]);
            *request.uri_mut() = path.parse().unwrap();
            assert_eq!(ask(&app, request).await.0, StatusCode::UNAUTHORIZED, "{path} {tokens:?} {skips}");
        }
        assert_eq!(ask(&app, request("GET", &theirs, In::Header, &[])).await.0, StatusCode::UNAUTHORIZED);
    }
    // The innermost guard's word is what the handler hears.
    let nested = house.app(Guard::new(&house.rescind)).layer(Guard::new(&house.rescind).require_scope("read"));
    assert_eq!(ask(&nested, request("GET", &token, In::Header, &[])).await.0, StatusCode::FORBIDDEN);
    let token = house.token(Some("read")).await;
    assert_eq!(ask(&nested, request("GET", &token, In::Header, &[])).await, (StatusCode::OK, "alice".to_owned()));
}

#[tokio::test]
async fn layers_that_make_empty_bodies_stand_outside_of_a_guard() {
    let house = House::new(Settings::default()).await;
    let hello = async |_: Request<Full<Bytes>>| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("in")));
    let service = tower_http::csrf::CsrfLayer::new().layer(Guard::new(&house.rescind).layer(service_fn(hello)));
    let evil = Request::post("/").header(ORIGIN, "https://evil.example").body(Full::default()).unwrap();
    let response = service.oneshot(evil).await.unwrap();
    assert_eq!((response.status(), text(response).await.as_str()), (StatusCode::FORBIDDEN, ""));
}

#[tokio::test]
async fn a_route_s_rules_on_scope_and_sign_in_are_asked_of_a_good_token() {
    let house = House::new(Settings::default()).await;
    let token = house.token(Some("read write")).await;
    let status = async |guard: Guard| ask(&house.app(guard), request("GET", &token, In::Header, &[])).await;
    let guard = || Guard::new(&house.rescind);
    assert_eq!(status(guard().require_scope("read").require_scope("write")).await.0, StatusCode::OK);
    let (refused, body) = status(guard().require_scope("read").require_scope("admin")).await;
    assert_eq!((refused, body.contains("insufficient_scope")), (StatusCode::FORBIDDEN, true));
    let minute = Duration::from_mins(1);
    assert_eq!(status(guard().require_fresh(minute)).await.0, StatusCode::OK);
    house.clock.advance(minute + Duration::from_secs(1));
    house.rescind.sync().await.unwrap();
    let (refused, body) = status(guard().require_fresh(minute)).await;
    assert_eq!((refused, body.contains("insufficient_user_authentication")), (StatusCode::UNAUTHORIZED, true));
    assert_eq!(status(guard().require_fresh(minute * 2)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_optional_token_may_be_missing_but_not_bad() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let app = house.app(Guard::new(&house.rescind).optional());
    let nobody = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(ask(&app, nobody).await, (StatusCode::OK, "nobody".to_owned()));
    assert_eq!(ask(&app, request("GET", &token, In::Header, &[])).await, (StatusCode::OK, "alice".to_owned()));
    house.log_out(&token).await;
    assert_eq!(ask(&app, request("GET", &token, In::Header, &[])).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_log_is_skipped_only_where_guard_and_handler_both_say_so() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    house.log_out(&token).await;
    let ask_for = async |guard: Guard, path: &str| {
        let mut request = request("GET", &token, In::Header, &[]);
        *request.uri_mut() = path.parse().unwrap();
        ask(&house.app(guard), request).await.0
    };
    let skipping = || Guard::new(&house.rescind).skip_revocation_check();
    assert_eq!(ask_for(skipping(), "/unchecked").await, StatusCode::OK);
    assert_eq!(ask_for(skipping(), "/").await, StatusCode::UNAUTHORIZED, "the handler takes Live");
    assert_eq!(ask_for(Guard::new(&house.rescind), "/unchecked").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn each_route_has_its_own_way_with_a_stale_view_and_known_revocations_stay_refused() {
    let house = House::new(Settings::default()).await;
    let (good, dead) = (house.token(None).await, house.token(None).await);
    house.log_out(&dead).await;
    house.store.down();
    house.clock.advance(Duration::from_secs(5));
    let refusing = house.app(Guard::new(&house.rescind));
    let allowing = house.app(Guard::new(&house.rescind).on_stale(OnStale::AllowFor(Duration::from_mins(1))));
    for token in [&good, &dead] {
        let response = refusing.clone().oneshot(request("GET", token, In::Header, &[])).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after") && !response.headers().contains_key(WWW_AUTHENTICATE));
    }
    let response = allowing.clone().oneshot(request("GET", &good, In::Header, &[])).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[STALENESS], "5000");
    assert_eq!(ask(&allowing, request("GET", &dead, In::Header, &[])).await.0, StatusCode::UNAUTHORIZED);
    let strict = house.app(Guard::new(&house.rescind).strict());
    assert_eq!(ask(&strict, request("GET", &good, In::Header, &[])).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn refusals_of_guards_and_extractors_are_reshaped_by_one_layer_and_other_answers_left_alone() {
    let house = House::new(Settings::default()).await;
    let token = house.token(None).await;
    let in_our_words = |refusal: &Refusal, answer: axum::response::Response| {
        let status = if matches!(refusal, Refusal::Missing(_)) { StatusCode::IM_A_TEAPOT } else { answer.status() };
        (status, Json(serde_json::json!({ "msg": refusal.reason() })))
            .into_response_with(answer.headers().get(WWW_AUTHENTICATE).cloned())
    };
    let guarded = Router::new().route("/guarded", post(async || "in")).layer(Guard::new(&house.rescind));
    let app = Router::new()
        .route("/", get(async |_: Live| "in"))
        .route("/own", get(async || StatusCode::UNAUTHORIZED))
        .merge(guarded)
        .layer(Reshape::new(in_our_words))
        .with_state(house.rescind.clone());
    let ask_for = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = request(method, token.unwrap_or_default(), In::Header, &[]);
        if token.is_none() {
            request.headers_mut().remove(AUTHORIZATION);
        }
        *request.uri_mut() = path.parse().unwrap();
        ask(&app, request).await
    };
    for (method, path) in [("GET", "/"), ("POST", "/guarded")] {
        let (status, body) = ask_for(method, path, None).await;
        assert_eq!((status, body.as_str()), (StatusCode::IM_A_TEAPOT, r#"{"msg":"missing"}"#));
        let (status, body) = ask_for(method, path, Some("a.b")).await;
        assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, r#"{"msg":"wrong_part_count"}"#));
        assert_eq!(ask_for(method, path, Some(&token)).await, (StatusCode::OK, "in".to_owned()));
    }
    assert_eq!(ask_for("GET", "/own", None).await, (StatusCode::UNAUTHORIZED, String::new()));
}

/// An answer that keeps the challenge.
trait WithChallenge {
    fn into_response_with(self, challenge: Option<http::HeaderValue>) -> axum::response::Response;
}

impl<T: axum::response::IntoResponse> WithChallenge for T {
    fn into_response_with(self, challenge: Option<http::HeaderValue>) -> axum::response::Response {
        let mut response = self.into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
