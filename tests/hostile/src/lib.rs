//! What strangers send, each kind as a plain function of bytes that panics where a promise does not hold. `fuzz/` gives
//! the functions to a fuzzer; the tests here replay what it found worth keeping, on every run and without one. Owns the
//! inputs and what is asked of every answer; no rule of Rescind's stands here.
//!
//! What is asked beyond "no panic": what is accepted reads back as the same text or means the same, what is refused has a
//! reason, and nothing that was refused has changed anything.
//!
//! The server is a program and no library: the files of its configuration and of its admin bodies are compiled in here
//! once more.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a fuzzer hears of a fault"
)]

pub mod dice;
pub mod forge;
pub mod ground;
pub mod targets;

#[path = "../../../crates/rescind-server/src/config/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the server's own file; only what reads and refuses is called here")]
mod config;
#[path = "../../../crates/rescind-server/src/data_dir.rs"]
#[expect(dead_code, reason = "the server's own file, for the configuration's check of a file's mode")]
mod data_dir;
#[path = "../../../crates/rescind-server/src/environment.rs"]
#[expect(dead_code, reason = "the server's own file, for the names of variables in the configuration's messages")]
mod environment;
#[path = "../../../crates/rescind/tests/handle/naive.rs"]
mod model;
#[path = "../../../crates/rescind/tests/handle/support/mod.rs"]
mod support;
#[path = "../../../crates/rescind-server/src/wire/mod.rs"]
#[expect(dead_code, reason = "the server's own file; only what is read from requests is called here")]
mod wire;
