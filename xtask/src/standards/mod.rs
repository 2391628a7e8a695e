//! docs/standards.md and docs/incidents.md, written from two sources: what is asked, in a data file beside each, and which
//! tests hold it, as the tests say themselves. Owns the documents' look; `tidy` holds the files against it.
//!
//! A test names the lines that it holds in a comment right above it: `// holds: 12, 60 (not-before), R6`, in Python with
//! `#`. The number is a line's of the standards, with an `R` one's of the incidents; what stands behind it in parentheses
//! is said in the document, too.

mod annotations;
mod lines;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

pub(crate) use annotations::{Annotation, read};
pub(crate) use lines::{Line, Lines, Section};

use crate::tidy::tree::Tree;

/// What is asked, and the document that says where it is held.
pub(crate) const DOCUMENTS: [(&str, &str); 2] =
    [("docs/standards.toml", "docs/standards.md"), ("docs/incidents.toml", "docs/incidents.md")];

/// Writes the documents.
pub(crate) fn run(root: &Path) -> ExitCode {
    match write_all(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("the documents were not written: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(root: &Path) -> Result<(), String> {
    let tree = Tree::load(root)?;
    let (annotations, _) = read(&tree);
    for (source, document) in DOCUMENTS {
        let file = tree.file(source).ok_or_else(|| format!("{source} is missing"))?;
        let lines = Lines::parse(&file.text).map_err(|why| format!("{source}: {why}"))?;
        fs::write(root.join(document), written(&lines, &annotations)).map_err(|why| format!("{document}: {why}"))?;
        println!("wrote {document}");
    }
    Ok(())
}

/// The document's text.
pub(crate) fn written(lines: &Lines, annotations: &[Annotation]) -> String {
    let head = format!("# {}\n\n{}\n", lines.title, lines.head.trim_end());
    let table = |section: &Section| {
        let title = if section.title.is_empty() { String::new() } else { format!("\n## {}\n", section.title) };
        let after = if section.after.is_empty() { String::new() } else { format!("\n{}\n", section.after) };
        let rows =
            section.lines.iter().map(|line| row(&lines.prefix, line, &holding(&lines.prefix, line, annotations)));
        let rows: String = rows.collect();
        format!("{title}\n| no. | {} | held by |\n|---|---|---|\n{rows}{after}", lines.column)
    };
    std::iter::once(head).chain(lines.sections.iter().map(table)).collect()
}

/// The tests of a row, in the order of the tree. One that holds several of its lines stands there once for each detail.
fn holding<'a>(prefix: &str, line: &Line, annotations: &'a [Annotation]) -> Vec<&'a Annotation> {
    let mut tests: Vec<&Annotation> = Vec::new();
    for it in annotations.iter().filter(|it| it.prefix == prefix && line.has(it.number)) {
        if !tests.iter().any(|seen| (&seen.path, seen.at, &seen.detail) == (&it.path, it.at, &it.detail)) {
            tests.push(it);
        }
    }
    tests
}

fn row(prefix: &str, line: &Line, tests: &[&Annotation]) -> String {
    let Line { from, to, asks, note } = line;
    let number = if from == to { format!("{prefix}{from}") } else { format!("{prefix}{from}–{to}") };
    let mut parts: Vec<String> = Vec::new();
    let named: Vec<_> = tests.iter().map(|test| named(test)).collect();
    if !named.is_empty() {
        parts.push(named.join(", "));
    }
    if !note.is_empty() {
        parts.push(note.clone());
    }
    format!("| {number} | {asks} | {} |\n", parts.join("; "))
}

/// A test by the end of its file's path and its own name.
fn named(Annotation { path, test, detail, .. }: &Annotation) -> String {
    let ends: Vec<_> = path.split('/').filter(|part| !matches!(*part, "crates" | "src")).collect();
    let name = format!("`{}::{test}`", ends.join("/"));
    if detail.is_empty() { name } else { format!("{name} ({detail})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_a_row_for_each_line_with_its_tests_and_its_note() {
        let lines = "title = 'T'\nhead = 'H'\ncolumn = 'asked'\n[[sections]]\ntitle = 'A. One'\nafter = 'Behind.'\n\
                     [[sections.lines]]\nno = 1\nasks = 'MUST'\nnote = 'and more'\n\
                     [[sections.lines]]\nno = 2\nto = 3\nasks = 'all'\nnote = 'not yet'\n";
        let tree = Tree::of(&[("crates/a/tests/x.rs", "// holds: 1 (so)\n#[test]\nfn it_holds() {}\n")]);
        let text = written(&Lines::parse(lines).unwrap(), &read(&tree).0);
        let expected = "# T\n\nH\n\n## A. One\n\n| no. | asked | held by |\n|---|---|---|\n\
                        | 1 | MUST | `a/tests/x.rs::it_holds` (so); and more |\n| 2–3 | all | not yet |\n\nBehind.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_row_of_several_lines_shows_who_holds_any_of_them() {
        let lines = "column = 'asked'\n[[sections]]\n[[sections.lines]]\nno = 1\nto = 3\nasks = 'all'\n";
        let tree = Tree::of(&[(
            "a/tests/x.rs",
            "// holds: 2, 3\n#[test]\nfn one() {}\n\n// holds: 1\n#[test]\nfn two() {}\n",
        )]);
        let text = written(&Lines::parse(lines).unwrap(), &read(&tree).0);
        assert!(text.ends_with("| 1–3 | all | `a/tests/x.rs::one`, `a/tests/x.rs::two` |\n"), "{text}");
    }
}
