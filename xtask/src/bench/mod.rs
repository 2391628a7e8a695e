//! `cargo xtask bench`: runs every benchmark, prints one table with machine and date, holds the figures against the
//! goals, and writes `docs/performance.md`. Owns the order; what is measured stands in the crates' `benches/`.

mod cargo;
mod goals;
mod http;
mod machine;
mod page;
mod report;

use std::path::Path;
use std::process::ExitCode;

use self::cargo::Harness;
use self::page::Part;
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

/// Benchmarks of many nodes on one store: name, and what they are about.
const NODE_BENCHES: [(&str, &str); 3] = [
    ("postgres", "Postgres, the store alone"),
    ("redis", "Redis, the store alone"),
    ("nodes", "Three nodes on one store"),
];

/// What is built for them, always the same, so that nothing is built twice.
const NODE_SELECTION: [&str; 6] = [
    "--package",
    "rescind-stores",
    "--package",
    "rescind-server",
    "--features",
    "rescind-stores/postgres,rescind-stores/redis",
];

/// What went wrong with a benchmark, in a sentence.
type Failed = Box<dyn std::error::Error>;

/// Runs everything, or only what is named: a benchmark of the list above, or `http`. With `--nodes` it runs those of many
/// nodes instead.
pub(crate) fn run(root: &Path, arguments: &[String]) -> ExitCode {
    let named: Vec<_> = arguments.iter().filter(|argument| *argument != "--nodes").map(String::as_str).collect();
    let part = if named.len() < arguments.len() { Part::Nodes } else { Part::Main };
    let measured = match part {
        Part::Main => measure(root, &named),
        Part::Nodes => measure_nodes(root, &named),
    };
    match measured {
        Ok(report) => {
            let text = report.text(part);
            print!("{text}");
            let page = root.join("docs/performance.md");
            let old = std::fs::read_to_string(&page).unwrap_or_default();
            if named.is_empty() && std::fs::write(page, page::with(&old, part, &text)).is_err() {
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

fn measure(root: &Path, named: &[&str]) -> Result<Report, Failed> {
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let mut report = Report::default();
    for (package, name, harness, about) in BENCHES {
        if wanted(name) {
            eprintln!("measuring {package} {name} …");
            report.section(about, cargo::bench(root, &["--package", package], name, harness)?);
        }
    }
    if wanted("http") {
        eprintln!("measuring over HTTP …");
        report.section("Over HTTP: server on one core, wrk on the other", http::bench(root)?);
    }
    Ok(report)
}

fn measure_nodes(root: &Path, named: &[&str]) -> Result<Report, Failed> {
    let mut report = Report::default();
    for (name, about) in NODE_BENCHES {
        if named.is_empty() || named.contains(&name) {
            eprintln!("measuring {name} …");
            report.section(about, cargo::bench(root, &NODE_SELECTION, name, Harness::Own)?);
        }
    }
    Ok(report)
}
