//! Chores of this repository: `cargo xtask <chore>`.
//!
//! Owns the list of chores and nothing else; each chore is a module. Knows none of our crates, so that it builds while
//! they do not.

use std::process::ExitCode;

mod tidy;

fn main() -> ExitCode {
    let chore = std::env::args().nth(1);
    match chore.as_deref() {
        Some("tidy") => tidy::run(),
        Some(other) => usage(&format!("there is no chore `{other}`")),
        None => usage("a chore is missing"),
    }
}

/// Says which chores there are; exit code 2, as for every wrong command line.
fn usage(what: &str) -> ExitCode {
    eprintln!("{what}; the chores are:\n  cargo xtask tidy    style of the house, as a test");
    ExitCode::from(2)
}
