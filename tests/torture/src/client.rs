//! The requests that a load is made of, and what their answers mean. Notes each in the history. Nothing is tried twice.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rescind_test_kit::http::{Connection, Reply, request};
use rescind_test_kit::{Error, Node, Result};
use serde_json::{Value, json};

use crate::asked::{Answer, Asked, At, Scope, What};
use crate::history::History;

/// What a node is given for each part of an answer: more than it may ever take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A node closes a connection on which nothing comes for longer than this.
const IDLE: At = At::from_secs(5);
const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A way to all nodes. They may be down.
#[derive(Debug, Clone)]
pub struct Client {
    targets: Arc<[Target]>,
    /// What it notes in.
    pub history: Arc<History>,
    connections: Connections,
}

#[derive(Debug)]
struct Target {
    public: SocketAddr,
    admin: SocketAddr,
    token: String,
}

/// A connection for each request, or one that is kept for each listener.
#[derive(Debug, Default)]
enum Connections {
    #[default]
    Anew,
    Kept(Vec<Mutex<Option<Kept>>>),
}

/// A connection is never shared.
impl Clone for Connections {
    fn clone(&self) -> Self {
        match self {
            Self::Anew => Self::Anew,
            Self::Kept(all) => Self::Kept(all.iter().map(|_| Mutex::default()).collect()),
        }
    }
}

#[derive(Debug)]
struct Kept {
    connection: Connection,
    turn: usize,
    used: At,
}

/// Tokens as a node gave them.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The session's id.
    pub session: String,
}

/// What a request is noted with beside its times and its answer.
struct Noted {
    what: What,
    about: Option<usize>,
    scope: Option<Scope>,
}

/// Which listener, as a remainder of two.
#[derive(Debug, Clone, Copy)]
enum Listener {
    Public,
    Admin,
}

impl Client {
    /// A way to these nodes.
    ///
    /// # Errors
    /// Where a node has no admin token yet.
    pub fn of(nodes: &[Node], history: &Arc<History>) -> Result<Self> {
        let target = |node: &Node| {
            let path = node.data_dir().join("admin-token");
            let token = std::fs::read_to_string(&path);
            let token = token.map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
            Ok(Target { public: node.public(), admin: node.admin(), token: format!("Bearer {}", token.trim()) })
        };
        let targets = nodes.iter().map(target).collect::<Result<_>>()?;
        Ok(Self { targets, history: Arc::clone(history), connections: Connections::Anew })
    }

    /// The same with connections that are kept, for one worker.
    #[must_use]
    pub fn keeping(&self) -> Self {
        let kept = (0..self.targets.len() * 2).map(|_| Mutex::default()).collect();
        Self { connections: Connections::Kept(kept), ..self.clone() }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.targets.len()
    }

    /// Whether an access token is good.
    pub fn check(&self, node: usize, token: &str, credential: usize) -> Answer {
        let noted = Noted { what: What::Check, about: Some(credential), scope: None };
        let bearer = format!("Bearer {token}");
        let request = request("GET", "/me", &[("authorization", &bearer)], b"");
        self.ask(noted, node, Listener::Public, &request).0
    }

    /// Rotates a refresh token.
    pub fn refresh(&self, node: usize, token: &str, credential: usize) -> (Answer, Option<Pair>) {
        let noted = Noted { what: What::Refresh, about: Some(credential), scope: None };
        let (answer, reply) = self.ask(noted, node, Listener::Public, &refreshing(token));
        (answer, reply.as_ref().and_then(pair))
    }

    /// Presents a refresh token that was spent two rotations ago: that ends its session.
    pub fn use_again(&self, node: usize, token: &str, session: &Scope) -> Answer {
        let noted = Noted { what: What::Revoke, about: None, scope: Some(session.clone()) };
        let spent = |reply: &Reply| match reply.status {
            400 if error(reply) == "invalid_grant" => Answer::Yes,
            200 => Answer::Wrong("a spent refresh token was rotated again".to_owned()),
            _ => meaning(What::Revoke, reply),
        };
        self.ask_meaning(noted, node, Listener::Public, &refreshing(token), spent).0
    }

