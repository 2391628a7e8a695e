//! Exceptions, in `xtask/tidy-allow.txt`: one a line, `rule subject reason`.
//!
//! The subject is a path, or `path::function`. An exception without a reason, or that excepts nothing any more, is
//! itself a finding, so the list stays short and true.

use super::finding::Finding;
use super::tree::{SourceFile, Tree};

const RULE: &str = "exception";
const FILE: &str = "xtask/tidy-allow.txt";

/// The findings that no exception covers, and what is wrong with the exceptions.
pub(crate) fn apply(tree: &Tree, found: Vec<Finding>) -> Vec<Finding> {
    let Some(file) = tree.file(FILE) else {
        return found;
    };
    let exceptions: Vec<_> = exceptions_of(file).collect();
    let mut left = Vec::new();
    for exception in &exceptions {
        if exception.reason.is_empty() {
            let what = format!("the exception for `{}` has no reason", exception.subject);
            left.push(Finding::new(RULE, FILE, exception.line, what, "write why after the subject"));
        } else if !found.iter().any(|finding| exception.covers(finding)) {
            let what = format!("`{} {}` excepts nothing", exception.rule, exception.subject);
            left.push(Finding::new(RULE, FILE, exception.line, what, "take the line out"));
        }
    }
    left.extend(found.into_iter().filter(|finding| !exceptions.iter().any(|exception| exception.covers(finding))));
    left
}

/// A line of the file.
struct Exception<'a> {
    line: usize,
    rule: &'a str,
    subject: &'a str,
    reason: &'a str,
}

impl Exception<'_> {
    fn covers(&self, finding: &Finding) -> bool {
        !self.reason.is_empty() && self.rule == finding.rule && self.subject == finding.subject
    }
}

fn exceptions_of(file: &SourceFile) -> impl Iterator<Item = Exception<'_>> {
    file.numbered().filter(|(_, text)| !text.starts_with('#') && !text.trim().is_empty()).map(|(line, text)| {
        let (rule, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let (subject, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Exception { line, rule, subject, reason: reason.trim() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(subject: &str) -> Finding {
        Finding::new("function-size", "a.rs", 1, "long", "split").about(subject.to_owned())
    }

    #[test]
    fn an_exception_with_a_reason_covers_its_finding_alone() {
        let tree = Tree::of(&[(FILE, "# why\n\nfunction-size  a.rs::long  one table, read top down\n")]);
        let left = apply(&tree, vec![finding("a.rs::long"), finding("a.rs::other")]);
        assert_eq!(left, [finding("a.rs::other")]);
    }

    #[test]
    fn an_exception_without_a_reason_covers_nothing_and_is_found() {
        let tree = Tree::of(&[(FILE, "function-size a.rs::long\n")]);
        let left = apply(&tree, vec![finding("a.rs::long")]);
        assert_eq!(left.len(), 2);
        assert_eq!((left[0].rule, left[0].line), (RULE, 1));
    }

    #[test]
    fn an_exception_that_excepts_nothing_is_found() {
        let tree = Tree::of(&[(FILE, "file-size gone.rs it was long once\n")]);
        let left = apply(&tree, Vec::new());
        assert_eq!(left.len(), 1);
        assert!(left[0].what.contains("excepts nothing"));
    }
}
