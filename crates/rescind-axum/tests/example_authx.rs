//! The example `authx` as a client of AuthX meets it: the steps of its documents, its table of errors row by row, and the
//! faults of the old one that are not there any more (`docs/from-authx.md`).
#![cfg(test)]

mod example;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use example::{Example, Reply};
use jsonwebtoken::{EncodingKey, Header};
use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::{OpenSession, Rescind, Settings};
use rescind_stores::sqlite::SqliteStore;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The example's own.
const ISSUER: &str = "https://authx.example";

/// A session's two tokens.
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    fn of(reply: &Reply) -> Self {
        let (status, body) = reply.json();
        assert_eq!((status, body["token_type"].as_str()), (200, Some("bearer")), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
        assert_eq!(reply.headers["cache-control"], "no-store");
        Self { access: reply.text("access_token"), refresh: reply.text("refresh_token") }
    }
}

struct Service {
    example: Example,
    home: TempDir,
}

impl Service {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { example: Example::start("authx", home.path()).await, home }
    }

    /// Ends it as a power cut does, and starts it again on the same folder.
    async fn crash(self) -> Self {
        let Self { example, home } = self;
        example.kill().await;
        Self { example: Example::start("authx", home.path()).await, home }
    }

    async fn sign_in(&self, user: &str) -> Pair {
        let body = json!({ "username": user, "password": user });
        Pair::of(&self.example.send("POST", "/login", None, Some(body)).await)
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.example.send("GET", path, Some(token), None).await.json()
    }

    async fn post(&self, path: &str, token: &str) -> (u16, Value) {
        self.example.send("POST", path, Some(token), None).await.json()
    }

    async fn refreshed(&self, token: &str) -> Pair {
        Pair::of(&self.example.send("POST", "/refresh", Some(token), None).await)
    }

    /// The ids of the sessions that the token's user sees.
    async fn sessions(&self, token: &str) -> Vec<String> {
        let (status, body) = self.get("/sessions", token).await;
        assert_eq!(status, 200, "{body}");
        body["sessions"].as_array().unwrap().iter().map(|it| it["session_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Both tokens of a session are refused as AuthX refuses revoked ones.
    async fn refuses(&self, pair: &Pair) {
        assert_eq!(self.get("/protected", &pair.access).await, revoked());
        assert_eq!(self.post("/refresh", &pair.refresh).await, revoked());
    }
}

fn error(status: u16, error_type: &str, message: &str) -> (u16, Value) {
    (status, json!({ "message": message, "error_type": error_type }))
}

fn revoked() -> (u16, Value) {
    error(401, "RevokedTokenError", "Invalid token")
}

fn undecodable() -> (u16, Value) {
    error(422, "JWTDecodeError", "Invalid Token")
}

fn badly_signed() -> (u16, Value) {
    error(422, "TokenInvalidSignatureError", "Signature verification failed")
}

fn said(message: &str) -> (u16, Value) {
    (200, json!({ "message": message }))
}

#[tokio::test]
async fn the_document_s_steps_from_sign_in_to_logout() {
    let service = Service::start().await;
    let first = service.sign_in("test").await;
    assert_eq!(service.get("/protected", &first.access).await, said("Access granted"));
    let second = service.refreshed(&first.refresh).await;
    assert_eq!(service.get("/protected", &second.access).await, said("Access granted"));
    let other = service.sign_in("test").await;
    assert_eq!(service.post("/logout", &second.access).await, said("Logged out"));
    for pair in [&first, &second] {
        service.refuses(pair).await;
    }
    assert_eq!(service.post("/logout", &second.access).await, revoked());
    assert_eq!(service.get("/protected", &other.access).await, said("Access granted"), "another session lives");
    assert_eq!(service.post("/logout", &other.refresh).await, said("Logged out"), "by the refresh token as well");
    service.refuses(&other).await;
}

#[tokio::test]
async fn sign_in_takes_json_or_the_query_and_nothing_else() {
    let service = Service::start().await;
    let login = async |query: &str, body: Value| {
        service.example.send("POST", &format!("/login{query}"), None, Some(body)).await.json()
    };
    Pair::of(&service.example.send("POST", "/login?username=test&password=test", None, None).await);
    let invalid = (401, json!({ "detail": "Invalid credentials" }));
    for (user, password) in [("test", "wrong"), ("test", "admin"), ("nobody", "test"), ("", "")] {
        assert_eq!(login("", json!({ "username": user, "password": password })).await, invalid);
    }
    assert_eq!(login("?username=test&password=wrong", Value::Null).await, invalid);
    for body in [json!({ "username": "test" }), json!({ "username": 1, "password": "test" }), json!([]), Value::Null] {
        let (status, answer) = login("", body).await;
        assert_eq!((status, answer["detail"][0]["loc"][0].as_str()), (422, Some("body")), "{answer}");
    }
}

#[tokio::test]
async fn a_header_without_a_token_is_told_in_authx_s_words() {
    let service = Service::start().await;
    let with = async |method: &str, path: &str, value: Option<&str>| {
        let headers: Vec<_> = value.iter().map(|value| ("authorization", *value)).collect();
        service.example.ask(method, path, &headers, "").await
    };
    let missing = error(401, "MissingTokenError", "Token Error");
    for (method, path) in [("GET", "/protected"), ("POST", "/refresh"), ("POST", "/logout"), ("GET", "/sessions")] {
        assert_eq!(with(method, path, None).await.json(), missing, "{path}");
        for value in ["Basic YTpi", "Bearer", "Bearer a b", "Bearer garbage", "Bearer a.b.c"] {
            assert_eq!(with(method, path, Some(value)).await.json(), undecodable(), "{path} {value}");
        }
    }
    let Pair { access, refresh } = service.sign_in("test").await;
    let (access, refresh) = (format!("Bearer {access}"), format!("Bearer {refresh}"));
    for (method, path, value) in [
        ("POST", "/refresh", None),
        ("POST", "/refresh", Some(access.as_str())),
        ("GET", "/protected", Some(refresh.as_str())),
        ("POST", "/login?username=test&password=wrong", None),
    ] {
        let reply = with(method, path, value).await;
        let header = |name: &str| reply.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((reply.status, header("cache-control")), (401, Some("no-store")), "{path}");
        // RFC 6750 §3: "one or more auth-param values".
        assert_eq!(header("www-authenticate"), Some("Bearer realm=\"rescind\""), "{path}");
    }
}

#[tokio::test]
async fn each_token_opens_its_own_routes_only() {
    let service = Service::start().await;
    let pair = service.sign_in("test").await;
    let access_required = error(401, "AccessTokenRequiredError", "Access token required");
    for path in ["/protected", "/fresh-required", "/users", "/sessions"] {
        assert_eq!(service.get(path, &pair.refresh).await, access_required, "{path}");
    }
    let refresh_required = error(401, "RefreshTokenRequiredError", "Refresh token required");
    assert_eq!(service.post("/refresh", &pair.access).await, refresh_required);
    assert_eq!(service.post("/logout", &pair.access).await, said("Logged out"));
    assert_eq!(service.get("/protected", &pair.refresh).await, revoked(), "revoked comes before its kind");
    assert_eq!(service.post("/refresh", &pair.access).await, revoked());
}

#[tokio::test]
async fn altered_and_forged_tokens_are_refused_by_signature() {
    let service = Service::start().await;
    let Pair { access, refresh } = service.sign_in("test").await;
    let [header, payload, signature] = access.split('.').collect::<Vec<_>>().try_into().unwrap();
    let admin = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap().replace("\"test\"", "\"admin\"");
    let altered = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(&admin));
    let signed_elsewhere = format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
    let claims: Value = serde_json::from_str(&admin).unwrap();
    let secret = EncodingKey::from_secret(b"another secret that has 32 bytes");
    let other_secret = jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap();
    let unsigned = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
    for forged in [altered, signed_elsewhere, other_secret, unsigned] {
        assert_eq!(service.get("/protected", &forged).await, badly_signed(), "{forged}");
        assert_eq!(service.post("/refresh", &forged).await, badly_signed(), "{forged}");
        assert_eq!(service.post("/logout", &forged).await, badly_signed(), "{forged}");
    }
    let (kept, end) = refresh.split_at(refresh.len() - 4);
    let forged = format!("{kept}{}", if end == "AAAA" { "BBBB" } else { "AAAA" });
    assert_eq!(service.post("/refresh", &forged).await, badly_signed());
    assert_eq!(service.get("/protected", &forged).await, badly_signed());
    assert_eq!(service.get("/protected", &access).await.0, 200, "and none of it did the session harm");
}

/// What a service with other settings, or for another audience, has issued on the same store with the same keys.
async fn issued_elsewhere(home: &TempDir, issuer: &str, audience: &str) -> Pair {
    let second = Duration::from_secs(1);
    let store = SqliteStore::open(home.path().join("rescind.db")).await.unwrap();
    let rescind = Rescind::builder(issuer, audience)
        .store(store)
        .root_secret(RootSecret::load_or_create(home.path().join("root.key")).unwrap())
        .settings(Settings { access_lifetime: second, idle: second, ..Settings::default() })
        .build()
        .await
        .unwrap();
    let session = OpenSession::new(Subject::new("test").unwrap(), ClientId::new("web").unwrap());
    let pair = rescind.open_session(session).await.unwrap();
    rescind.shutdown().await;
    Pair { access: pair.access_token, refresh: pair.refresh_token }
}

#[tokio::test]
async fn an_expired_token_and_one_for_others_are_told_in_authx_s_words() {
    let home = tempfile::tempdir().unwrap();
    let expired = issued_elsewhere(&home, ISSUER, "https://authx.example/api").await;
    let others = issued_elsewhere(&home, ISSUER, "https://other.example/api").await;
    let foreign = issued_elsewhere(&home, "https://other.example", "https://authx.example/api").await;
    let service = Service { example: Example::start("authx", home.path()).await, home };
    let audience = error(422, "TokenInvalidAudienceError", "Invalid audience");
    assert_eq!(service.get("/protected", &others.access).await, audience);
    let issuer = error(422, "TokenInvalidIssuerError", "Invalid issuer");
    assert_eq!(service.get("/protected", &foreign.access).await, issuer);
    let has_expired = error(422, "TokenExpiredError", "Token has expired");
    // The refresh token lives a little longer, since a JWT counts in whole seconds; sent here, it is not spent.
    let access_required = error(401, "AccessTokenRequiredError", "Access token required");
    let both_expire = async {
        while service.get("/protected", &expired.access).await == said("Access granted") {}
        while service.get("/protected", &expired.refresh).await == access_required {}
    };
    tokio::time::timeout(Duration::from_secs(30), both_expire).await.unwrap();
    assert_eq!(service.get("/protected", &expired.access).await, has_expired);
    assert_eq!(service.post("/refresh", &expired.access).await, has_expired);
    assert_eq!(service.post("/refresh", &expired.refresh).await, has_expired);
    assert_eq!(service.get("/protected", &expired.refresh).await, has_expired);
    assert_eq!(
        service.post("/logout", &expired.access).await,
        said("Logged out"),
        "an expired token still ends its session"
    );
}

#[tokio::test]
async fn a_token_is_fresh_straight_from_sign_in_only() {
    let service = Service::start().await;
    let pair = service.sign_in("test").await;
    assert_eq!(service.get("/fresh-required", &pair.access).await, said("Access granted"));
    let later = service.refreshed(&pair.refresh).await;
    let stale = service.example.send("GET", "/fresh-required", Some(&later.access), None).await;
    assert_eq!(stale.json(), error(401, "FreshTokenRequiredError", "Fresh token required"));
    // RFC 9470 §3: another token does not help, another sign-in does.
    let challenge = stale.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert_eq!(service.get("/protected", &later.access).await, said("Access granted"));
}

#[tokio::test]
async fn a_scope_is_granted_by_its_own_name_or_by_a_wildcard() {
    let service = Service::start().await;
    let (test, admin) = (service.sign_in("test").await, service.sign_in("admin").await);
    let needed = "Missing required scopes: ['users:read']. Provided: ['posts:read']";
    assert_eq!(service.get("/users", &test.access).await, error(403, "InsufficientScopeError", needed));
    assert_eq!(service.get("/users", &admin.access).await, said("Access granted"));
}

#[tokio::test]
async fn sessions_are_listed_and_a_revoked_one_takes_its_tokens_along() {
    let service = Service::start().await;
    let agent = [("content-type", "application/json"), ("user-agent", "Firefox on a train")];
    let body = json!({ "username": "test", "password": "test" }).to_string();
    let phone = Pair::of(&service.example.ask("POST", "/login", &agent, &body).await);
    let (laptop, admin) = (service.sign_in("test").await, service.sign_in("admin").await);
    let (_, listed) = service.get("/sessions", &phone.access).await;
    let sessions = listed["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{listed}");
    let mut oldest = sessions[1].clone();
    let id = oldest["session_id"].as_str().unwrap().to_owned();
    for time in ["created_at", "last_active"] {
        let text = oldest[time].take();
        let shape: String =
            text.as_str().unwrap().chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000+00:00");
    }
    let expected = json!({
        "session_id": id, "uid": "test", "created_at": null, "last_active": null, "ip_address": "127.0.0.1",
        "user_agent": "Firefox on a train", "device_info": null, "is_active": true,
    });
    assert_eq!(oldest, expected);
    let unknown = (404, json!({ "detail": "Session not found" }));
    let path = format!("/sessions/{id}/revoke");
    assert_eq!(service.post(&path, &admin.access).await, unknown, "somebody else's");
    assert_eq!(service.post("/sessions/nonsense/revoke", &laptop.access).await, unknown);
    assert_eq!(service.get("/protected", &phone.access).await.0, 200);
    assert_eq!(service.post(&path, &laptop.access).await, said("Session revoked"));
    service.refuses(&phone).await;
    assert_eq!(service.sessions(&laptop.access).await.len(), 1);
    assert_eq!(service.post(&path, &laptop.access).await, said("Session revoked"), "twice is as good as once");
    assert_eq!(service.post("/sessions/revoke-all", &laptop.access).await, said("All sessions revoked"));
    service.refuses(&laptop).await;
    assert_eq!(service.get("/protected", &admin.access).await.0, 200);
    let again = service.sign_in("test").await;
    assert_eq!(service.sessions(&again.access).await.len(), 1, "and a sign-in right after it lives");
}

#[tokio::test]
async fn the_callback_refuses_whom_the_application_refuses_and_its_fault_lets_nobody_in() {
    let service = Service::start().await;
    let (test, admin) = (service.sign_in("test").await, service.sign_in("admin").await);
    let suspended = service.home.path().join("suspended.txt");
    std::fs::write(&suspended, "test\n").unwrap();
    service.refuses(&test).await;
    let login = json!({ "username": "test", "password": "test" });
    let (status, answer) = service.example.send("POST", "/login", None, Some(login)).await.json();
    assert_eq!((status, answer), (401, json!({ "detail": "Invalid credentials" })));
    assert_eq!(service.get("/protected", &admin.access).await.0, 200);
    std::fs::remove_file(&suspended).unwrap();
    std::fs::create_dir(&suspended).unwrap();
    let reply = service.example.send("GET", "/protected", Some(&admin.access), None).await;
    assert_eq!((reply.status, reply.text("error_type").as_str()), (503, "ServiceUnavailable"));
    assert!(reply.headers.contains_key("retry-after") && !reply.headers.contains_key("www-authenticate"));
    assert_eq!(service.post("/refresh", &admin.refresh).await.0, 503, "and the token is not spent");
    std::fs::remove_dir(&suspended).unwrap();
    service.refreshed(&admin.refresh).await;
    assert_eq!(
        service.get("/protected", &test.access).await.0,
        200,
        "what only the application refused, it takes back"
    );
}

#[tokio::test]
async fn what_was_revoked_stays_revoked_over_a_kill_and_the_rest_lives_on() {
    let service = Service::start().await;
    let (dead, kept, everywhere) =
        (service.sign_in("test").await, service.sign_in("test").await, service.sign_in("admin").await);
    assert_eq!(service.post("/logout", &dead.access).await, said("Logged out"));
    assert_eq!(service.post("/sessions/revoke-all", &everywhere.access).await, said("All sessions revoked"));
    let service = service.crash().await.crash().await;
    service.refuses(&dead).await;
    service.refuses(&everywhere).await;
    assert_eq!(service.get("/protected", &kept.access).await, said("Access granted"));
    assert_eq!(service.sessions(&kept.access).await.len(), 1);
    service.refreshed(&kept.refresh).await;
}

#[tokio::test]
async fn a_revoked_token_is_refused_in_every_spelling() {
    let service = Service::start().await;
    let pair = service.sign_in("test").await;
    assert_eq!(service.post("/logout", &pair.access).await, said("Logged out"));
    for spelling in [format!("{}=", pair.access), format!("{}==", pair.access), pair.access.replace('.', "=.")] {
        assert_eq!(service.get("/protected", &spelling).await, undecodable(), "{spelling}");
    }
    assert_eq!(service.get("/sessions", &pair.access).await, revoked(), "on every route");
}

#[tokio::test]
async fn a_spent_refresh_token_ends_the_session_of_thief_and_owner() {
    let service = Service::start().await;
    let stolen = service.sign_in("test").await;
    let second = service.refreshed(&stolen.refresh).await;
    let retried = service.refreshed(&stolen.refresh).await;
    assert_eq!(retried.refresh, second.refresh, "a lost reply is repeated");
    let third = service.refreshed(&second.refresh).await;
    assert_eq!(service.post("/refresh", &stolen.refresh).await, revoked(), "two behind: somebody copied it");
    service.refuses(&third).await;
}

#[tokio::test]
async fn the_store_is_one_argument() {
    let home = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", home.path().join("elsewhere.db").display());
    for store in ["memory:", &file] {
        let example = Example::start_with("authx", home.path(), &["--store", store], &[]).await;
        let service = Service { example, home: tempfile::tempdir().unwrap() };
        let pair = service.sign_in("test").await;
        assert_eq!(service.post("/logout", &pair.access).await, said("Logged out"));
        service.refuses(&pair).await;
        service.example.kill().await;
    }
    assert!(home.path().join("elsewhere.db").exists() && !home.path().join("rescind.db").exists());
}
