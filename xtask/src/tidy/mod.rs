//! Style as a test: reads the whole tree, runs every rule over it, prints what is wrong and how to mend it.
//!
//! A rule is a plain function from the tree to findings, in a file of its own; this file only lists them. To add one,
//! write the file and add a line to `findings_of`. Rules know nothing of the exceptions in `xtask/tidy-allow.txt`.

use std::path::Path;
use std::process::ExitCode;

mod allow;
mod arrows;
mod evidence;
mod finding;
mod manifests;
mod map;
mod openings;
mod sizes;
mod sleeping;
mod source;
pub(crate) mod tree;
mod words;

use finding::Finding;
use tree::Tree;

/// Checks the tree under `root`; exit code 1 if anything was found.
pub(crate) fn run(root: &Path) -> ExitCode {
    match check(root) {
        Ok(findings) if findings.is_empty() => {
            println!("tidy: nothing to mend");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("tidy: {} to mend", findings.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("tidy could not run: {why}");
            ExitCode::FAILURE
        }
    }
}

fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::load(root)?;
    let crates = arrows::Crates::load(root)?;
    let found = findings_of(&tree, &crates);
    let mut left = allow::apply(&tree, found);
    left.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(left)
}

fn findings_of(tree: &Tree, crates: &arrows::Crates) -> Vec<Finding> {
    [
        sizes::check(tree),
        openings::check(tree),
        map::check(tree),
        arrows::check(tree, crates),
        manifests::check(tree),
        words::check(tree),
        sleeping::check(tree),
        evidence::check(tree),
    ]
    .concat()
}
