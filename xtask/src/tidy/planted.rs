//! Planted bugs do not rot: every patch in `tests/planted` has its head, still applies to the tree, and is caught by tests
//! that exist. Whether they do catch it, `cargo xtask torture --prove` says.

use std::path::Path;
use std::process::Command;

use super::finding::Finding;
use super::tree::Tree;
use crate::prove::bug::{Bug, FOLDER};

/// Patches that prove nothing any more.
pub(crate) fn check(tree: &Tree, root: &Path) -> Vec<Finding> {
    judge(tree, |path| applies(root, path))
}

fn judge(tree: &Tree, applies: impl Fn(&str) -> Result<(), String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(name) = file.path.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/')) else { continue };
        let mut add = |line, what: String, remedy: &str| {
            findings.push(Finding::new("planted", &file.path, line, what, remedy));
        };
        let bug = match name.strip_suffix(".patch").map(|name| Bug::read(name, &file.text)) {
            None => {
                add(1, "it is no patch".to_owned(), "keep nothing but NN-name.patch here");
                continue;
            }
            Some(Err(why)) => {
                add(1, format!("its head is not one of a planted bug: {why}"), "see the other patches");
                continue;
            }
            Some(Ok(bug)) => bug,
        };
        for test in missing(tree, &bug.caught_by) {
            add(2, format!("there is no test program `{test}`"), "name the one that catches this bug");
        }
        if let Err(why) = applies(&file.path) {
            add(1, format!("it does not apply: {why}"), "plant the same bug in the code as it is now");
        }
    }
    findings
}

/// The test programs that a command names and the tree has not.
fn missing<'a>(tree: &Tree, command: &'a str) -> Vec<&'a str> {
    let words: Vec<&str> = command.split(' ').collect();
    let named = words.windows(2).filter_map(|pair| match pair {
        ["--test", name] => Some(*name),
        _ => None,
    });
    let is_there = |name: &str| {
        let ends = [format!("/tests/{name}.rs"), format!("/tests/{name}/main.rs")];
        tree.rust().any(|file| ends.iter().any(|end| file.path.ends_with(end)))
    };
    named.filter(|name| !is_there(name)).collect()
}

fn applies(root: &Path, path: &str) -> Result<(), String> {
    let output = Command::new("git").current_dir(root).args(["apply", "--check", path]).output();
    let output = output.map_err(|why| format!("git cannot be run: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "bug: it forgets\ncaught-by: cargo nextest run --test memory\ncaught-as: all_is_there\n\n\
                         diff --git a/x b/x\n";

    fn found(name: &str, text: &str, applies: &Result<(), String>) -> Vec<String> {
        let path = format!("{FOLDER}/{name}");
        let tree = Tree::of(&[(&path, text), ("crates/a/tests/memory/main.rs", "//! Tests.\n")]);
        judge(&tree, |_| applies.clone()).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_patch_that_applies_and_names_its_tests_is_good() {
        assert_eq!(found("01-forgets.patch", PATCH, &Ok(())), Vec::<String>::new());
    }

    #[test]
    fn a_patch_that_has_rotted_is_named() {
        let rotted = Err("error: patch failed: x:1".to_owned());
        assert_eq!(found("01-forgets.patch", PATCH, &rotted), ["it does not apply: error: patch failed: x:1"]);
        let renamed = PATCH.replace("memory", "remembering");
        assert_eq!(found("01-forgets.patch", &renamed, &Ok(())), ["there is no test program `remembering`"]);
    }

    #[test]
    fn nothing_else_lies_among_the_patches() {
        assert_eq!(found("notes.md", "notes", &Ok(())), ["it is no patch"]);
        assert_eq!(found("01-forgets.patch", "diff --git a/x b/x", &Ok(())).len(), 1);
    }
}
