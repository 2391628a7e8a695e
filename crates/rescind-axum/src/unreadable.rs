//! Why a request's body or parameters cannot be taken: the caller's matter. Knows no status.

use std::borrow::Cow;

/// A request that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The body is too long: 413, and the connection ends, since the rest is not read.
    #[error("a body has at most 64 KiB")]
    TooLong,
    /// The body was not complete in time: 408, and the connection ends.
    #[error("the body was not complete in time")]
    TooSlow,
    /// What was read is not what the route takes: 400, with what is wrong. Names members, never their values.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
}

impl Unreadable {
    /// What was read is not what the route takes.
    pub fn invalid(description: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(description.into())
    }
}
