//! The chain tag: a digest over the whole log up to an entry, so that a log that was cut, forked or edited does
//! not fit what a node has already seen. Owns the digest's input; keeps no state.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use super::{Act, Entry};
use crate::position::Incarnation;

/// The digest of the log up to and including an entry.
///
/// **Shape:** the first 16 bytes of SHA-256 over the previous tag and the entry's fields, each with its length
/// before it; 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainTag([u8; 16]);

impl ChainTag {
    /// The tag before an incarnation's first entry.
    pub fn genesis(incarnation: Incarnation) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"rescind log v1");
        context.update(incarnation.as_bytes());
        Self::finish(context)
    }

    /// The tag after `entry`.
    #[must_use]
    pub fn next(self, entry: &Entry) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&entry.seq.get().to_be_bytes());
        context.update(&entry.at.as_millis().to_be_bytes());
        context.update(&entry.remember_until.as_millis().to_be_bytes());
        // 0 is no position of an entry, so a cut-off and a lift never have the same bytes.
        let lifted = match entry.act {
            Act::CutOff => 0,
            Act::Lift { of } => of.get(),
        };
        context.update(&lifted.to_be_bytes());
        for text in [entry.scope.kind().as_str(), &entry.scope.id(), entry.reason.as_str(), entry.actor.as_str()] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        Self::finish(context)
    }

    /// Reads the 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn finish(context: Context) -> Self {
        let digest = context.finish();
        let mut tag = [0; 16];
        tag.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(tag)
    }
}

impl fmt::Display for ChainTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChainTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainTag({self})")
    }
}
