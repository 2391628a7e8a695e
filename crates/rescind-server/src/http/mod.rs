//! HTTP: the two routers, and what they share. Owns which routes there are; each handler owns its own route.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod listen;
pub(crate) mod public;
