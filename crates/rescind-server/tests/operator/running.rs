//! A server under test: started on free ports over a scratch directory, killed when dropped. Owns how tests talk to it,
//! by HTTP and by the command line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running server.
pub struct Running {
    child: Child,
    pub public: String,
    pub admin: String,
    pub token: String,
    pub scratch: TempDir,
    http: reqwest::Client,
}

/// What a sign-in gives.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
    pub sid: String,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output of a command that did what it was asked.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.err, "", "{}", self.out);
        self.out
    }

    /// Standard output's lines as JSON, of a command that did what it was asked.
    #[track_caller]
    pub fn json(self) -> Vec<Value> {
        self.ok().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Standard error of a command that failed.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        assert_ne!(self.err, "", "{}", self.out);
        self.err
    }
}

/// The binary, with nothing of this machine's environment.
pub fn rescind(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end; `input` is its standard input.
pub fn run(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Running {
    /// A server in `--dev`: the user demo with password demo is there.
    pub fn start() -> Self {
        Self::with(&["--dev"])
    }

    /// A server with these flags beside its data directory and its free ports.
    pub fn with(flags: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = rescind(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(flags).arg("--data").arg(scratch.path().join("data"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let public = lines.next().expect("the server says where it listens").unwrap();
        let admin = lines.next().unwrap().unwrap().trim_start_matches("admin ").to_owned();
        let token = std::fs::read_to_string(scratch.path().join("data/admin-token")).unwrap().trim().to_owned();
        // A full pipe would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, public, admin, token, scratch, http: reqwest::Client::new() }
    }

    /// The data directory.
    pub fn data(&self) -> std::path::PathBuf {
        self.scratch.path().join("data")
    }

    /// Runs a command that finds the server by its data directory.
    pub fn rescind(&self, arguments: &[&str]) -> Ran {
        self.rescind_with(arguments, "")
    }

    /// The same with this standard input.
    pub fn rescind_with(&self, arguments: &[&str], input: &str) -> Ran {
        run(rescind(arguments).env("RESCIND_DATA", self.data()), input)
    }

    /// Writes a file beside the data directory and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Asks the admin API.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.admin)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Asks the admin API with a body of any text.
    pub async fn post_text(&self, path: &str, body: &str) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.admin)).bearer_auth(&self.token);
        answer(request.header("content-type", "application/json").body(body.to_owned())).await
    }

    /// Asks the public listener.
    pub async fn public_post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.http.post(format!("{}{path}", self.public)).json(&body)).await
    }

    /// The client, for what the rest does not cover.
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Signs in at the login page's route.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Pair, StatusCode> {
        let (status, body) = self.public_post("/login", json!({"username": name, "password": password})).await;
        if status.is_success() { Ok(pair(&body)) } else { Err(status) }
    }

    /// Opens a session as a trusted backend does.
    pub async fn open(&self, subject: &str) -> Pair {
        let (status, body) = self.post("/admin/v1/sessions", json!({"subject": subject})).await;
        assert_eq!(status, 200, "{body}");
        pair(&body)
    }

    /// What the protected route says to an access token.
    pub async fn me(&self, access: &str) -> StatusCode {
        answer(self.http.get(format!("{}/me", self.public)).bearer_auth(access)).await.0
    }

    /// Refreshes.
    pub async fn refresh(&self, refresh: &str) -> Result<Pair, StatusCode> {
        let body = json!({"grant_type": "refresh_token", "refresh_token": refresh});
        let (status, body) = self.public_post("/oauth/token", body).await;
        if status.is_success() { Ok(pair(&body)) } else { Err(status) }
    }

    /// Whether both of a pair's tokens are refused as bad. Spends the refresh token where it is good.
    pub async fn is_dead(&self, pair: &Pair) -> bool {
        self.me(&pair.access).await == 401 && matches!(self.refresh(&pair.refresh).await, Err(status) if status == 400)
    }

    /// The `kid`s of the JWKS.
    pub async fn published_keys(&self) -> Vec<String> {
        let jwks = answer(self.http.get(format!("{}/.well-known/jwks.json", self.public))).await.1;
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and JSON; null where the body is none.
pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

fn pair(body: &Value) -> Pair {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Pair { access: text("access_token"), refresh: text("refresh_token"), sid: text("session_id") }
}

/// Sets a file's mode.
pub fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