    /// Logs out by an access token: the session, or with `all` every session of the subject. Where that token is refused,
    /// that is noted as what was said about it; and so is a logout that names no position: it has done nothing, because
    /// what it is about was dead, and that needs a cause as every refusal does.
    pub fn log_out(&self, node: usize, token: &str, credential: usize, scope: &Scope) -> Answer {
        let word = if scope.kind == "subject" { "all" } else { "session" };
        let (bearer, body) = (format!("Bearer {token}"), format!("{{\"scope\":\"{word}\"}}"));
        let request = request("POST", "/logout", &[("authorization", &bearer), JSON], body.as_bytes());
        let (sent, reply, fault) = self.send(node, Listener::Public, &request);
        let answer = reply.as_ref().map_or(Answer::Silent, logged_out);
        let noted = if answer == Answer::Refused {
            Noted { what: What::Check, about: Some(credential), scope: None }
        } else {
            Noted { what: What::Revoke, about: None, scope: Some(scope.clone()) }
        };
        self.note(noted, node, sent, answer.clone(), fault);
        answer
    }

    /// RFC 7009, by a refresh token: its session ends.
    pub fn end(&self, node: usize, token: &str, session: &Scope) -> Answer {
        let noted = Noted { what: What::Revoke, about: None, scope: Some(session.clone()) };
        let request = request("POST", "/oauth/revoke", &[FORM], format!("token={token}").as_bytes());
        self.ask(noted, node, Listener::Public, &request).0
    }

    /// Opens a session as a backend does.
    pub fn open(&self, node: usize, subject: &str) -> (Answer, Option<Pair>) {
        self.open_with(node, &json!({ "subject": subject }))
    }

    /// The same for a client.
    pub fn open_for(&self, node: usize, subject: &str, client: &str) -> (Answer, Option<Pair>) {
        self.open_with(node, &json!({ "subject": subject, "client_id": client }))
    }

    fn open_with(&self, node: usize, body: &Value) -> (Answer, Option<Pair>) {
        let noted = Noted { what: What::Open, about: None, scope: None };
        let (answer, reply) = self.admin(noted, node, "POST", "/admin/v1/sessions", body);
        (answer, reply.as_ref().and_then(pair))
    }

    /// Revokes; gives the position where it was acknowledged.
    pub fn revoke(&self, node: usize, scope: &Scope) -> (Answer, Option<u64>) {
        self.revoke_by(node, What::Revoke, "/admin/v1/revocations", scope)
    }

    /// The same, answered once every node knows of it, or refuses by itself.
    pub fn revoke_everywhere(&self, node: usize, scope: &Scope) -> (Answer, Option<u64>) {
        self.revoke_by(node, What::RevokeEverywhere, "/admin/v1/revocations?wait=everywhere", scope)
    }

    fn revoke_by(&self, node: usize, what: What, path: &str, scope: &Scope) -> (Answer, Option<u64>) {
        let noted = Noted { what, about: None, scope: Some(scope.clone()) };
        let named = if scope.id.is_empty() {
            json!({ "kind": scope.kind })
        } else {
            json!({ "kind": scope.kind, "id": scope.id })
        };
        let body = json!({ "scope": named, "reason": "test" });
        let (answer, reply) = self.admin(noted, node, "POST", path, &body);
        (answer, reply.and_then(|reply| json(&reply).get("seq").and_then(Value::as_u64)))
    }

    /// Lifts the cut-off at a position. Nobody else does anything to its scope meanwhile.
    pub fn lift(&self, node: usize, scope: &Scope, seq: u64) -> Answer {
        self.history.begins_to_lift(scope);
        let noted = Noted { what: What::Lift, about: None, scope: Some(scope.clone()) };
        self.admin(noted, node, "DELETE", &format!("/admin/v1/revocations/{seq}"), &Value::Null).0
    }

    fn admin(&self, noted: Noted, node: usize, method: &str, path: &str, body: &Value) -> (Answer, Option<Reply>) {
        let token = self.targets.get(node).map_or("", |target| &target.token);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request(method, path, &[("authorization", token), JSON], body.as_bytes());
        self.ask(noted, node, Listener::Admin, &request)
    }

    fn ask(&self, noted: Noted, node: usize, listener: Listener, request: &[u8]) -> (Answer, Option<Reply>) {
        let what = noted.what;
        self.ask_meaning(noted, node, listener, request, |reply| meaning(what, reply))
    }

    fn ask_meaning(
        &self,
        noted: Noted,
        node: usize,
        listener: Listener,
        request: &[u8],
        meaning: impl Fn(&Reply) -> Answer,
    ) -> (Answer, Option<Reply>) {
        let (sent, reply, fault) = self.send(node, listener, request);
        let answer = reply.as_ref().map_or(Answer::Silent, meaning);
        self.note(noted, node, sent, answer.clone(), fault);
        let reply = reply.filter(|_| answer == Answer::Yes);
        (answer, reply)
    }

