//! The real server on free loopback ports with a data directory of its own. Starts it, waits until it is ready, ends it
//! by its process id. Shared by the test files; knows routes only as far as a sign-in.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly, their helpers too")]
#![allow(clippy::allow_attributes, reason = "an expectation would be unfulfilled in the files that use everything")]

mod client;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

pub use self::client::{Connection, Reply, exchange, exchange_raw, request as client_request};

/// Nothing that is waited for takes longer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Looks again and again until `look` says yes.
pub fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    let begin = now();
    while !look() {
        assert!(now().duration_since(begin).unwrap_or_default() < DEADLINE, "waited too long until {what}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline of a test is in real time")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "between two looks of a wait that has a deadline")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// A running server.
pub struct Server {
    child: Child,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub home: Arc<TempDir>,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A token pair as the server gave it.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
    pub session: String,
}

impl Server {
    /// `serve --dev` with more arguments, in a new directory.
    pub fn dev(args: &[&str]) -> Self {
        Self::dev_in(&home(), args)
    }

    /// `serve --dev` with more arguments, on a data directory that may exist.
    pub fn dev_in(home: &Arc<TempDir>, args: &[&str]) -> Self {
        Self::start(home, &[&["--dev"], args].concat())
    }

    /// `serve` with these arguments.
    pub fn start(home: &Arc<TempDir>, args: &[&str]) -> Self {
        Self::run(home, &mut command(home.path(), args))
    }

    /// `serve --dev` where no file can grow above so many KiB, as on a full disk.
    pub fn dev_on_a_small_disk(home: &Arc<TempDir>, kib: u32) -> Self {
        Self::run(home, &mut limited(home.path(), &format!("-f {kib}")))
    }

    /// The same, where the log has filled the disk before: it is a file that cannot grow.
    pub fn dev_whose_log_is_full(home: &Arc<TempDir>, kib: u32) -> Self {
        std::fs::write(home.path().join("log"), vec![b'\n'; kib as usize * 1024]).unwrap();
        Self::run(home, &mut limited(home.path(), &format!("-f {kib}; exec 2>>log")))
    }

    /// `serve --dev` with at most so many open files and connections.
    pub fn dev_with_few_descriptors(most: u32) -> Self {
        let home = home();
        Self::run(&home, &mut limited(home.path(), &format!("-n {most}")))
    }

    fn run(home: &Arc<TempDir>, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let reader = Some(collect(child.stderr.take().unwrap(), Arc::clone(&log)));
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |prefix: &str| -> Option<SocketAddr> {
            let line = out.next()?.ok()?;
            line.strip_prefix(prefix)?.parse().ok()
        };
        let (Some(public), Some(admin)) = (address("http://"), address("admin http://")) else {
            let status = child.wait().unwrap();
            wait_until("the log is read", || reader.as_ref().is_none_or(JoinHandle::is_finished));
            panic!("the server did not start ({status}): {}", log.lock().unwrap());
        };
        let server = Self { child, public, admin, home: Arc::clone(home), log, reader };
        wait_until("the server is ready", || server.get("/readyz", None).status == 200);
        server
    }

    /// Sends a request to the public listener.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        exchange(self.public, method, path, headers, body.as_bytes())
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> Reply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send("GET", path, &headers, "")
    }

    pub fn form(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[("content-type", FORM)], body)
    }

    pub fn json(&self, path: &str, body: &serde_json::Value) -> Reply {
        self.send("POST", path, &[("content-type", JSON)], &body.to_string())
    }

    /// Signs the demo user in.
    pub fn sign_in(&self) -> Pair {
        let reply = self.json("/login", &json!({ "username": "demo", "password": "demo" }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.pair()
    }

    /// Status of the protected route.
    pub fn me(&self, pair: &Pair) -> u16 {
        self.get("/me", Some(&pair.access)).status
    }

    pub fn refresh(&self, token: &str) -> Reply {
        self.form("/oauth/token", &format!("grant_type=refresh_token&refresh_token={token}"))
    }

    /// Whether the newest refresh token still works; spends it.
    pub fn refreshes(&self, pair: &Pair) -> bool {
        self.refresh(&pair.refresh).status == 200
    }

    pub fn logout(&self, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.send("POST", "/logout", &[("authorization", &bearer), ("content-type", JSON)], body)
    }

    pub fn admin_token(&self) -> String {
        fs::read_to_string(self.data().join("admin-token")).unwrap().trim().to_owned()
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it as an operator does, and returns its exit status and whole log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        let status = self.wait();
        (status, self.log())
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the server has ended", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        ended.unwrap()
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.wait();
        Arc::clone(&self.home)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Nothing can be done about a failure here; the process is ours alone.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
        }
    }
}

pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

/// A new, empty directory.
pub fn home() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// Runs `serve` to its end, which must come by itself: status, standard output, standard error.
pub fn serve_to_the_end(home: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    to_the_end(&mut command(home, args))
}

/// The same, where no file can grow above so many KiB.
pub fn serve_to_the_end_on_a_small_disk(home: &Path, kib: u32) -> (Option<i32>, String, String) {
    to_the_end(&mut limited(home, &format!("-f {kib}")))
}

/// A server under a limit of the shell's. A write above one comes with a signal, as it does to a user at a terminal.
fn limited(home: &Path, limit: &str) -> Command {
    let inner = command(home, &["--dev", "--issuer", "http://127.0.0.1:1"]);
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(home);
    for (name, value) in inner.get_envs() {
        if value.is_none() {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn to_the_end(command: &mut Command) -> (Option<i32>, String, String) {
    let mut child = command.spawn().unwrap();
    let out = Arc::new(Mutex::new(String::new()));
    let err = Arc::new(Mutex::new(String::new()));
    let readers = [
        collect(child.stdout.take().unwrap(), Arc::clone(&out)),
        collect(child.stderr.take().unwrap(), Arc::clone(&err)),
    ];
    let begin = now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if now().duration_since(begin).unwrap_or_default() > DEADLINE {
            child.kill().unwrap();
            panic!("the server runs, although it must not: {}", err.lock().unwrap());
        }
        pause();
    };
    for reader in readers {
        reader.join().unwrap();
    }
    let (out, err) = (out.lock().unwrap().clone(), err.lock().unwrap().clone());
    (status.code(), out, err)
}

fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
    for (name, _) in std::env::vars_os() {
        // An operator's settings must not reach the server under test.
        if name.to_string_lossy().starts_with("RESCIND_") {
            command.env_remove(name);
        }
    }
    command.arg("serve").arg("--data").arg(home.join("data")).args(args);
    for listener in ["--listen", "--admin-listen"] {
        if !args.contains(&listener) {
            command.args([listener, "127.0.0.1:0"]);
        }
    }
    command.current_dir(home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn collect(mut from: impl Read + Send + 'static, to: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut part) {
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..count]));
        }
    })
}
