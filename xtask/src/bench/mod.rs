//! `cargo xtask bench`: runs every benchmark, prints one table with machine and date, holds the figures against the
//! goals, and writes `docs/performance.md`. Owns the order; what is measured stands in the crates' `benches/`.

mod cargo;
mod goals;
mod http;
mod machine;
mod report;

use std::path::Path;
use std::process::ExitCode;

use self::cargo::Harness;
use self::report::Report;

/// Benchmarks of the crates: package, name, and what they are about.
const BENCHES: [(&str, &str, Harness, &str); 6] = [
    (
        "rescind",
        "tokens",
        Harness::Criterion,
        "Tokens: the bare primitive, the whole check or issue without a cache, and jsonwebtoken",
    ),
    ("rescind", "check", Harness::Criterion, "The whole check through the handle, a million cut-offs in the view"),
    ("rescind", "view", Harness::Criterion, "The view"),
    ("rescind", "view_limits", Harness::Own, "The view: memory, and the longest look-up"),
    (
        "rescind-axum",
        "layer",
        Harness::Own,
        "The layer on a bare service: all on one core, wrk on the other, EdDSA token repeated",
    ),
    ("rescind-stores", "sqlite", Harness::Own, "SQLite, each acknowledged after the flush to stable storage"),
];

/// The heading from which on the page is written by hand.
const WORDS: &str = "## Where a goal is missed";

/// What went wrong with a benchmark, in a sentence.
type Failed = Box<dyn std::error::Error>;

/// Runs everything, or only what is named: a benchmark of the list above, or `http`.
pub(crate) fn run(root: &Path, named: &[String]) -> ExitCode {
    match measure(root, named) {
        Ok(report) => {
            let text = report.text();
            print!("{text}");
            let page = root.join("docs/performance.md");
            // What a person wrote about the figures stays.
            let words = std::fs::read_to_string(&page).unwrap_or_default();
            let words = words.find(WORDS).and_then(|at| words.get(at..)).map(|words| format!("\n{words}"));
            if named.is_empty() && std::fs::write(page, text + &words.unwrap_or_default()).is_err() {
                eprintln!("docs/performance.md could not be written");
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the benchmarks did not end: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(root: &Path, named: &[String]) -> Result<Report, Failed> {
    let wanted = |name: &str| named.is_empty() || named.iter().any(|one| one == name);
    let mut report = Report::default();
    for (package, name, harness, about) in BENCHES {
        if wanted(name) {
            eprintln!("measuring {package} {name} …");
            report.section(about, cargo::bench(root, package, name, harness)?);
        }
    }
    if wanted("http") {
        eprintln!("measuring over HTTP …");
        report.section("Over HTTP: server on one core, wrk on the other", http::bench(root)?);
    }
    Ok(report)
}
