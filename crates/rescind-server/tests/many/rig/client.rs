//! The requests that a load is made of, and what their answers mean. Notes each in the history. Nothing is tried twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rescind_test_kit::Node;
use rescind_test_kit::http::{Reply, exchange_within};
use serde_json::{Value, json};

use super::history::{Answer, Asked, History, Scope, What};

/// What a node is given for each part of an answer: more than it may ever take.
const PATIENCE: Duration = Duration::from_secs(10);
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A way to all nodes. They may be down.
#[derive(Debug, Clone)]
pub(super) struct Client {
    targets: Arc<[Target]>,
    pub(super) history: Arc<History>,
}

#[derive(Debug)]
struct Target {
    public: SocketAddr,
    admin: SocketAddr,
    token: String,
}

/// Tokens as a node gave them.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) session: String,
}

/// What a request is noted with beside its times and its answer.
struct Noted {
    what: What,
    about: Option<usize>,
    scope: Option<Scope>,
}

impl Client {
    pub(super) fn of(nodes: &[Node], history: &Arc<History>) -> Self {
        let target = |node: &Node| {
            let token = std::fs::read_to_string(node.data_dir().join("admin-token")).unwrap();
            Target { public: node.public(), admin: node.admin(), token: format!("Bearer {}", token.trim()) }
        };
        Self { targets: nodes.iter().map(target).collect(), history: Arc::clone(history) }
    }

    pub(super) fn nodes(&self) -> usize {
        self.targets.len()
    }

    /// Whether an access token is good.
    pub(super) fn check(&self, node: usize, token: &str, credential: usize) -> Answer {
        let noted = Noted { what: What::Check, about: Some(credential), scope: None };
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        self.ask(noted, node, || exchange_within(PATIENCE, self.targets[node].public, "GET", "/me", &headers, b"")).0
    }

    /// Rotates a refresh token.
    pub(super) fn refresh(&self, node: usize, token: &str, credential: usize) -> (Answer, Option<Pair>) {
        let noted = Noted { what: What::Refresh, about: Some(credential), scope: None };
        let body = format!("grant_type=refresh_token&refresh_token={token}");
        let to = self.targets[node].public;
        let (answer, reply) =
            self.ask(noted, node, || exchange_within(PATIENCE, to, "POST", "/oauth/token", &[FORM], body.as_bytes()));
        (answer, reply.as_ref().and_then(pair))
    }

    /// Opens a session as a backend does.
    pub(super) fn open(&self, node: usize, subject: &str) -> (Answer, Option<Pair>) {
        let noted = Noted { what: What::Open, about: None, scope: None };
        let (answer, reply) = self.admin(noted, node, "POST", "/admin/v1/sessions", &json!({ "subject": subject }));
        (answer, reply.as_ref().and_then(pair))
    }

    /// Revokes; gives the position where it was acknowledged.
    pub(super) fn revoke(&self, node: usize, scope: &Scope) -> (Answer, Option<u64>) {
        let noted = Noted { what: What::Revoke, about: None, scope: Some(scope.clone()) };
        let body = json!({ "scope": { "kind": scope.kind, "id": scope.id }, "reason": "test" });
        let (answer, reply) = self.admin(noted, node, "POST", "/admin/v1/revocations", &body);
        (answer, reply.and_then(|reply| reply.json()["seq"].as_u64()))
    }

    /// Lifts the cut-off at a position. Nobody else does anything to its scope meanwhile.
    pub(super) fn lift(&self, node: usize, scope: &Scope, seq: u64) -> Answer {
        self.history.begins_to_lift(scope);
        let noted = Noted { what: What::Lift, about: None, scope: Some(scope.clone()) };
        self.admin(noted, node, "DELETE", &format!("/admin/v1/revocations/{seq}"), &Value::Null).0
    }

    fn admin(&self, noted: Noted, node: usize, method: &str, path: &str, body: &Value) -> (Answer, Option<Reply>) {
        let Target { admin, token, .. } = &self.targets[node];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("authorization", token.as_str()), JSON];
        self.ask(noted, node, || exchange_within(PATIENCE, *admin, method, path, &headers, body.as_bytes()))
    }

    fn ask(&self, noted: Noted, node: usize, send: impl FnOnce() -> std::io::Result<Reply>) -> (Answer, Option<Reply>) {
        let Noted { what, about, scope } = noted;
        let began = self.history.now();
        let (reply, fault) = match send() {
            Ok(reply) => (Some(reply), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let done = self.history.now();
        let answer = reply.as_ref().map_or(Answer::Silent, |reply| meaning(what, reply));
        self.history.note(Asked { what, node, sent: began, done, answer: answer.clone(), fault, about, scope });
        let reply = reply.filter(|_| answer == Answer::Yes);
        (answer, reply)
    }
}

/// What the contract lets a node say, and nothing else.
fn meaning(what: What, reply: &Reply) -> Answer {
    match (what, reply.status) {
        (What::Check | What::Refresh | What::Open | What::Lift, 200) | (What::Revoke, 201) => Answer::Yes,
        (What::Check, 401) if reply.error() == "invalid_token" => Answer::Refused,
        (What::Refresh, 400) if reply.error() == "invalid_grant" => Answer::Refused,
        // It was done though the answer to the first try was lost, or the cut-off has another position since it was healed.
        (What::Lift, 409 | 404) => Answer::Refused,
        (_, 503) if !reply.header("retry-after").is_empty() => Answer::Unavailable,
        (_, status) => Answer::Wrong(format!("{status} {}", reply.text())),
    }
}

fn pair(reply: &Reply) -> Option<Pair> {
    let json = reply.json();
    let member = |name: &str| json[name].as_str().map(str::to_owned);
    Some(Pair { access: member("access_token")?, refresh: member("refresh_token")?, session: member("session_id")? })
}