    /// When it was sent, and the answer or why there is none.
    fn send(&self, node: usize, listener: Listener, request: &[u8]) -> (At, Option<Reply>, Option<String>) {
        let sent = self.history.now();
        match self.exchange(node, listener, request) {
            Ok(reply) => (sent, Some(reply), None),
            Err(error) => (sent, None, Some(error.to_string())),
        }
    }

    fn note(&self, noted: Noted, node: usize, sent: At, answer: Answer, fault: Option<String>) {
        let Noted { what, about, scope } = noted;
        let done = self.history.now();
        self.history.note(Asked { what, node, sent, done, answer, fault, about, scope });
    }

    fn exchange(&self, node: usize, listener: Listener, request: &[u8]) -> std::io::Result<Reply> {
        let target = self.targets.get(node).ok_or_else(|| std::io::Error::other("there is no such node"))?;
        let to = match listener {
            Listener::Public => target.public,
            Listener::Admin => target.admin,
        };
        let place = match &self.connections {
            Connections::Anew => None,
            Connections::Kept(kept) => kept.get(node * 2 + usize::from(matches!(listener, Listener::Admin))),
        };
        let Some(place) = place else { return once(to, request) };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let (turn, now) = (self.history.turn(), self.history.now());
        // Taken out: it is put back after a whole answer only.
        let kept = place.take().filter(|kept| kept.turn == turn && now.saturating_sub(kept.used) < IDLE);
        let mut connection = match kept {
            Some(kept) => kept.connection,
            None => Connection::within(to, PATIENCE)?,
        };
        connection.write(request)?;
        let reply = connection.read()?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        if reply.header("connection") != "close" {
            *place = Some(Kept { connection, turn, used: self.history.now() });
        }
        Ok(reply)
    }
}

/// On a connection of its own.
fn once(to: SocketAddr, request: &[u8]) -> std::io::Result<Reply> {
    let mut connection = Connection::within(to, PATIENCE)?;
    // A refusal may come before the body is sent whole; it is the answer all the same.
    let _ = connection.write(request);
    connection.read()?.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

fn refreshing(token: &str) -> Vec<u8> {
    let body = format!("grant_type=refresh_token&refresh_token={token}");
    request("POST", "/oauth/token", &[FORM], body.as_bytes())
}

/// What the contract lets a node say, and nothing else.
fn meaning(what: What, reply: &Reply) -> Answer {
    match (what, reply.status) {
        (What::Check | What::Refresh | What::Open | What::Lift | What::Revoke, 200)
        | (What::Revoke | What::RevokeEverywhere, 201) => Answer::Yes,
        (What::Check, 401) if error(reply) == "invalid_token" => Answer::Refused,
        (What::Refresh, 400) if error(reply) == "invalid_grant" => Answer::Refused,
        // It was done though the answer to the first try was lost, or the cut-off has another position since it was healed.
        (What::Lift, 409 | 404) => Answer::Refused,
        (_, 503) if !reply.header("retry-after").is_empty() => Answer::Unavailable,
        (_, status) => Answer::Wrong(format!("{status} {}", reply.text())),
    }
}

/// Whether a session was ended, or was over.
fn logged_out(reply: &Reply) -> Answer {
    let done = json(reply).get("seq").is_some_and(Value::is_u64);
    match meaning(What::Check, reply) {
        Answer::Yes if !done => Answer::Refused,
        Answer::Refused => Answer::Refused,
        _ => meaning(What::Revoke, reply),
    }
}

/// Nothing where it is no JSON, which then is none of the answers that the contract knows.
fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

fn error(reply: &Reply) -> String {
    json(reply).get("error").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn pair(reply: &Reply) -> Option<Pair> {
    let json = json(reply);
    let member = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    Some(Pair { access: member("access_token")?, refresh: member("refresh_token")?, session: member("session_id")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_that_did_nothing_says_that_what_it_is_about_is_dead() {
        let reply = |status, body: &str| Reply { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        assert_eq!(logged_out(&reply(200, "{\"ended\":1,\"seq\":7}")), Answer::Yes);
        assert_eq!(logged_out(&reply(200, "{\"ended\":0,\"seq\":null}")), Answer::Refused);
        assert_eq!(logged_out(&reply(401, "{\"error\":\"invalid_token\"}")), Answer::Refused);
        assert!(matches!(logged_out(&reply(500, "")), Answer::Wrong(_)));
        assert!(matches!(logged_out(&reply(401, "no JSON")), Answer::Wrong(_)));
    }
}
