//! What a feed and a snapshot look like on the wire. Owns the shapes, which server and follower share; asks nobody.
//!
//! Times are milliseconds since 1970, tags and incarnations 32 hexadecimal digits. A reader passes over members that it
//! does not know.

use rescind::log::{ChainTag, CutOff, Entry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store;
use rescind::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The history that the positions belong to.
    pub incarnation: String,
    /// The newest position.
    pub seq: Seq,
    /// The tag at the newest position.
    pub tag: String,
    /// The store's time.
    pub now: Timestamp,
}

/// Entries of the log without a gap: an answer of the feed as JSON, and the data of its event `entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The tag at the position that was asked for.
    pub prev_tag: String,
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// The tag at the last of them.
    pub tag: String,
    /// The head of the same moment.
    pub head: Head,
    /// How old what this node knows was when it was asked.
    pub age_ms: u64,
    /// As in [`About`]; zero where a node of an earlier version does not say.
    #[serde(default)]
    pub max_access_lifetime: u64,
}

/// The log cannot be told from that position: an answer of the feed with status 410, and the data of its event `gone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Always `gone`.
    pub error: String,
    /// What to do.
    pub error_description: String,
    /// The head.
    pub head: Head,
    /// As in [`Batch`].
    pub age_ms: u64,
}

/// The data of the feed's event `heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The head.
    pub head: Head,
    /// As in [`Batch`].
    pub age_ms: u64,
}

/// What a snapshot begins with, and all that a follower must know before it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The head of the snapshot's moment.
    pub head: Head,
    /// As in [`Batch`].
    pub age_ms: u64,
    /// The issuer of the tokens.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// The largest access lifetime of any node. Cut-offs matter for so long, plus leeway and skew. **Units:** seconds.
    pub max_access_lifetime: u64,
}

/// One line of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOffLine {
    /// What it stands on: the kind, one blank, and the id; `all` alone.
    pub scope: Scope,
    /// Its position.
    pub seq: Seq,
    /// The store's time when it was appended.
    pub at: Timestamp,
}

/// The end of a snapshot: the line after the last cut-off is `],"count":N}`.
pub const SNAPSHOT_END: &str = "],\"count\":";

/// A text that is no tag and no incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("32 hexadecimal digits are expected")]
pub struct NotHex;

impl From<store::Head> for Head {
    fn from(head: store::Head) -> Self {
        let store::Head { incarnation, seq, tag, now } = head;
        Self { incarnation: incarnation.to_string(), seq, tag: tag.to_string(), now }
    }
}

impl TryFrom<&Head> for store::Head {
    type Error = NotHex;

    fn try_from(head: &Head) -> Result<Self, NotHex> {
        let incarnation = Incarnation::from_bytes(bytes(&head.incarnation)?);
        Ok(Self { incarnation, seq: head.seq, tag: tag(&head.tag)?, now: head.now })
    }
}

impl From<CutOff> for CutOffLine {
    fn from(cut_off: CutOff) -> Self {
        let CutOff { scope, seq, at } = cut_off;
        Self { scope, seq, at }
    }
}

impl From<CutOffLine> for CutOff {
    fn from(line: CutOffLine) -> Self {
        let CutOffLine { scope, seq, at } = line;
        Self { scope, seq, at }
    }
}

/// Reads a tag.
///
/// # Errors
/// [`NotHex`].
pub fn tag(text: &str) -> Result<ChainTag, NotHex> {
    bytes(text).map(ChainTag::from_bytes)
}

fn bytes(text: &str) -> Result<[u8; 16], NotHex> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if digits { u128::from_str_radix(text, 16).ok() } else { None };
    number.map(u128::to_be_bytes).ok_or(NotHex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back() {
        let incarnation = Incarnation::from_bytes([0xab; 16]);
        let (seq, now) = (Seq::new(7), Timestamp::from_millis(1));
        let head = store::Head { incarnation, seq, tag: ChainTag::genesis(incarnation), now };
        assert_eq!(store::Head::try_from(&Head::from(head)), Ok(head));
        for wrong in ["", "+b", &"g".repeat(32), &"+1".repeat(16), &"a".repeat(33)] {
            assert_eq!(tag(wrong), Err(NotHex), "{wrong}");
        }
    }
}
