//! The provider: well-behaved until a test tells it one thing to do wrong. It checks what a provider must (PKCE, client,
//! redirect URI, code once), so that a sign-in that passes here is a right one.
#![cfg(test)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rescind::testing::ManualClock;
use rescind::time::Clock;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::key::{Key, encode};

pub(crate) const CLIENT_ID: &str = "app/1:2";
pub(crate) const SECRET: &str = "hush hush&=%";

/// How an endpoint answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// As it must.
    Right,
    /// With this status, and HTML.
    Status(u16),
    /// With this text as JSON.
    Text(String),
    /// With a redirect.
    Redirect(String),
    /// With so many bytes of JSON that never end well.
    Megabytes(usize),
    /// Not at all.
    Silence,
    /// With something that is no JSON.
    Html,
}

type Act = Box<dyn FnOnce(&mut Script) + Send>;
type Change = Box<dyn Fn(&mut Value) + Send>;

/// What the provider does.
pub(crate) struct Script {
    /// The keys that it publishes.
    pub(crate) published: Vec<Value>,
    /// The key that it signs with.
    pub(crate) signer: Arc<Key>,
    pub(crate) change_discovery: Change,
    pub(crate) change_header: Change,
    pub(crate) change_claims: Change,
    pub(crate) change_tokens: Change,
    pub(crate) userinfo: Value,
    pub(crate) answers: HashMap<&'static str, Answer>,
    /// What authenticates the client: `client_secret_basic`, `client_secret_post` or `none`.
    pub(crate) proof: &'static str,
    /// Run when a code is exchanged, before the ID token is signed.
    pub(crate) before_signing: Option<Act>,
    pub(crate) asked: HashMap<&'static str, usize>,
    codes: HashMap<String, Authorized>,
    issued: u64,
}

/// What was asked for at the authorization endpoint.
#[derive(Clone)]
struct Authorized {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

/// A running provider. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Idp {
    pub(crate) issuer: String,
    clock: Arc<ManualClock>,
    script: Arc<Mutex<Script>>,
}

impl Idp {
    pub(crate) async fn start(clock: &Arc<ManualClock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let signer = Arc::new(Key::rs256("first"));
        let script = Script {
            published: vec![signer.jwk()],
            signer,
            change_discovery: Box::new(|_| {}),
            change_header: Box::new(|_| {}),
            change_claims: Box::new(|_| {}),
            change_tokens: Box::new(|_| {}),
            userinfo: Value::Null,
            answers: HashMap::new(),
            proof: "client_secret_basic",
            before_signing: None,
            asked: HashMap::new(),
            codes: HashMap::new(),
            issued: 0,
        };
        let idp = Self { issuer, clock: Arc::clone(clock), script: Arc::new(Mutex::new(script)) };
        let app = Router::new().fallback(handle).with_state(idp.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        idp
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(crate) fn answer(&self, endpoint: &'static str, answer: Answer) {
        self.script().answers.insert(endpoint, answer);
    }

    /// How often an endpoint was asked.
    pub(crate) fn asked(&self, endpoint: &'static str) -> usize {
        self.script().asked.get(endpoint).copied().unwrap_or(0)
    }

    pub(crate) fn change_claims(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.script().change_claims = Box::new(change);
    }

    pub(crate) fn change_header(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.script().change_header = Box::new(change);
    }

    pub(crate) fn change_discovery(&self, change: impl Fn(&mut Value) + Send + 'static) {
        self.script().change_discovery = Box::new(change);
    }

    /// Takes another key, published beside those before it or not.
    pub(crate) fn sign_with(&self, key: Key, published: bool) {
        let mut script = self.script();
        if published {
            script.published = vec![key.jwk()];
        }
        script.signer = Arc::new(key);
    }

    /// What the user does at the provider: agrees. Returns the query of the callback.
    pub(crate) fn authorize(&self, location: &Url) -> String {
        let asked: HashMap<String, String> = location.query_pairs().into_owned().collect();
        assert_eq!((&*asked["response_type"], &*asked["code_challenge_method"]), ("code", "S256"));
        assert_eq!(&*asked["client_id"], CLIENT_ID);
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        assert!(location.as_str().starts_with(&format!("{}/auth?", self.issuer)), "{location}");
        let authorized = Authorized {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
        };
        let mut script = self.script();
        script.issued += 1;
        let code = format!("code-{}", script.issued);
        script.codes.insert(code.clone(), authorized);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", &code).append_pair("state", &asked["state"]).append_pair("iss", &self.issuer);
        query.finish()
    }

    /// Seconds of the provider's clock.
    pub(crate) fn now(&self) -> u64 {
        self.clock.wall().as_secs()
    }

    /// A logout token as it must be, and the header that it is signed under.
    pub(crate) fn logout_token(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut script = self.script();
        script.issued += 1;
        let signer = Arc::clone(&script.signer);
        let mut header = signer.header();
        header["typ"] = "logout+jwt".into();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "iat": self.now(), "exp": self.now() + 120,
            "jti": format!("logout-{}", script.issued), "sid": "session-1", "sub": "alice-123",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        drop(script);
        change(&mut header, &mut claims);
        signer.sign(&header, &claims)
    }

    fn discovery(&self, script: &Script) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        let mut document = json!({
            "issuer": self.issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"),
            "jwks_uri": at("jwks"), "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": [script.proof],
            "authorization_response_iss_parameter_supported": true,
        });
        if !script.userinfo.is_null() {
            document["userinfo_endpoint"] = at("userinfo").into();
        }
        (script.change_discovery)(&mut document);
        document
    }

    fn tokens(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, (StatusCode, &'static str)> {
        let form: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let mut script = self.script();
        if !is_the_client(script.proof, headers, &form) {
            return Err((StatusCode::UNAUTHORIZED, "invalid_client"));
        }
        let bad = (StatusCode::BAD_REQUEST, "invalid_grant");
        let authorized = form.get("code").and_then(|code| script.codes.remove(code)).ok_or(bad)?;
        let challenge = encode(digest(&SHA256, form.get("code_verifier").ok_or(bad)?.as_bytes()));
        let fits = challenge == authorized.challenge && form.get("redirect_uri") == Some(&authorized.redirect_uri);
        if form["grant_type"] != "authorization_code" || !fits {
            return Err(bad);
        }
        if let Some(act) = script.before_signing.take() {
            act(&mut script);
        }
        let mut header = script.signer.header();
        let mut claims = json!({
            "iss": self.issuer, "sub": "alice-123", "aud": CLIENT_ID, "iat": self.now(), "exp": self.now() + 3600,
            "nonce": authorized.nonce, "sid": "session-1", "auth_time": self.now() - 5,
            "email": "alice@example.com", "email_verified": true, "name": "Alice",
        });
        (script.change_header)(&mut header);
        (script.change_claims)(&mut claims);
        let id_token = script.signer.sign(&header, &claims);
        let mut answer = json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": id_token });
        (script.change_tokens)(&mut answer);
        Ok(answer)
    }
}

fn is_the_client(proof: &str, headers: &HeaderMap, form: &HashMap<String, String>) -> bool {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(CLIENT_ID), encode(SECRET))));
    let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
    let id = form.get("client_id").map(String::as_str);
    let secret = form.get("client_secret").map(String::as_str);
    match proof {
        "client_secret_basic" => header == Some(&*basic) && secret.is_none(),
        "client_secret_post" => header.is_none() && id == Some(CLIENT_ID) && secret == Some(SECRET),
        _ => header.is_none() && id == Some(CLIENT_ID) && secret.is_none(),
    }
}

