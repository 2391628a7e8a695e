//! The revocation log's words: what a cut-off stands on ([`Scope`]), what an entry says ([`Entry`]), and how
//! entries are chained ([`ChainTag`]). Knows no store and no token.

mod entry;
mod scope;
mod tag;

pub use entry::{Act, CutOff, Entry, NewEntry, Text, TextInvalid};
pub use scope::{ForeignName, InvalidScope, Scope, ScopeKind, SessionRef, TokenRef};
pub use tag::ChainTag;
