//! Positions: of an entry in the log ([`Seq`]), of a token in its session ([`Generation`]), and of a log among
//! the logs that a store ever held ([`Incarnation`]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A position in the revocation log, the only clock that revocation knows. The first entry is 1; 0 stands before all.
///
/// **Source:** DESIGN of the log: a token is revoked iff a cut-off on one of its scopes has a higher position than the token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);
    /// The highest position that a token or a store may hold: it survives JSON readers that keep 53 bits.
    pub const MAX: Self = Self((1 << 53) - 1);
    /// How far a new incarnation jumps ahead of every position known, so that a token from a lost future stays below it.
    pub const JUMP: u64 = 1 << 32;

    /// Wraps a number.
    pub const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The position `distance` further on.
    #[must_use]
    pub const fn plus(self, distance: u64) -> Self {
        Self(self.0.saturating_add(distance))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seq({})", self.0)
    }
}

/// How many times a session's refresh token has been rotated. The token given at sign-in is generation 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// The generation of the token given at sign-in.
    pub const FIRST: Self = Self(0);

    /// Wraps a number.
    pub const fn new(generation: u64) -> Self {
        Self(generation)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one history of a store's log. A store that lost or forked its history goes on under a new one.
///
/// **Shape:** 16 random bytes; 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incarnation([u8; 16]);

impl Incarnation {
    /// Reads the 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incarnation({self})")
    }
}