async fn handle(State(idp): State<Idp>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let endpoint = match uri.path() {
        "/.well-known/openid-configuration" => "discovery",
        "/jwks" => "jwks",
        "/token" => "token",
        "/userinfo" => "userinfo",
        _ => "elsewhere",
    };
    let answer = {
        let mut script = idp.script();
        *script.asked.entry(endpoint).or_default() += 1;
        script.answers.get(endpoint).cloned().unwrap_or(Answer::Right)
    };
    let json = |text: String| ([(CONTENT_TYPE, "application/json")], text).into_response();
    match answer {
        Answer::Right => right(&idp, endpoint, &headers, &body),
        Answer::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [(CONTENT_TYPE, "text/html")], "<script>alert(1)</script>").into_response()
        }
        Answer::Text(text) => json(text),
        Answer::Redirect(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
        Answer::Megabytes(count) => {
            let megabyte = Bytes::from(vec![b' '; 1 << 20]);
            let stream = (0..count).map(move |_| Ok::<_, std::convert::Infallible>(megabyte.clone()));
            ([(CONTENT_TYPE, "application/json")], endless(stream)).into_response()
        }
        Answer::Silence => std::future::pending().await,
        Answer::Html => ([(CONTENT_TYPE, "text/html")], "<p>hello</p>").into_response(),
    }
}

fn right(idp: &Idp, endpoint: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let json =
        |status, value: &Value| (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response();
    match endpoint {
        "discovery" => json(StatusCode::OK, &idp.discovery(&idp.script())),
        "jwks" => json(StatusCode::OK, &json!({ "keys": idp.script().published })),
        "token" => match idp.tokens(headers, body) {
            Ok(tokens) => json(StatusCode::OK, &tokens),
            Err((status, error)) => json(status, &json!({ "error": error, "error_description": "<b>no</b>" })),
        },
        "userinfo" if headers.get(AUTHORIZATION).is_some_and(|value| value == "Bearer opaque") => {
            json(StatusCode::OK, &idp.script().userinfo)
        }
        "userinfo" => json(StatusCode::UNAUTHORIZED, &Value::Null),
        _ => json(StatusCode::NOT_FOUND, &Value::Null),
    }
}

/// A body without a length.
fn endless(parts: impl Iterator<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static) -> Body {
    struct Parts<I>(I);
    impl<I: Iterator<Item = Result<Bytes, std::convert::Infallible>> + Unpin> http_body::Body for Parts<I> {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.0.next().map(|part| part.map(http_body::Frame::data)))
        }
    }
    Body::new(Parts(Box::new(parts)))
}

/// A request of no body, for the routes.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}
