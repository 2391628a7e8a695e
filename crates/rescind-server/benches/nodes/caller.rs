//! A kept-alive connection that costs its client little: one write and mostly one read a request.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection to one listener of a node.
pub(crate) struct Caller {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        stream.set_nodelay(true).expect("a setting");
        Self { stream, answer: Vec::with_capacity(4096) }
    }

    /// Sends a request and reads its answer whole; the status.
    pub(crate) async fn call(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).await.expect("sent");
        self.answer.clear();
        while !is_whole(&self.answer) {
            let read = self.stream.read_buf(&mut self.answer).await.expect("an answer");
            assert!(read > 0, "the node closed the connection: {}", self.text());
        }
        // HTTP/1.1 201 Created
        self.text().get(9..12).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// The last answer.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.answer).expect("an answer in UTF-8")
    }

    /// A string member of the last answer, whose strings need no escapes.
    pub(crate) fn member(&self, name: &str) -> String {
        let found = self.text().split_once(&format!("\"{name}\":\""));
        let (_, rest) = found.unwrap_or_else(|| panic!("no {name} in {}", self.text()));
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(answer.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    answer.len() >= head + 4 + length.unwrap_or(0_usize)
}
