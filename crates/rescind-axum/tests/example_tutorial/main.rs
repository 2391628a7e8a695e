//! The example `tutorial` as the tutorial's reader meets it: its steps, its errors row by row, and the faults of the old
//! one that are not there any more (`docs/from-the-fastapi-tutorial.md`).
#![cfg(test)]

#[path = "../example/mod.rs"]
mod example;
mod faults;
#[path = "../oidc/key.rs"]
#[expect(dead_code, reason = "the hostile provider's other keys")]
mod key;
#[path = "../oidc/provider.rs"]
#[expect(dead_code, reason = "what the hostile provider does wrong elsewhere")]
mod provider;
mod refusals;
mod service;
mod steps;
mod trouble;
mod users;
