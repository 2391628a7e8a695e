//! A fault of a store: ours, never the caller's. Owns the kinds that behaviour hangs on; wording is the source's.

use std::error::Error;
use std::fmt;

/// What kind of fault it was, as far as the engine acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// The store cannot be reached or did not answer in time. Whether a write happened is unknown: read again.
    Unavailable,
    /// There is no room. Nothing was written.
    Full,
    /// The medium refused a write or a flush. Whether it happened is unknown, and this handle acknowledges nothing more.
    Broken,
    /// A stored row cannot be read.
    Corrupt,
    /// The stored data is of a newer version of this software.
    Newer,
}

impl StoreErrorKind {
    /// A stable word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::Broken => "broken",
            Self::Corrupt => "corrupt",
            Self::Newer => "newer",
        }
    }
}

/// A fault of a store.
pub struct StoreError {
    kind: StoreErrorKind,
    op: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// Names the fault, the operation in which it happened, and its cause.
    pub fn new(kind: StoreErrorKind, op: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, op, source: source.into() }
    }

    /// The kind of the fault.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The operation in which it happened.
    pub const fn op(&self) -> &'static str {
        self.op
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store {} during {}: {}", self.kind.as_str(), self.op, self.source)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({self})")
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
