//! docs/standards.md and docs/incidents.md are what `cargo xtask standards` writes: each line has a test that says so
//! itself, or a reason, and no test names a line that is not there.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::Tree;
use crate::standards::{Annotation, DOCUMENTS, Line, Lines, read, written};

const RULE: &str = "evidence";
/// How a reason begins that stands in place of a test.
const REASONS: [&str; 2] = ["does not apply, because ", "not yet"];

/// Where data, tests and documents disagree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let (annotations, faults) = read(tree);
    let mut found: Vec<_> = faults
        .iter()
        .map(|(path, at, what)| {
            Finding::new(RULE, path, *at, *what, "put it right above the test that holds the lines")
        })
        .collect();
    let mut known = BTreeSet::new();
    for (source, document) in DOCUMENTS {
        let Some(file) = tree.file(source) else {
            found.push(Finding::new(
                RULE,
                source,
                1,
                "the lines are missing",
                "write them: one number after the other",
            ));
            continue;
        };
        match Lines::parse(&file.text) {
            Ok(lines) => {
                known.extend(lines.all().flat_map(|line| line.from..=line.to).map(|no| (lines.prefix.clone(), no)));
                found.extend(unanswered(source, &lines, &annotations));
                if tree.file(document).is_none_or(|it| it.text != written(&lines, &annotations)) {
                    let what = "the document is not what its lines and the tests say";
                    found.push(Finding::new(RULE, document, 1, what, "run `cargo xtask standards`"));
                }
            }
            Err(why) => found.push(Finding::new(RULE, source, 1, why, "mend it")),
        }
    }
    found.extend(annotations.iter().filter(|it| !known.contains(&(it.prefix.clone(), it.number))).map(|it| {
        let what = format!("there is no line {}{}", it.prefix, it.number);
        Finding::new(RULE, &it.path, it.at, what, "name a line of docs/standards.toml or docs/incidents.toml")
    }));
    found
}

/// Lines with neither a test nor a reason.
fn unanswered(source: &str, lines: &Lines, annotations: &[Annotation]) -> Vec<Finding> {
    let held = |line: &Line| annotations.iter().any(|it| it.prefix == lines.prefix && line.has(it.number));
    let reasoned = |note: &str| REASONS.iter().any(|reason| note.starts_with(reason));
    lines
        .all()
        .filter(|line| !held(line) && !reasoned(&line.note))
        .map(|line| {
            let what = format!("{}{} has no answer", lines.prefix, line.from);
            let remedy = "name it above a test that holds it, or note `does not apply, because …` or `not yet`";
            Finding::new(RULE, source, 1, what, remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title = 'T'\ncolumn = 'asked'\n[[sections]]\n";

    fn whats(lines: &str, tests: &str) -> Vec<String> {
        let incidents = format!("{HEAD}[[sections.lines]]\nno = 1\nasks = 'x'\nnote = 'not yet'\n");
        let incidents = format!("prefix = 'R'\n{incidents}");
        let standards = format!("{HEAD}{lines}");
        let mut files =
            vec![("docs/standards.toml", standards.as_str()), ("docs/incidents.toml", &incidents), ("a/x.rs", tests)];
        let (annotations, _) = read(&Tree::of(&files));
        let documents = DOCUMENTS.map(|(source, document)| {
            let text = files.iter().find(|(path, _)| *path == source).map_or("", |(_, text)| text);
            (document, Lines::parse(text).map(|lines| written(&lines, &annotations)).unwrap_or_default())
        });
        files.extend(documents.iter().map(|(path, text)| (*path, text.as_str())));
        check(&Tree::of(&files)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_line_has_a_test_or_a_reason() {
        let line = |note: &str| format!("[[sections.lines]]\nno = 1\nasks = 'x'\nnote = '{note}'\n");
        assert_eq!(whats(&line(""), "// holds: 1\n#[test]\nfn it() {}\n"), Vec::<String>::new());
        assert_eq!(whats(&line("does not apply, because y"), ""), Vec::<String>::new());
        assert_eq!(whats(&line("it is held, surely"), ""), ["1 has no answer"]);
    }

    #[test]
    fn a_test_may_hold_any_line_of_a_row_of_several() {
        let row = "[[sections.lines]]\nno = 1\nto = 3\nasks = 'x'\n";
        assert_eq!(whats(row, "// holds: 3\n#[test]\nfn it() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn a_test_names_lines_that_exist() {
        let line = "[[sections.lines]]\nno = 1\nasks = 'x'\n";
        assert_eq!(
            whats(line, "// holds: 1, 2, R9\n#[test]\nfn it() {}\n"),
            ["there is no line 2", "there is no line R9"]
        );
    }

    #[test]
    fn a_document_that_was_edited_by_hand_is_found() {
        let lines = format!("{HEAD}[[sections.lines]]\nno = 1\nasks = 'x'\nnote = 'not yet'\n");
        let tree = Tree::of(&[
            ("docs/standards.toml", &lines),
            ("docs/standards.md", "# T\n"),
            ("docs/incidents.toml", "prefix = 'R'\n"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|finding| finding.file).collect();
        assert_eq!(found, ["docs/standards.md", "docs/incidents.md"]);
    }
}
