//! A small HTTP/1.1 client that can also send what a proper one would not.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What a server is given for each part of an answer, unless [`exchange_within`] is told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers in order, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
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

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none: the test fails, and shows what came instead.
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        assert!(json.is_ok(), "no JSON: {} {}", self.status, self.text());
        json.unwrap_or_default()
    }

    /// The `error` of the body, empty where there is none.
    pub fn error(&self) -> String {
        self.json().get("error").and_then(Value::as_str).unwrap_or("").to_owned()
    }
}

/// A connection on which bytes are sent as they are.
#[derive(Debug)]
pub struct Connection(pub TcpStream);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// As of the system.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        Self::within(to, PATIENCE)
    }

    /// The same, with so long for the connection and for each part of an answer.
    ///
    /// # Errors
    /// As of the system.
    pub fn within(to: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// As of the system.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads one answer; `None` where the server closed without one.
    ///
    /// # Errors
    /// As of the system; `UnexpectedEof` where the answer ends early, `InvalidData` where it is no HTTP.
    pub fn read(&mut self) -> io::Result<Option<Reply>> {
        let Some(mut reply) = self.read_head()? else { return Ok(None) };
        let length = reply.header("content-length").parse().unwrap_or(0);
        while reply.body.len() < length {
            self.read_more(&mut reply.body)?;
        }
        Ok(Some(reply))
    }

    /// Reads an answer up to its body, of which a part may have come with it.
    fn read_head(&mut self) -> io::Result<Option<Reply>> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let body = bytes.split_off(end + 4);
                return head_of(&bytes, body).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            match self.read_more(&mut bytes) {
                Err(error) if bytes.is_empty() && error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                read => read?,
            }
        }
    }

    fn read_more(&mut self, to: &mut Vec<u8>) -> io::Result<()> {
        let mut part = [0; 16 * 1024];
        let count = loop {
            match self.0.read(&mut part) {
                // A socket with a time limit is interrupted where its process stands still and goes on.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.extend_from_slice(part.get(..count).unwrap_or_default());
        Ok(())
    }
}

fn head_of(bytes: &[u8], body: Vec<u8>) -> Option<Reply> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.into()));
    Some(Reply { status, headers: headers.collect(), body })
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
///
/// # Errors
/// As of the system, where there is no answer.
pub fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
    exchange_within(PATIENCE, to, method, path, headers, body)
}

/// The same, with so long for the connection and for each part of the answer.
///
/// # Errors
/// As of the system, where there is no answer.
pub fn exchange_within(
    patience: Duration,
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let mut connection = Connection::within(to, patience)?;
    let headers = [&[("connection", "close")], headers].concat();
    // A refusal may come before the body is sent whole; it is the answer all the same.
    let _ = connection.write(&request(method, path, &headers, body));
    // The answer to HEAD names the length of a body that does not come.
    let reply = if method == "HEAD" { connection.read_head()? } else { connection.read()? };
    reply.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
