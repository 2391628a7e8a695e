//! Figures over HTTP: the real server in a release build on one core, `wrk` on the other, on loopback, for seconds.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the machine, not what a Clock says")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Failed;
use super::report::Figure;

/// The two routes take turns, so that what else the machine does hits both.
const TURNS: usize = 5;
const CONNECTIONS: usize = 64;

/// Measures the protected route beside an unprotected one, refresh, memory, and a start with many cut-offs.
pub(super) fn bench(root: &Path) -> Result<Vec<Figure>, Failed> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--quiet", "--package", "rescind-server"]);
    if !cargo.status()?.success() {
        return Err("the release build failed".into());
    }
    let scratch = root.join("target/bench-http");
    drop(fs::remove_dir_all(&scratch));
    fs::create_dir_all(&scratch)?;
    let mut figures = Vec::new();
    let server = Server::start(root, &scratch.join("data"))?;
    figures.push(Figure::new("idle server, resident", server.resident_mib()?, "MiB"));
    figures.extend(protected(&server)?);
    figures.push(refresh(&server, &scratch)?);
    drop(server);
    figures.extend(start_with_a_million(root)?);
    Ok(figures)
}

fn protected(server: &Server) -> Result<[Figure; 3], Failed> {
    let pair = server.open_session()?;
    let bearer = format!("Authorization: Bearer {}", member(&pair, "access_token")?);
    let (mut open, mut guarded) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        open.push(wrk(&server.url, "/livez", &["-d2s", "-H", &bearer])?);
        guarded.push(wrk(&server.url, "/me", &["-d2s", "-H", &bearer])?);
    }
    let (open, guarded) = (median(open), median(guarded));
    Ok([
        Figure::new("GET /livez, unprotected", open, "/s"),
        Figure::new("GET /me, EdDSA token repeated", guarded, "/s"),
        Figure::new("GET /me of GET /livez", 100.0 * guarded / open, "%"),
    ])
}

fn refresh(server: &Server, scratch: &Path) -> Result<Figure, Failed> {
    let mut tokens = String::new();
    for _ in 0..4 * CONNECTIONS {
        tokens.push_str(&member(&server.open_session()?, "refresh_token")?);
        tokens.push('\n');
    }
    let (list, script) = (scratch.join("tokens"), scratch.join("refresh.lua"));
    fs::write(&list, tokens)?;
    fs::write(&script, include_str!("refresh.lua"))?;
    let (list, script) = (list.display().to_string(), script.display().to_string());
    let rate = wrk(&server.url, "/oauth/token", &["-d6s", "-s", &script, "--", &list])?;
    Ok(Figure::new("POST /oauth/token, refresh, 64 connections", rate, "/s"))
}

/// The SQLite benchmark leaves its database of a million cut-offs; the server starts on it.
fn start_with_a_million(root: &Path) -> Result<Option<Figure>, Failed> {
    let data = root.join("target/bench-million");
    if !data.join("rescind.db").exists() {
        eprintln!("no start with a million cut-offs: run the sqlite benchmark first");
        return Ok(None);
    }
    let began = Instant::now();
    let server = Server::start(root, &data)?;
    let ready = began.elapsed();
    drop(server);
    Ok(Some(Figure::new("start with 1,000,000 active cut-offs, process to ready", ready.as_secs_f64() * 1e9, "ns")))
}

/// Requests a second, on the second core.
fn wrk(url: &str, path: &str, arguments: &[&str]) -> Result<f64, Failed> {
    let (options, script) = arguments.split_at(arguments.iter().position(|&it| it == "--").unwrap_or(arguments.len()));
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1", "wrk", "-t1", &format!("-c{CONNECTIONS}")])
        .args(options)
        .arg(format!("{url}{path}"))
        .args(script);
    let output =
        command.output().map_err(|error| format!("wrk and taskset are needed (Debian: wrk, util-linux): {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("Non-2xx") || !output.status.success() {
        return Err(format!("wrk on {path}: {text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Ok(rate.ok_or("wrk printed no rate")?.trim().parse()?)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// The server under test; ends with this value.
struct Server {
    process: Child,
    url: String,
    admin: String,
    token: String,
}

impl Server {
    fn start(root: &Path, data: &Path) -> Result<Self, Failed> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(root.join("target/release/rescind")).args(["serve", "--dev", "--data"]).arg(data);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).env("RESCIND_LOG", "warn");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no standard output")?).lines();
        let mut address = || -> Result<String, Failed> {
            let line = lines.next().ok_or("the server ended before it was ready")??;
            let (_, rest) = line.split_once("http://").ok_or("the server printed no address")?;
            Ok(format!("http://{}", rest.trim()))
        };
        let (url, admin) = (address()?, address()?);
        let token = fs::read_to_string(data.join("admin-token"))?.trim().to_owned();
        let server = Self { process, url, admin, token };
        let deadline = Instant::now() + Duration::from_mins(1);
        while !server.call(&server.url, "GET", "/readyz", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            if Instant::now() > deadline {
                return Err("the server was not ready within a minute".into());
            }
        }
        Ok(server)
    }

    fn open_session(&self) -> Result<String, Failed> {
        self.call(&self.admin, "POST", "/admin/v1/sessions", "{\"subject\":\"bench\"}")
    }

    fn call(&self, url: &str, method: &str, path: &str, body: &str) -> Result<String, Failed> {
        let host = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        let token = if url == self.admin { format!("authorization: Bearer {}\r\n", self.token) } else { String::new() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{token}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn resident_mib(&self) -> Result<f64, Failed> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left behind.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A string member of a flat JSON object whose strings need no escapes.
fn member(json: &str, name: &str) -> Result<String, Failed> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\"")).ok_or_else(|| format!("no {name} in {json}"))?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
