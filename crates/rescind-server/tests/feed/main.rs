//! The log as others follow it: over the wire, by a service without a store, and through relays. Every server is the
//! real one, and every link that is delayed or cut a real one, too.
#![cfg(test)]

mod crowd;
mod followed;
mod link;
mod outage;
mod relay;
mod slow;
mod snapshot;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod token;
