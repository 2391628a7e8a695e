//! The manual: a page per task. Owns words and examples, and no code.
//!
//! 1. [The first token](first_token): build a handle, open a session, check its access token.
//! 2. [Refresh and reuse](refreshing): what a refresh token is worth, and what becomes of one that was stolen.
//! 3. [Revoke and lift](revoking): logging out, the six scopes, taking a revocation back.
//! 4. [A stale view](stale_view): what is answered while the store is away.
//! 5. [Callbacks](callbacks): the application's own check, its look-up of users, and what it hears.
//! 6. [Choosing and writing a store](stores).
//! 7. [Attacks of the past](attacks), and how the design rules each of them out.
//!
//! The words: a session is *opened* and *ended*; a token, a key or a scope is *revoked*, by a *cut-off* in the *log*; a
//! cut-off is *lifted*. To *verify* a token is to look at its signature and claims, to *check* it is to verify it and
//! to ask the log. A *position* (`seq`) is a place in the log, and the only clock that revocation knows.

pub mod attacks;
pub mod callbacks;
pub mod first_token;
pub mod refreshing;
pub mod revoking;
pub mod stale_view;
pub mod stores;
