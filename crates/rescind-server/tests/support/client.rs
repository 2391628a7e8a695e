//! A small HTTP/1.1 client that can also send what a proper one would not.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::{DEADLINE, Pair};

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or("")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text()))
    }

    /// The `error` of the body, empty where there is none.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or("").to_owned()
    }

    pub fn pair(&self) -> Pair {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        let member = |name: &str| json[name].as_str().unwrap().to_owned();
        Pair { access: member("access_token"), refresh: member("refresh_token"), session: member("session_id") }
    }
}

/// A connection on which bytes are sent as they are.
pub struct Connection(pub TcpStream);

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads one answer; `None` where the server closed without one.
    pub fn read(&mut self) -> io::Result<Option<Reply>> {
        let mut bytes = Vec::new();
        let mut part = [0; 16 * 1024];
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let count = self.0.read(&mut part)?;
            if count == 0 {
                return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            bytes.extend_from_slice(&part[..count]);
        };
        let mut reply = head_of(&bytes[..head]);
        reply.body = bytes.split_off(head + 4);
        let length = reply.header("content-length").parse().unwrap_or(0);
        while reply.body.len() < length {
            let count = self.0.read(&mut part)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            reply.body.extend_from_slice(&part[..count]);
        }
        Ok(Some(reply))
    }
}

fn head_of(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.into()));
    Reply { status, headers: headers.collect(), body: Vec::new() }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if !body.is_empty() || method == "POST" {
        let _ = write!(text, "content-length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// Sends one request on a connection of its own.
pub fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut connection = Connection::open(to);
    let headers = [&[("connection", "close")], headers].concat();
    // A refusal may come before the body is sent whole; it is the answer all the same.
    let _ = connection.write(&request(method, path, &headers, body));
    let head = method == "HEAD";
    match connection.read_of(head) {
        Ok(Some(reply)) => reply,
        other => panic!("no answer to {method} {path}: {other:?}"),
    }
}

impl Connection {
    fn read_of(&mut self, head: bool) -> io::Result<Option<Reply>> {
        if !head {
            return self.read();
        }
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let mut reply = head_of(&bytes[..end]);
        reply.body = bytes.split_off(end + 4);
        Ok(Some(reply))
    }
}

/// Sends these bytes on a connection of their own.
pub fn exchange_raw(to: SocketAddr, bytes: &str) -> Reply {
    let mut connection = Connection::open(to);
    connection.write(bytes.as_bytes()).unwrap();
    connection.read().unwrap().unwrap()
}
