//! Bytes to a server, and every answer that comes back on the connection until it is closed. Reads an answer by its own
//! framing, so that one too many is seen.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rescind_test_kit::http::Reply;

use crate::support::DEADLINE;

/// Sends the bytes as they are, and reads until the server closes.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8]) -> Vec<Reply> {
    let mut stream = TcpStream::connect_timeout(&to, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // A refusal may come before everything is sent.
    let _ = stream.write_all(bytes);
    let mut read = Vec::new();
    let mut part = [0; 16 * 1024];
    // A reset is an end as well: it takes back nothing that was read.
    while let Ok(count @ 1..) = stream.read(&mut part) {
        read.extend(&part[..count]);
    }
    let heads_only = bytes.starts_with(b"HEAD ");
    let mut rest = read.as_slice();
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let (answer, length) = first_of(rest, heads_only);
        answers.push(answer);
        rest = &rest[length..];
    }
    answers
}

/// The first answer, and how many bytes it takes.
fn first_of(bytes: &[u8], head_only: bool) -> (Reply, usize) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let mut reply = Reply { status, headers, body: Vec::new() };
    let length = match reply.header("transfer-encoding") {
        "" if head_only => 0,
        "" => reply.header("content-length").parse().unwrap_or(0),
        // Only those come in chunks that close behind them.
        _ => bytes.len() - end,
    };
    reply.body = bytes[end..end + length].to_vec();
    (reply, end + length)
}
