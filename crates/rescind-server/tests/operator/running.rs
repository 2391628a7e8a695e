//! A server under test, as an operator meets it: the admin API and the command line. Owns nothing of the server's life:
//! that is the harness's.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

pub(crate) use crate::support::Pair;
use crate::support::{self, Reply, Server, exchange};

/// A running server with a data directory of its own.
pub(crate) struct Running {
    pub(crate) server: Server,
    /// The admin token.
    pub(crate) token: String,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output of a command that did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.err, "", "{}", self.out);
        self.out
    }

    /// Standard output's lines as JSON, of a command that did what it was asked.
    #[track_caller]
    pub(crate) fn json(self) -> Vec<Value> {
        self.ok().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Standard error of a command that failed.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_ne!(self.err, "", "{}", self.out);
        self.err
    }
}

/// The binary, with nothing of this machine's environment.
pub(crate) fn rescind(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end; `input` is its standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Running {
    /// A server in `--dev`: the user demo with password demo is there.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with more flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let server = Server::dev(flags);
        let token = server.admin_token();
        Self { server, token }
    }

    pub(crate) fn admin_url(&self) -> String {
        format!("http://{}", self.server.admin)
    }

    /// Runs a command that finds the server by its data directory.
    pub(crate) fn rescind(&self, arguments: &[&str]) -> Ran {
        self.rescind_with(arguments, "")
    }

    /// The same with this standard input.
    pub(crate) fn rescind_with(&self, arguments: &[&str], input: &str) -> Ran {
        run(rescind(arguments).env("RESCIND_DATA", self.server.data()), input)
    }

    /// Writes a file beside the data directory and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.server.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Sends any request to the admin listener.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        exchange(self.server.admin, method, path, headers, body.as_bytes())
    }

    /// Asks the admin API, and gives status and JSON; null where the body is none.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let bearer = format!("Bearer {}", self.token);
        let reply = self.send(method, path, &[("authorization", &bearer), ("content-type", support::JSON)], &body);
        (reply.status, serde_json::from_str(&reply.text()).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask("POST", path, Some(body))
    }

    /// Signs in at the login page's route.
    pub(crate) fn sign_in(&self, name: &str, password: &str) -> Result<Pair, u16> {
        success(&self.server.json("/login", &json!({"username": name, "password": password})))
    }

    /// Opens a session as a trusted backend does.
    pub(crate) fn open(&self, subject: &str) -> Pair {
        let (status, body) = self.post("/admin/v1/sessions", json!({"subject": subject}));
        assert_eq!(status, 200, "{body}");
        let member = |name: &str| body[name].as_str().unwrap().to_owned();
        Pair { access: member("access_token"), refresh: member("refresh_token"), session: member("session_id") }
    }

    /// What the protected route says to an access token.
    pub(crate) fn me(&self, access: &str) -> u16 {
        self.server.get("/me", Some(access)).status
    }

    /// Refreshes.
    pub(crate) fn refresh(&self, refresh: &str) -> Result<Pair, u16> {
        success(&self.server.refresh(refresh))
    }

    /// Whether both of a pair's tokens are refused as bad. Spends the refresh token where it is good.
    pub(crate) fn is_dead(&self, pair: &Pair) -> bool {
        self.me(&pair.access) == 401 && matches!(self.refresh(&pair.refresh), Err(400))
    }

    /// The `kid`s of the JWKS.
    pub(crate) fn published_keys(&self) -> Vec<String> {
        let jwks = self.server.get("/.well-known/jwks.json", None).json();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

fn success(reply: &Reply) -> Result<Pair, u16> {
    if reply.status == 200 { Ok(reply.pair()) } else { Err(reply.status) }
}

/// Sets a file's mode.
pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
