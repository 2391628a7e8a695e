//! Sizes and numbers that should exhaust a server: each is refused, the next honest request is served, and the process
//! has grown by a few megabytes at most. What is measured is the peak, which the kernel keeps.

use std::fs;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::rig::Rig;
use crate::support::{self, Connection, FORM, JSON, Reply, client_request};

/// Far below what the attacks send, and three times what three hundred connections take.
const GROWTH_LIMIT_KIB: u64 = 16 * 1024;

/// The process' memory while it is attacked.
struct Memory {
    pid: u32,
    before: u64,
}

impl Memory {
    fn of(rig: &Rig) -> Self {
        let pid = rig.server.pid();
        // proc(5): 5 sets the peak back to what is resident now.
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        Self { pid, before: Self::kib(pid, "VmHWM") }
    }

    fn kib(pid: u32, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[track_caller]
    fn has_not_grown(&self) {
        let growth = Self::kib(self.pid, "VmHWM") - self.before;
        println!("the server grew by {growth} KiB at its peak");
        assert!(growth < GROWTH_LIMIT_KIB, "the server grew by {growth} KiB at its peak");
    }
}

/// A server that has answered each kind of request once, so that what it keeps for good is there.
fn warm() -> Rig {
    let rig = Rig::with(&["--head-timeout", "5s"]);
    let pair = rig.open("alice");
    assert_eq!(rig.server.me(&pair), 200);
    assert_eq!(rig.server.form("/oauth/token", &format!("a={}", "x".repeat(60 * 1024))).status, 400);
    rig
}

fn serves(rig: &Rig) {
    assert_eq!(rig.server.me(&rig.open("alice")), 200, "an honest caller is served");
}

/// Sends `head` and then `part` so many times, or until the server wants no more.
fn pour(rig: &Rig, head: &[u8], part: &[u8], times: usize) -> (Option<Reply>, usize) {
    let mut connection = Connection::open(rig.server.public);
    connection.write(head).unwrap();
    let sent = (0..times).take_while(|_| connection.0.write_all(part).is_ok()).count();
    // Where the server closed with input unread, its answer may be lost with it.
    (connection.read().ok().flatten(), sent * part.len())
}

// holds: R9
#[test]
fn a_hundred_megabytes_of_header_are_431_and_not_read_on() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let part = vec![b'a'; 64 * 1024];
    let line = [b"\r\nx-more: ", vec![b'a'; 4096].as_slice()].concat();
    let dots = vec![b'.'; 64 * 1024];
    for (part, times) in [(&part, 1600), (&line, 25_000), (&dots, 1600)] {
        let (reply, sent) = pour(&rig, b"GET /me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ", part, times);
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 431), "{reply:?}");
        assert!(sent < 32 << 20, "{sent} bytes were taken");
    }
    memory.has_not_grown();
    serves(&rig);
}

#[test]
fn a_body_without_end_is_413_and_not_read_on() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let chunk = [format!("{:x}\r\n", 64 * 1024).as_bytes(), &vec![b'a'; 64 * 1024], b"\r\n"].concat();
    for path in ["/oauth/token", "/login", "/logout", "/oauth/revoke", "/oauth/introspect"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n");
        let (reply, sent) = pour(&rig, head.as_bytes(), &chunk, 1600);
        assert!(reply.as_ref().is_none_or(|reply| reply.status == 413), "{path}: {reply:?}");
        assert!(sent < 32 << 20, "{path}: {sent} bytes were taken");
    }
    memory.has_not_grown();
    serves(&rig);
}

