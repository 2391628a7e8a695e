//! A service that only checks, without a store: it follows another node's log over HTTP and verifies by the issuer's
//! published keys. Every check, bound and policy is the same as beside a store; the [manual](crate::manual::following)
//! has the page. Owns the wiring; each part is a file of its own.

mod builder;
mod keys;
mod lines;
mod store;
mod stream;
mod upstream;
pub mod wire;

use rescind::Rescind;

pub use self::builder::{FollowBuilder, FollowError, Following};
pub use self::store::FeedStore;

/// Gives [`Rescind`] its other beginning.
pub trait Follow {
    /// Starts building a handle that follows the node whose admin listener is at `url`.
    fn follow(url: impl Into<String>) -> FollowBuilder;
}

impl Follow for Rescind {
    fn follow(url: impl Into<String>) -> FollowBuilder {
        FollowBuilder::new(url.into())
    }
}
