//! ARCHITECTURE.md against the tree: what the map names exists, and what exists is named.
//!
//! The map is the first fenced block under `## Map`. A line at the margin names a folder or file from the root of the
//! repository, a line indented by two names something inside it, deeper lines go on describing. Every `.rs` path
//! anywhere in the document must be the end of a path that exists.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{SourceFile, Tree};

const RULE: &str = "map";
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Where map and tree disagree.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(DOCUMENT) else {
        return vec![Finding::new(RULE, DOCUMENT, 1, "the map is missing", "write it: one line per room of the house")];
    };
    let entries = entries_of(document);
    let mut found = misnamed(tree, &entries);
    found.extend(dead_mentions(tree, document, &entries));
    found.extend(unnamed(tree, &entries));
    found
}

/// A line of the map.
struct Entry {
    line: usize,
    /// From the root of the repository, without a `/` at the end.
    path: String,
    described: bool,
}

fn entries_of(document: &SourceFile) -> Vec<Entry> {
    let block = document
        .numbered()
        .skip_while(|(_, text)| *text != "## Map")
        .skip_while(|(_, text)| !text.starts_with("```"))
        .skip(1)
        .take_while(|(_, text)| !text.starts_with("```"));
    let mut entries = Vec::new();
    let mut above = String::new();
    for (line, text) in block {
        let mut parts = text.split_whitespace();
        let Some(name) = parts.next() else { continue };
        let name = name.trim_end_matches('/');
        let path = match text.len() - text.trim_start().len() {
            0 => {
                name.clone_into(&mut above);
                name.to_owned()
            }
            2 => format!("{above}/{name}"),
            _ => continue,
        };
        entries.push(Entry { line, path, described: parts.next().is_some() });
    }
    entries
}

/// Lines of the map that name nothing that exists, that say nothing, or that stand there twice.
fn misnamed(tree: &Tree, entries: &[Entry]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for Entry { line, path, described } in entries {
        let mut add = |what: String, remedy: &str| {
            found.push(Finding::new(RULE, DOCUMENT, *line, what, remedy).about(path.clone()));
        };
        if !tree.folders.contains(path) && tree.file(path).is_none() {
            add(
                format!("`{path}` is on the map and not in the tree"),
                "take the line out, or name what took its place",
            );
        }
        if !described {
            add(format!("`{path}` has no description"), "say in a few words what it holds");
        }
        if !seen.insert(path) {
            add(format!("`{path}` is named twice"), "keep one of the lines");
        }
    }
    found
}

/// Rust files that the rest of the document names and that do not exist.
fn dead_mentions(tree: &Tree, document: &SourceFile, entries: &[Entry]) -> Vec<Finding> {
    let mut found = Vec::new();
    let prose = document.numbered().filter(|(line, _)| entries.iter().all(|entry| entry.line != *line));
    for (line, text) in prose {
        let in_path = |c: char| c.is_alphanumeric() || "_-./".contains(c);
        let named =
            text.split(|c| !in_path(c)).filter(|word| word.strip_suffix(".rs").is_some_and(|stem| !stem.is_empty()));
        for word in named {
            let end = format!("/{word}");
            if !tree.rust().any(|file| file.path == word || file.path.ends_with(&end)) {
                let what = format!("no file's path ends with `{word}`");
                found.push(Finding::new(RULE, DOCUMENT, line, what, "name the file as it is called now"));
            }
        }
    }
    found
}

