//! What attackers try, against the real server: text vectors (`cases/`), one a family, each case with a twin that is the
//! same without the attack and passes, so that a refusal proves something. The files beside this one read, forge and
//! send; what cannot be said in a vector, such as time and memory, is in `flood.rs`, `guess.rs` and `watch.rs`.
#![cfg(test)]

mod families;
mod flood;
mod forge;
mod guess;
#[expect(dead_code, reason = "nobody signs in at the provider here")]
#[path = "../provider/idp.rs"]
mod idp;
mod keys;
mod mutate;
mod recipe;
mod rig;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod vector;
mod watch;
mod wire;
