//! The readers of what lies in Redis, on bytes from elsewhere: for tests that feed them damage, without a server. Behind
//! the feature `testing`; no product code uses it, and no rule stands here.

use redis::Value;
use rescind::id::SessionId;
use rescind::log::{ChainTag, Entry};
use rescind::session::Session;
use rescind::store::{Record, StoreError};

use super::address::Address;
use super::entry::{State, parse};
use super::fault::Fault;
use super::records;
use super::reply::Reply;
use super::row::Row;

fn failed(fault: &Fault) -> StoreError {
    fault.error("read", "nowhere")
}

/// Reads a session's row.
///
/// # Errors
/// [`StoreError`] that names the session.
pub fn row(id: SessionId, bytes: &[u8]) -> Result<Session, StoreError> {
    Row::parse(id, bytes).map(|row| row.session).map_err(|fault| failed(&fault))
}

/// Reads an entry of the log from its id and its fields' values, and the tag after it.
///
/// # Errors
/// [`StoreError`] that names the entry.
pub fn entry(id: &[u8], values: &[Vec<u8>]) -> Result<(Entry, ChainTag), StoreError> {
    let text = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    let fields = values.iter().flat_map(|value| [text(b"field"), text(value)]).collect();
    let entry = Reply::new(Value::Array(vec![text(id), Value::Array(fields)]));
    entry.and_then(parse).map_err(|fault| failed(&fault))
}

/// Reads the state of a scope.
///
/// # Errors
/// [`StoreError`] that shows it.
pub fn state(bytes: &[u8]) -> Result<(), StoreError> {
    State::parse(bytes).map(drop).map_err(|fault| failed(&fault))
}

/// Reads a record.
///
/// # Errors
/// [`StoreError`] that names it.
pub fn record(name: &[u8], value: &[u8]) -> Result<Record, StoreError> {
    records::parse(name, value).map_err(|fault| failed(&fault))
}

/// Reads a store's URL; returns its servers as messages name them.
///
/// # Errors
/// What is wrong with it, without its password.
pub fn url(text: &str) -> Result<String, String> {
    Address::parse(text).map(|address| address.place)
}
