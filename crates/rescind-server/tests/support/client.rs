//! The kit's HTTP client with the face of these tests: what is not answered fails them.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

use rescind_test_kit::http;
pub use rescind_test_kit::http::request;

use super::{DEADLINE, Pair};

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Reply(http::Reply);

impl Reply {
    pub fn pair(&self) -> Pair {
        assert_eq!(self.status, 200, "{}", self.text());
        let json = self.json();
        let member = |name: &str| json[name].as_str().unwrap().to_owned();
        Pair { access: member("access_token"), refresh: member("refresh_token"), session: member("session_id") }
    }
}

impl Deref for Reply {
    type Target = http::Reply;

    fn deref(&self) -> &http::Reply {
        &self.0
    }
}

/// A connection on which bytes are sent as they are.
pub struct Connection {
    inner: http::Connection,
}

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        let inner = http::Connection::open(to).unwrap();
        inner.0.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { inner }
    }

    /// Reads one answer; `None` where the server closed without one.
    pub fn read(&mut self) -> std::io::Result<Option<Reply>> {
        Ok(self.inner.read()?.map(Reply))
    }
}

impl Deref for Connection {
    type Target = http::Connection;

    fn deref(&self) -> &http::Connection {
        &self.inner
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut http::Connection {
        &mut self.inner
    }
}

/// Sends one request on a connection of its own.
pub fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    match http::exchange(to, method, path, headers, body) {
        Ok(reply) => Reply(reply),
        Err(error) => panic!("no answer to {method} {path}: {error}"),
    }
}

/// Sends these bytes on a connection of their own.
pub fn exchange_raw(to: SocketAddr, bytes: &str) -> Reply {
    let mut connection = Connection::open(to);
    connection.write(bytes.as_bytes()).unwrap();
    connection.read().unwrap().unwrap()
}
