//! What a store's `diagnose` finds out about its servers. Owns the shape; the words are each store's.

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Works, but is worth a look.
    Look,
    /// Does not work, or is not safe.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How to take it.
    pub verdict: Verdict,
    /// What is so.
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub remedy: String,
}

impl Finding {
    pub(crate) fn new(verdict: Verdict, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict, what: what.into(), remedy: remedy.into() }
    }

    pub(crate) fn good(what: impl Into<String>) -> Self {
        Self::new(Verdict::Good, what, "")
    }
}
