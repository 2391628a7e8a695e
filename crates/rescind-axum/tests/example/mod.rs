//! A built example program, run as a user runs it: on a free port, in a folder of its own, ended by its process id.
//! Shared by the tests `example_…`; knows no example's routes.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly, their helpers too")]
#![allow(clippy::allow_attributes, reason = "an expectation would be unfulfilled in the files that use everything")]

pub mod workshop;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Nothing that is waited for takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running example. Dropped, it is killed.
pub struct Example {
    /// `http://` and where it listens.
    pub url: String,
    child: Child,
    /// Kept open: a program that cannot print any more may stop.
    _out: Lines<BufReader<ChildStdout>>,
    client: reqwest::Client,
}

impl Example {
    /// Starts an example on this data folder, with further arguments and environment, and waits until it listens. What
    /// it logs goes to the test's own standard error.
    pub async fn start_with(name: &str, data: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(built(name));
        command.args(args).envs(environment.iter().copied());
        Self::run(name, data, command).await
    }

    /// Starts an example that cannot make a file larger than so many KiB, as on a full disk, which its log has filled.
    pub async fn start_on_a_small_disk(name: &str, data: &Path, kib: u32) -> Self {
        std::fs::write(data.join("log"), vec![b'\n'; kib as usize * 1024]).unwrap();
        let mut command = Command::new("bash");
        // On a full disk a write fails; a limit would send a signal besides.
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\" 2>>log")]).arg(built(name));
        Self::run(name, data, command).await
    }

    async fn run(name: &str, data: &Path, mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data).current_dir(data);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = timeout(DEADLINE, out.next_line()).await.unwrap().unwrap();
            let Some(line) = line else { panic!("{name} ended before it listened: {:?}", child.wait().await) };
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(redirects).timeout(DEADLINE).build().unwrap();
        Self { url, child, _out: out, client }
    }

    /// Starts an example on this data folder.
    pub async fn start(name: &str, data: &Path) -> Self {
        Self::start_with(name, data, &[], &[]).await
    }

    /// Ends it as a power cut does.
    pub async fn kill(mut self) {
        timeout(DEADLINE, self.child.kill()).await.unwrap().unwrap();
    }

    /// Sends a request as it stands.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.text().await.unwrap() }
    }

    /// Sends JSON, where there is any, with a token in `Authorization: Bearer`, where there is one.
    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Reply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers: Vec<_> = bearer.iter().map(|bearer| (AUTHORIZATION.as_str(), bearer.as_str())).collect();
        if body.is_some() {
            headers.push((CONTENT_TYPE.as_str(), "application/json"));
        }
        self.ask(method, path, &headers, &body.map(|body| body.to_string()).unwrap_or_default()).await
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    /// Status and body, to be compared as one.
    pub fn json(&self) -> (u16, Value) {
        let json = serde_json::from_str(&self.body);
        (self.status, json.unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body)))
    }

    /// A text member of the body.
    pub fn text(&self, member: &str) -> String {
        let (status, json) = self.json();
        let text = json.get(member).and_then(Value::as_str).map(str::to_owned);
        text.unwrap_or_else(|| panic!("no {member}: {status} {json}"))
    }
}

/// Where Cargo has put the example: beside the folder of this test's own binary. `cargo test` and nextest build examples
/// with the tests, except where one test file alone is asked for.
pub fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let binary = own.ancestors().nth(2).unwrap().join("examples").join(name);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let changed = std::fs::read_dir(&sources).unwrap().map(|file| modified(&file.unwrap().path()).unwrap()).max();
    let remedy = format!("run `cargo build -p rescind-axum --example {name}`, in this test's profile");
    match modified(&binary) {
        None => panic!("{} is not built; {remedy}", binary.display()),
        Some(built) if Some(built) < changed => panic!("{} is older than its source; {remedy}", binary.display()),
        Some(_) => binary,
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|found| found.modified()).ok()
}