/// Crates, source folders, top-level source files and root folders that the map leaves out.
fn unnamed(tree: &Tree, entries: &[Entry]) -> Vec<Finding> {
    let named: BTreeSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    let mut missing = BTreeSet::new();
    for krate in tree.files.iter().filter_map(|file| file.path.strip_suffix("/Cargo.toml")) {
        if !named.contains(krate) {
            missing.insert(krate);
        }
        missing.extend(rooms_of(tree, krate).filter(|room| !is_named(&named, room)));
    }
    let under =
        |folder: &str| named.iter().any(|name| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    let at_root = tree.folders.iter().filter(|folder| !folder.contains('/') && !folder.starts_with('.'));
    missing.extend(at_root.map(String::as_str).filter(|folder| !named.contains(folder) && !under(folder)));
    missing
        .into_iter()
        .map(|path| {
            let what = format!("`{path}` is in the tree and not on the map");
            Finding::new(RULE, DOCUMENT, 1, what, "add a line that says what it holds").about(path.to_owned())
        })
        .collect()
}

/// All folders under a crate's `src`, and the files right in it but `lib.rs`.
fn rooms_of<'a>(tree: &'a Tree, krate: &str) -> impl Iterator<Item = &'a str> {
    let source = format!("{krate}/src/");
    let inside = source.clone();
    let folders = tree.folders.iter().map(String::as_str).filter(move |folder| folder.starts_with(&inside));
    let files = tree
        .rust()
        .map(|file| file.path.as_str())
        .filter(move |path| path.strip_prefix(&source).is_some_and(|name| !name.contains('/') && name != "lib.rs"));
    folders.chain(files)
}

/// `x.rs` and `x/` are one room and need one line.
fn is_named(named: &BTreeSet<&str>, room: &str) -> bool {
    let stem = room.strip_suffix(".rs").unwrap_or(room);
    named.contains(stem) || named.contains(format!("{stem}.rs").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "# House\n\n## Map\n\n```text\ncrates/a    the engine\n  src/keys/  rings\n             and more\n  src/id.rs  ids\n```\n";

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_map_that_fits_is_left_in_peace() {
        let none = whats(&[
            ("ARCHITECTURE.md", MAP),
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/id.rs", ""),
            ("crates/a/src/keys/ring.rs", ""),
        ]);
        assert_eq!(none, Vec::<String>::new());
    }

    #[test]
    fn what_the_map_names_must_exist_and_what_exists_must_be_named() {
        let found = whats(&[
            ("ARCHITECTURE.md", MAP),
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/id.rs", ""),
            ("crates/a/src/time.rs", ""),
            ("crates/a/src/view/deep/table.rs", ""),
            ("crates/b/Cargo.toml", ""),
            ("docs/standards.md", ""),
        ]);
        let expected = [
            "`crates/a/src/keys` is on the map and not in the tree",
            "`crates/a/src/time.rs` is in the tree and not on the map",
            "`crates/a/src/view` is in the tree and not on the map",
            "`crates/a/src/view/deep` is in the tree and not on the map",
            "`crates/b` is in the tree and not on the map",
            "`docs` is in the tree and not on the map",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_file_and_the_folder_of_its_modules_are_one_room() {
        let map = "## Map\n```text\ncrates/a x\n  src/view/ y\n```";
        let files = [
            ("ARCHITECTURE.md", map),
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/view/t.rs", ""),
            ("crates/a/src/view.rs", ""),
        ];
        assert_eq!(whats(&files), Vec::<String>::new());
    }

    #[test]
    fn prose_names_only_files_that_exist() {
        let text = format!("{MAP}\nThe way: `keys/ring.rs`, then `ring.rs`, then `king.rs`, `eys/ring.rs`.");
        let found = whats(&[
            ("ARCHITECTURE.md", &text),
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/id.rs", ""),
            ("crates/a/src/keys/ring.rs", ""),
        ]);
        assert_eq!(found, ["no file's path ends with `king.rs`", "no file's path ends with `eys/ring.rs`"]);
    }

    #[test]
    fn a_line_without_a_description_or_twice_is_found() {
        let map = "## Map\n```text\ncrates/a\ncrates/a x\n```";
        let found = whats(&[("ARCHITECTURE.md", map), ("crates/a/Cargo.toml", "")]);
        assert_eq!(found, ["`crates/a` has no description", "`crates/a` is named twice"]);
    }
}