// holds: R9
#[test]
fn tokens_and_documents_that_should_exhaust_a_parser_are_refused_in_constant_memory() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let admin = format!("Bearer {}", rig.admin_token);
    for token in [".".repeat(16_000), format!("{}.e30.", "A".repeat(16_000)), "e30.".repeat(4000), nested(5000)] {
        let header = format!("Bearer {token}");
        assert_eq!(rig.server.send("GET", "/me", &[("authorization", &header)], "").status, 401);
        let asked = [("authorization", admin.as_str()), ("content-type", FORM)];
        let reply = rig.server.send("POST", "/oauth/introspect", &asked, &format!("token={token}"));
        assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"active":false}"#));
    }
    let million = ".".repeat(1_000_000);
    assert_eq!(rig.server.form("/oauth/revoke", &format!("token={million}")).status, 413);
    assert_eq!(
        rig.server.form("/oauth/token", &format!("grant_type=refresh_token&refresh_token={million}")).status,
        413
    );
    let json = [
        "[".repeat(60_000),
        format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        format!("{{\"username\":{}}}", "9".repeat(60_000)),
        format!("{{\"username\":1{}}}", "e999999999"),
        format!("{{{}}}", "\"a\":1,".repeat(10_000)),
    ];
    for (path, body) in
        ["/login", "/oauth/token", "/logout"].iter().flat_map(|path| json.iter().map(move |it| (path, it)))
    {
        let reply = rig.server.send("POST", path, &[("content-type", JSON)], body);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path} {body:.40}");
        assert!(reply.body.len() < 1024, "{path}: an answer of {} bytes", reply.body.len());
    }
    let pairs = (0..9000).map(|at| format!("{at}=")).collect::<Vec<_>>().join("&");
    assert_eq!(rig.server.form("/oauth/token", &pairs).status, 400);
    memory.has_not_grown();
    serves(&rig);
}

/// A token whose header is nested so deep.
fn nested(depth: usize) -> String {
    let header = format!("{{\"alg\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header))
}

// holds: R7
#[test]
fn ten_thousand_unknown_keys_cost_no_memory_and_are_not_remembered() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let mut connection = Connection::open(rig.server.public);
    for batch in 0..100 {
        let mut requests = Vec::new();
        for at in 0..100 {
            // Half of them look like keys of ours, which another node could have made a moment ago.
            let kid =
                if at % 2 == 0 { format!("{:016x}", batch * 100 + at) } else { format!("{}-{at}", "k".repeat(100)) };
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#));
            let bearer = format!("Bearer {header}.e30.{}", "A".repeat(86));
            requests.extend(client_request("GET", "/me", &[("authorization", &bearer)], b""));
        }
        connection.write(&requests).unwrap();
        read_answers(&mut connection, 100);
    }
    memory.has_not_grown();
    serves(&rig);
}

/// Reads so many answers, all of them 401; they may come in one piece.
fn read_answers(connection: &mut Connection, count: usize) {
    let mut text = String::new();
    let mut part = [0; 16 * 1024];
    let complete = |text: &str| text.matches("HTTP/1.1 401").count() == count && text.ends_with('}');
    while !complete(&text) {
        let read = connection.0.read(&mut part).unwrap();
        assert_ne!(read, 0, "closed after: {text:.400}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert_eq!(text.matches("HTTP/1.1 ").count(), count);
}

#[test]
fn heads_that_never_end_hold_no_memory_and_nobody_up() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let mut slow: Vec<_> = (0..300)
        .map(|_| {
            let mut connection = Connection::open(rig.server.public);
            connection.write(b"GET /me HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
            connection
        })
        .collect();
    serves(&rig);
    // One byte now and then does not move the deadline. Only the newest send one: whoever sends behind the answer may lose it.
    for connection in slow.iter_mut().rev().take(30) {
        let _ = connection.0.write_all(b"a");
    }
    for mut connection in slow {
        let reply = connection.read().unwrap().unwrap();
        assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
    }
    memory.has_not_grown();
}

#[test]
fn many_headers_and_many_cookies_are_refused_or_passed_over() {
    let rig = warm();
    let memory = Memory::of(&rig);
    let pair = rig.open("alice");
    let bearer = format!("Bearer {}", pair.access);
    let names: Vec<String> = (0..5000).map(|at| format!("x-{at}")).collect();
    let mut headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    headers.push(("authorization", &bearer));
    assert_eq!(rig.server.send("GET", "/me", &headers, "").status, 431);
    let few = headers.split_off(headers.len() - 50);
    assert_eq!(rig.server.send("GET", "/me", &few, "").status, 200, "as many as a browser sends pass");
    let jar = (0..4000).map(|at| format!("c{at}=1")).collect::<Vec<_>>().join("; ");
    let jar = format!("{jar}; __Host-rescind_access={}", pair.access);
    assert_eq!(rig.server.send("GET", "/me", &[("cookie", &jar)], "").status, 200);
    memory.has_not_grown();
    support::wait_until("nothing is left of it", || rig.server.get("/livez", None).status == 200);
}
