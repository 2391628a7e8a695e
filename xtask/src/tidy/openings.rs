//! Every Rust file opens with `//!`: what it owns and what it must not know.

use super::finding::Finding;
use super::tree::Tree;

/// Files that do not say what they own in their first line.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| {
            let remedy = "open it with `//!`: what it owns, what it must not know, which RFC it follows";
            Finding::new("opening", &file.path, 1, "the file does not say what it owns", remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        let tree = Tree::of(&[
            ("good.rs", "//! Owns goodness.\n"),
            ("late.rs", "use std::fs;\n//! Too late.\n"),
            ("empty.rs", ""),
            ("bare.rs", "//!\n"),
            ("notes.md", "no code"),
        ]);
        let files: Vec<_> = check(&tree).into_iter().map(|finding| finding.file).collect();
        assert_eq!(files, ["late.rs", "empty.rs", "bare.rs"]);
    }
}
