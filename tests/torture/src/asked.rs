//! What a history is made of: what was asked and answered, what it was about, and what stood still meanwhile.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Since the history's begin.
pub type At = Duration;

/// What a cut-off stands on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// One of [`Scope::KINDS`].
    pub kind: &'static str,
    /// Empty of `all`.
    pub id: String,
}

impl Scope {
    /// All kinds, the narrowest first.
    pub const KINDS: [&'static str; 6] = ["token", "session", "subject", "client", "key", "all"];

    /// A scope by its kind and id.
    pub fn new(kind: &'static str, id: &str) -> Self {
        Self { kind, id: id.to_owned() }
    }

    /// Everything.
    pub fn all() -> Self {
        Self::new("all", "")
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// Something that a node can be asked about: an access token, or the right to refresh a session.
#[derive(Debug, Clone)]
pub struct Credential {
    /// A cut-off on any of these ends it, the first names it.
    pub scopes: Vec<Scope>,
    /// When it was noted.
    pub issued: At,
    /// When its session was asked for, and when it was there: only what is cut off later ends it. A key's cut-off ends
    /// whatever the key has signed. Both are zero where nothing is issued under a scope that somebody has begun to revoke.
    pub opened: (At, At),
}

/// What a node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is good, or it was done.
    Yes,
    /// It is bad: 401, or `invalid_grant`.
    Refused,
    /// 503 with `Retry-After`.
    Unavailable,
    /// No answer came.
    Silent,
    /// Anything else, which is never right.
    Wrong(String),
}

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Of an access token.
    Check,
    /// Of a refresh token.
    Refresh,
    /// Of a session.
    Open,
    /// Of a scope: by a revocation, a logout, or the second use of a spent refresh token.
    Revoke,
    /// The same, acknowledged once every node knows of it: by `wait=everywhere`.
    RevokeEverywhere,
    /// Of a cut-off.
    Lift,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What for.
    pub what: What,
    /// Whom.
    pub node: usize,
    /// When it was sent.
    pub sent: At,
    /// When it was answered, or given up.
    pub done: At,
    /// What was said.
    pub answer: Answer,
    /// Why no answer came.
    pub fault: Option<String>,
    /// Of a check or a refresh: about what, as a number in `Past::credentials`.
    pub about: Option<usize>,
    /// Of a revocation or a lift.
    pub scope: Option<Scope>,
}

impl Display for Asked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, node, sent, done, answer, .. } = self;
        write!(f, "{sent:>12.4?} to {done:>12.4?}  node {node}  {what:?}")?;
        if let Some(scope) = &self.scope {
            write!(f, " {scope}")?;
        }
        write!(f, ": {answer:?}")?;
        self.fault.as_ref().map_or(Ok(()), |fault| write!(f, " ({fault})"))
    }
}

/// A span in which a node was down or stood still.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// Which node.
    pub node: usize,
    /// From when on it may have answered nothing.
    pub from: At,
    /// Since when it surely decided nothing; only of one that stood still.
    pub still: Option<At>,
    /// When it was let go on; only of one that stood still.
    pub moved_on: Option<At>,
    /// When it listened again.
    pub until: Option<At>,
}
