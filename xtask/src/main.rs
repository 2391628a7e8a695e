//! Chores of this repository: `cargo xtask <chore>`.
//!
//! Owns the list of chores and nothing else; each chore is a module. Knows none of our crates, so that it builds while
//! they do not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod bench;
mod prove;
mod standards;
mod tidy;
mod torture;

/// The repository that this is run in. Cargo names the manifest's folder at run time too, which stays right where clones
/// share a target folder.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map(Path::to_owned).unwrap_or(here)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next();
    match chore.as_deref() {
        Some("tidy") => tidy::run(&root()),
        Some("standards") => standards::run(&root()),
        Some("bench") => bench::run(&root(), &arguments.collect::<Vec<_>>()),
        Some("torture") => torture(&arguments.collect::<Vec<_>>()),
        Some(other) => usage(&format!("there is no chore `{other}`")),
        None => usage("a chore is missing"),
    }
}

/// The suites that break things on purpose, and the proof that they find what is broken.
fn torture(arguments: &[String]) -> ExitCode {
    match arguments {
        [prove, named @ ..] if prove == "--prove" => prove::run(&root(), named),
        _ => torture::run(&root(), arguments),
    }
}

/// Says which chores there are; exit code 2, as for every wrong command line.
fn usage(what: &str) -> ExitCode {
    eprintln!(
        "{what}; the chores are:\n  \
         cargo xtask tidy             style of the house, as a test\n  \
         cargo xtask standards        writes docs/standards.md and docs/incidents.md from the tests' own words\n  \
         cargo xtask bench [NAME …]   every benchmark, or the named ones, as docs/performance.md shows them\n  \
         cargo xtask bench --nodes [NAME …]   the same of many nodes on one store\n  \
         cargo xtask torture --store sqlite|postgres|redis [--cycles N] [--seed S] …   real servers under faults, judged\n  \
         cargo xtask torture --prove [NAME …]   plants every bug of tests/planted, and demands that its suite finds it"
    );
    ExitCode::from(2)
}
