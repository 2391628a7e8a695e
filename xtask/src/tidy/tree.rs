//! The repository as rules see it: paths and texts, read once.
//!
//! Knows which folders are nobody's source. Rules never touch the disk, so that their tests need none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Folders that hold no source of ours: build output, fetched packages, a demo's state, git itself.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "rescind-data", "vendor"];

/// A text file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether this is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, ending)| ending == "rs")
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// All text files of the repository and the folders that hold any file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Sorted by path.
    pub(crate) files: Vec<SourceFile>,
    /// From the root of the repository, without a `/` at the end.
    pub(crate) folders: BTreeSet<String>,
}

impl Tree {
    /// Reads everything under `root` that is ours. Files that are not UTF-8 count for their folder only.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let mut tree = Self::default();
        tree.descend(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_rust())
    }

    fn descend(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let failed = |why: std::io::Error| format!("{}: {why}", folder.display());
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                self.descend(&entry.path(), &path)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).map_err(failed)?;
                self.add(path, bytes);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, bytes: Vec<u8>) {
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            self.folders.insert(folder.to_owned());
            above = folder;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            self.files.push(SourceFile { path, text });
        }
    }

    /// A tree out of thin air, for the tests of rules.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add((*path).to_owned(), text.as_bytes().to_vec());
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_above_a_file_is_known() {
        let tree = Tree::of(&[("crates/a/src/keys/ring.rs", "")]);
        let folders: Vec<_> = tree.folders.iter().map(String::as_str).collect();
        assert_eq!(folders, ["crates", "crates/a", "crates/a/src", "crates/a/src/keys"]);
    }

    #[test]
    fn this_repository_is_found_and_build_output_is_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let tree = Tree::load(root).unwrap();
        assert!(tree.file("xtask/src/tidy/tree.rs").is_some());
        assert!(tree.folders.iter().all(|folder| !folder.starts_with("target")));
    }
}
