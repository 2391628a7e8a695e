//! No file of more than 400 lines, no function of more than 70: what no longer fits in the head asks to be split.

use super::finding::Finding;
use super::source::{code_only, functions};
use super::tree::Tree;

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 70;

/// Files and functions that are too long.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            let what = format!("{lines} lines, and the limit is {FILE_LINES}");
            found.push(Finding::new("file-size", &file.path, 1, what, "split it by what it holds"));
        }
        for function in functions(&code_only(&file.text)) {
            if function.lines > FUNCTION_LINES {
                let what =
                    format!("`{}` has {} lines, and the limit is {FUNCTION_LINES}", function.name, function.lines);
                let finding = Finding::new("function-size", &file.path, function.line, what, "take a step out of it");
                found.push(finding.about(format!("{}::{}", file.path, function.name)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
        let at_limit = "//\n".repeat(FILE_LINES);
        let above = "//\n".repeat(FILE_LINES + 1);
        let found = check(&Tree::of(&[("a.rs", &at_limit), ("b.rs", &above), ("c.md", &above)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "b.rs");
    }

    #[test]
    fn a_long_function_is_named_with_its_line() {
        let text = format!("//! x\nfn short() {{}}\nfn long() {{\n{}}}\n", "    step();\n".repeat(FUNCTION_LINES - 1));
        let found = check(&Tree::of(&[("a.rs", &text)]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].subject.as_str()), (3, "a.rs::long"));
    }
}
