//! What a node says of itself in the store. Owns the record's shape, and when a node counts as live; writes nothing.
//!
//! **Shape:** JSON. A reader ignores members that it does not know and does without those that are missing, so that
//! nodes of neighbouring versions work on one store.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::high_water::hex;
use crate::position::{Incarnation, Seq};
use crate::time::Timestamp;

/// A node's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NodeRecord {
    /// Of the software.
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) issuer: String,
    /// Drawn at every start: two nodes of one id differ in it.
    #[serde(default)]
    pub(super) start: String,
    #[serde(default)]
    pub(super) started: Timestamp,
    /// The store's time, read before this was written.
    pub(super) at: Timestamp,
    #[serde(default)]
    pub(super) presence: Presence,
    /// The history that the node has joined.
    #[serde(default)]
    pub(super) incarnation: Option<String>,
    /// The newest position in its view.
    #[serde(default)]
    pub(super) applied: Seq,
    /// **Units:** milliseconds. None: it answers nothing.
    #[serde(default)]
    pub(super) staleness_ms: Option<u64>,
    /// Its staleness bound. **Units:** milliseconds.
    pub(super) bound_ms: u64,
    /// By how much it found the store's clock ahead of its own. **Units:** milliseconds.
    #[serde(default)]
    pub(super) store_ahead_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
}

/// Whether a node is there, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    /// It ended in order.
    Left,
    /// It is there; whatever a newer version may say beside.
    #[default]
    #[serde(other)]
    Here,
}

/// How a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It has written durably within its staleness bound.
    Live,
    /// It said that it leaves.
    Left,
    /// It has not written for longer than its staleness bound, so it refuses to answer or is dead.
    Silent,
}

impl NodeState {
    /// The state in a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Left => "left",
            Self::Silent => "silent",
        }
    }
}

impl NodeRecord {
    /// Reads a record; `None` where it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) const fn bound(&self) -> Duration {
        Duration::from_millis(self.bound_ms)
    }

    /// How the node is doing at the store's time `now`.
    ///
    /// Its view is complete up to no later than `at`, so behind the bound it refuses by itself.
    pub(super) fn state(&self, now: Timestamp) -> NodeState {
        match self.presence {
            Presence::Left => NodeState::Left,
            Presence::Here if now.since(self.at) > self.bound() => NodeState::Silent,
            Presence::Here => NodeState::Live,
        }
    }

    /// The history that the node has joined.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation.as_deref().and_then(hex).map(Incarnation::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> NodeRecord {
        NodeRecord::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_record_of_a_neighbouring_version_is_read_as_far_as_it_is_known() {
        let older = read(r#"{"at": 1000, "bound_ms": 2000}"#);
        assert_eq!((older.applied, older.presence), (Seq::ZERO, Presence::Here));
        let newer = read(r#"{"at": 1000, "bound_ms": 2000, "applied": 7, "presence": "draining", "zone": {"a": 1}}"#);
        assert_eq!((newer.applied, newer.presence), (Seq::new(7), Presence::Here));
        assert_eq!(NodeRecord::read(b"[]"), None);
    }

    #[test]
    fn a_node_is_silent_behind_its_own_bound_and_one_that_left_is_not() {
        let here = read(r#"{"at": 1000, "bound_ms": 2000, "presence": "here"}"#);
        assert_eq!(here.state(Timestamp::from_millis(3000)), NodeState::Live);
        assert_eq!(here.state(Timestamp::from_millis(3001)), NodeState::Silent);
        let left = read(r#"{"at": 1000, "bound_ms": 2000, "presence": "left"}"#);
        assert_eq!(left.state(Timestamp::from_millis(9000)), NodeState::Left);
    }

    #[test]
    fn an_incarnation_reads_back() {
        let incarnation = Incarnation::from_bytes([0xa5; 16]);
        let text = format!(r#"{{"at": 1, "bound_ms": 1, "incarnation": "{incarnation}"}}"#);
        assert_eq!(read(&text).incarnation(), Some(incarnation));
        for other in ["+5a5".to_owned(), format!("+{}", "5".repeat(31)), "5".repeat(33)] {
            let text = format!(r#"{{"at": 1, "bound_ms": 1, "incarnation": "{other}"}}"#);
            assert_eq!(read(&text).incarnation(), None, "{other}");
        }
    }
}
