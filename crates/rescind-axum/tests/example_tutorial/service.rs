//! The running example with its provider, and a browser's way through both.
#![cfg(test)]

use std::sync::Arc;

use rescind::testing::ManualClock;
use rescind::time::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::example::workshop::now;
use crate::example::{Example, Reply};
use crate::provider::{CLIENT_ID, Idp, SECRET};

/// What every refused request is answered.
pub(crate) const INVALID: &str = "Could not validate credentials";
/// What a request without a token is answered.
pub(crate) const MISSING: &str = "Not authenticated";

/// What the page keeps in its localStorage.
pub(crate) struct Pair {
    pub(crate) jwt: String,
    pub(crate) refresh: String,
}

pub(crate) struct Service {
    pub(crate) example: Example,
    pub(crate) home: TempDir,
    pub(crate) idp: Idp,
}

/// A sign-in between the provider and us: what the browser has.
pub(crate) struct Returning {
    /// The path with the provider's query that the page asks for.
    pub(crate) path: String,
    pub(crate) cookie: String,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_for("").await
    }

    /// Starts it for these users only.
    pub(crate) async fn start_for(users: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), provider().await, users).await
    }

    /// Starts it in a folder that has a past.
    pub(crate) async fn start_in(home: TempDir, idp: Idp, users: &str) -> Self {
        let example = started(&home, &idp, users).await;
        Self { example, home, idp }
    }

    /// Ends it as a power cut does, and starts it again on the same folder, at another port.
    pub(crate) async fn crash(self, users: &str) -> Self {
        let Self { example, home, idp } = self;
        example.kill().await;
        Self::start_in(home, idp, users).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.example.ask("GET", path, &[], "").await
    }

    /// The browser goes to the provider, and the user agrees.
    pub(crate) async fn go_and_agree(&self) -> Returning {
        let reply = self.get("/auth/login").await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let query = self.idp.authorize(&Url::parse(reply.headers["location"].to_str().unwrap()).unwrap());
        let cookie = reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        Returning { path: format!("/auth/token?{query}"), cookie }
    }

    /// What the page at `/token` does first.
    pub(crate) async fn fetch_tokens(&self, returning: &Returning) -> Reply {
        self.example.ask("GET", &returning.path, &[("cookie", &returning.cookie)], "").await
    }

    pub(crate) async fn sign_in(&self) -> Pair {
        let reply = self.fetch_tokens(&self.go_and_agree().await).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        Pair { jwt: reply.text("access_token"), refresh: reply.text("refresh_token") }
    }

    /// Calls a route with a token in `Authorization: Bearer`.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str) -> Reply {
        self.example.send(method, path, Some(token), None).await
    }

    pub(crate) async fn protected(&self, token: &str) -> u16 {
        self.call("GET", "/api/protected", token).await.status
    }

    /// Refreshes as the page does: JSON that says it is plain text.
    pub(crate) async fn refresh(&self, refresh: &str) -> Reply {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": refresh }).to_string();
        self.example.ask("POST", "/auth/refresh", &[("content-type", "text/plain;charset=UTF-8")], &body).await
    }

    /// Both tokens pass.
    pub(crate) async fn assert_live(&self, pair: &Pair) {
        assert_eq!((self.protected(&pair.jwt).await, self.refresh(&pair.refresh).await.status), (200, 200));
    }

    /// Both tokens are refused.
    pub(crate) async fn assert_dead(&self, pair: &Pair) {
        assert_refused(&self.call("GET", "/api/protected", &pair.jwt).await, INVALID);
        assert_refused(&self.refresh(&pair.refresh).await, INVALID);
    }
}

/// A provider that does nothing wrong before it is told to.
pub(crate) async fn provider() -> Idp {
    Idp::start(&Arc::new(ManualClock::new(Timestamp::from_secs(now())))).await
}

async fn started(home: &TempDir, idp: &Idp, users: &str) -> Example {
    let environment = [
        ("GOOGLE_CLIENT_ID", CLIENT_ID),
        ("GOOGLE_CLIENT_SECRET", SECRET),
        ("OIDC_ISSUER", &idp.issuer),
        ("TUTORIAL_USERS", users),
        ("FRONTEND_URL", ""),
    ];
    Example::start_with("tutorial", home.path(), &[], &environment).await
}

/// 401 as FastAPI writes it.
pub(crate) fn assert_refused(reply: &Reply, detail: &str) {
    assert_eq!(reply.json(), (401, json!({ "detail": detail })));
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
}

/// A fault that is not the caller's: 503, when to come again, and nothing said about a token.
pub(crate) fn assert_unavailable(reply: &Reply) {
    assert_eq!(reply.json(), (503, json!({ "detail": "Temporarily unavailable, try again" })));
    assert!(reply.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert!(!reply.headers.contains_key("www-authenticate"));
}

/// The claims of an access token, unchecked.
pub(crate) fn claims(jwt: &str) -> Value {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap());
    serde_json::from_slice(&payload.unwrap()).unwrap()
}
