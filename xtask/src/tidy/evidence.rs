//! docs/standards.md and docs/incidents.md against the tree: every test that they name exists, every line has an answer,
//! and no number is left out.
//!
//! A test is named `file.rs::function` in backquotes, the file by the end of its path, which only one file may have. A
//! line is a row of a table whose first cell is its number, or two with a dash between them.

use super::finding::Finding;
use super::source::{code_only, functions};
use super::tree::{SourceFile, Tree};

const RULE: &str = "evidence";
/// The documents, what their numbers begin with, and the last number.
const DOCUMENTS: [(&str, &str, u32); 2] = [("docs/standards.md", "", 142), ("docs/incidents.md", "R", 37)];
/// What a line may say in place of a test.
const REASONS: [&str; 2] = ["does not apply, because ", "not yet"];

/// Where documents and tree disagree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, prefix, last) in DOCUMENTS {
        match tree.file(path) {
            Some(document) => {
                found.extend(unfounded(tree, document));
                found.extend(unanswered(document, prefix, last));
            }
            None => found.push(Finding::new(RULE, path, 1, "the document is missing", "write it: one row a number")),
        }
    }
    found
}

/// Names of tests that do not exist, or that could mean two.
fn unfounded(tree: &Tree, document: &SourceFile) -> Vec<Finding> {
    let named =
        document.numbered().flat_map(|(line, text)| text.split('`').skip(1).step_by(2).map(move |it| (line, it)));
    named
        .filter_map(|(line, name)| {
            let (file, function) = name.split_once(".rs::")?;
            let (what, remedy) = fault_of(tree, &format!("{file}.rs"), function)?;
            Some(Finding::new(RULE, &document.path, line, format!("`{name}`: {what}"), remedy))
        })
        .collect()
}

fn fault_of(tree: &Tree, file: &str, function: &str) -> Option<(&'static str, &'static str)> {
    let end = format!("/{file}");
    let mut files = tree.rust().filter(|it| it.path == file || it.path.ends_with(&end));
    match (files.next(), files.next()) {
        (None, _) => Some(("no file's path ends like this", "name the file as it is called now")),
        (Some(_), Some(_)) => Some(("more than one file's path ends like this", "name more of the path")),
        (Some(it), None) if functions(&code_only(&it.text)).iter().any(|found| found.name == function) => None,
        (Some(_), None) => Some(("the file has no such test", "name the test that holds the line now, or write it")),
    }
}

/// Numbers left out or out of order, and lines that name neither a test nor a reason.
fn unanswered(document: &SourceFile, prefix: &str, last: u32) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut next = 1;
    for (line, text) in document.numbered() {
        let Some((from, to)) = numbers_of(text, prefix) else { continue };
        let mut add = |what: String, remedy| found.push(Finding::new(RULE, &document.path, line, what, remedy));
        if from != next || to < from {
            add(format!("{prefix}{next} should stand here"), "give every number one row, in order");
        }
        if !text.contains(".rs::") && !REASONS.iter().any(|reason| text.contains(reason)) {
            let remedy = "name a test, or say `does not apply, because …` or `not yet`";
            add(format!("{prefix}{from} has no answer"), remedy);
        }
        next = to + 1;
    }
    if next != last + 1 {
        let what = format!("the rows end before {prefix}{next}, and the last is {prefix}{last}");
        found.push(Finding::new(RULE, &document.path, 1, what, "give every number one row"));
    }
    found
}

/// The numbers of a table's row, first and last.
fn numbers_of(text: &str, prefix: &str) -> Option<(u32, u32)> {
    let (cell, _) = text.strip_prefix("| ")?.strip_prefix(prefix)?.split_once(" |")?;
    let (from, to) = cell.split_once('–').unwrap_or((cell, cell));
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> SourceFile {
        SourceFile { path: "docs/standards.md".to_owned(), text: text.to_owned() }
    }

    fn whats(found: Vec<Finding>) -> Vec<String> {
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_test_that_is_not_there_or_could_be_two_is_found() {
        let tree = Tree::of(&[
            ("crates/a/tests/x.rs", "#[test]\nfn it_holds() {}\n// fn it_was() {}\n"),
            ("crates/a/src/y.rs", "fn it_holds() {}"),
            ("crates/b/src/y.rs", "fn it_holds() {}"),
        ]);
        let good = document("`tests/x.rs::it_holds`, `crates/b/src/y.rs::it_holds`; `x.rs` and it_was::y");
        assert_eq!(whats(unfounded(&tree, &good)), Vec::<String>::new());
        let bad = document("`tests/x.rs::it_was`\n`src/z.rs::it_holds`\n`src/y.rs::it_holds`");
        let expected = [
            "`tests/x.rs::it_was`: the file has no such test",
            "`src/z.rs::it_holds`: no file's path ends like this",
            "`src/y.rs::it_holds`: more than one file's path ends like this",
        ];
        assert_eq!(whats(unfounded(&tree, &bad)), expected);
    }

    #[test]
    fn every_number_has_one_row_with_an_answer() {
        let good =
            document("| no. | x |\n| R1 | `a.rs::b` |\n| R2–4 | not yet |\n| R5 | does not apply, because x |\n");
        assert_eq!(whats(unanswered(&good, "R", 5)), Vec::<String>::new());
        let bad = document("| 1 | not yet |\n| 3 | surely |\n");
        let expected = ["2 should stand here", "3 has no answer", "the rows end before 4, and the last is 5"];
        assert_eq!(whats(unanswered(&bad, "", 5)), expected);
    }
}
