//! HTTP: the routers of both listeners, and what they share. Each handler owns its own route.

pub(crate) mod admin;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod chunks;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod forwarded;
mod framing;
mod host;
pub(crate) mod listen;
pub(crate) mod openapi;
mod places;
pub(crate) mod public;
pub(crate) mod record;
pub(crate) mod segment;
mod stall;
pub(crate) mod token_pair;

use self::error::Failure;

/// What is answered where no route is.
pub(crate) async fn no_such_route() -> Failure {
    Failure::not_found("there is nothing at this path")
}

/// What is answered where a route is, but not for this method. The router adds `Allow`.
pub(crate) async fn no_such_method() -> Failure {
    Failure::method_not_allowed()
}
