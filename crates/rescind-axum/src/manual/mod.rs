//! How to do what: a page for each task, with an example that compiles.
//!
//! | to | read |
//! |---|---|
//! | let nobody in without a good token | [`protecting`] |
//! | ask for a scope, or for a sign-in that is not long ago | [`scopes`] |
//! | put claims of your own into tokens, and read them | [`claims`] |
//! | keep a browser's tokens in cookies, safe from other sites | [`cookies`] |
//! | get refresh, logout and sessions without writing them | [`ready_made`] |
//! | answer refusals in another system's words | [`other_words`] |
//! | check tokens in a service that has no store | [`following`] |
//! | say what a route does while the revocation log cannot be followed | [`stale_views`] |
//! | add a check of your own, and hear of what happens | [`callbacks`] |
//! | test an application that uses Rescind | [`testing`] |

pub mod callbacks;
pub mod claims;
pub mod cookies;
pub mod following;
pub mod other_words;
pub mod protecting;
pub mod ready_made;
pub mod scopes;
pub mod stale_views;
pub mod testing;
