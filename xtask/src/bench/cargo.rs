//! Runs one benchmark of a crate and reads its figures: criterion's own lines, and lines `figure <name> = <value> <unit>`
//! of benchmarks that measure what criterion cannot.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Failed;
use super::report::Figure;

/// What runs a benchmark.
#[derive(Clone, Copy)]
pub(super) enum Harness {
    /// criterion, which is asked for a line a figure.
    Criterion,
    /// The benchmark itself; it takes no options.
    Own,
}

/// Runs `cargo bench --bench name` with what selects the package and its features.
pub(super) fn bench(root: &Path, selection: &[&str], name: &str, harness: Harness) -> Result<Vec<Figure>, Failed> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["bench", "--quiet"]).args(selection).args(["--bench", name]);
    if let Harness::Criterion = harness {
        cargo.args(["--", "--output-format", "bencher"]);
    }
    let output = cargo.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`cargo bench --bench {name}` failed").into());
    }
    let figures: Vec<Figure> = String::from_utf8(output.stdout)?.lines().filter_map(figure).collect();
    if figures.is_empty() {
        return Err(format!("`cargo bench --bench {name}` printed no figure").into());
    }
    Ok(figures)
}

fn figure(line: &str) -> Option<Figure> {
    if let Some(own) = line.strip_prefix("figure ") {
        let (name, figure) = own.rsplit_once(" = ")?;
        // A count has no unit.
        let (value, unit) = figure.split_once(' ').unwrap_or((figure, ""));
        return Some(Figure::new(name, value.parse().ok()?, unit));
    }
    // test check/repeated EdDSA ... bench:         279 ns/iter (+/- 12)
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (value, _) = rest.split_once("ns/iter")?;
    Some(Figure::new(name, value.trim().replace(',', "").parse().ok()?, "ns"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_lines_are_read() {
        let line = "test check/repeated EdDSA ... bench:       1,279 ns/iter (+/- 12)";
        assert_eq!(figure(line), Some(Figure::new("check/repeated EdDSA", 1279.0, "ns")));
        let line = "figure resident bytes per entry at 10M = 23.4 B";
        assert_eq!(figure(line), Some(Figure::new("resident bytes per entry at 10M", 23.4, "B")));
        let line = "figure Redis: 1/s, samples = 40";
        assert_eq!(figure(line), Some(Figure::new("Redis: 1/s, samples", 40.0, "")));
        assert_eq!(figure("Gnuplot not found"), None);
    }
}
