//! One entry of the log: a cut-off or a lift, with who, when and why. Owns the entry's shape; appends nothing.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Scope;
use crate::position::Seq;
use crate::time::Timestamp;

/// What an entry does to its scope. The state of a scope is its newest entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Everything under the scope with a lower position is dead.
    CutOff,
    /// Ends all earlier cut-offs on the scope, of which `of` is the newest.
    Lift {
        /// The position of the cut-off that is lifted.
        of: Seq,
    },
}

/// A short text of a human or a program: why an entry was made, or by whom.
///
/// **Shape:** 1 to 200 characters, no control characters.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Arc<str>);

/// A text that is empty, too long, or has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 200 characters without control characters")]
pub struct TextInvalid;

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TextInvalid`].
    pub fn new(text: impl AsRef<str>) -> Result<Self, TextInvalid> {
        let text = text.as_ref();
        if text.is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
            return Err(TextInvalid);
        }
        Ok(Self(Arc::from(text)))
    }

    /// A text known when the program is written; must obey the shape.
    pub(crate) fn known(text: &'static str) -> Self {
        debug_assert!(Self::new(text).is_ok(), "a known text obeys the shape");
        Self(Arc::from(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = TextInvalid;

    fn try_from(text: String) -> Result<Self, TextInvalid> {
        Self::new(text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entry before the store has given it a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// What it stands on.
    pub scope: Scope,
    /// What it does. A [`Act::Lift`] is refused by the store where `of` is not the scope's newest entry or is no cut-off.
    pub act: Act,
    /// Why.
    pub reason: Text,
    /// By whom.
    pub actor: Text,
    /// Until when the store keeps it: no token and no session under it lives longer.
    pub remember_until: Timestamp,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its position.
    pub seq: Seq,
    /// The store's time when it was appended.
    pub at: Timestamp,
    /// What it stands on.
    pub scope: Scope,
    /// What it does.
    pub act: Act,
    /// Why.
    pub reason: Text,
    /// By whom.
    pub actor: Text,
    /// Until when the store keeps it.
    pub remember_until: Timestamp,
}

impl Entry {
    /// Gives an entry its position and the store's time `now`, behind a predecessor of the time `latest`.
    ///
    /// An entry's time is never before its predecessor's: where the clock has stepped back, the entry bears the
    /// predecessor's time and is remembered longer by the difference. So when the clock is put right, nobody who asks for
    /// the entries of a span of time misses it, and it is not forgotten before what it covers has ended.
    pub fn new(seq: Seq, now: Timestamp, latest: Timestamp, new: NewEntry) -> Self {
        let at = now.max(latest);
        let remember_until = new.remember_until.plus(at.since(now));
        let NewEntry { scope, act, reason, actor, remember_until: _ } = new;
        Self { seq, at, scope, act, reason, actor, remember_until }
    }
}

/// A scope's active cut-off, as far as checking needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    /// What it stands on.
    pub scope: Scope,
    /// Its position.
    pub seq: Seq,
    /// The store's time when it was appended.
    pub at: Timestamp,
}
