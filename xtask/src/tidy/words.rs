//! Words that do not belong into this repository, each with what to write instead.
//!
//! The words themselves are put together from halves here, so that this file obeys its own rule.

use super::finding::Finding;
use super::source::{code_only, line_of, words};
use super::tree::{SourceFile, Tree};

/// Words in any text, whatever their case, and what to write instead.
const VOCABULARY: [(&str, &str); 2] =
    [(concat!("black", "list"), "write `denylist`"), (concat!("white", "list"), "write `allowlist`")];

/// Marks of unfinished work.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Code that is not meant to stay, or that hides a test.
const UNFINISHED: [(&str, &str); 4] = [
    (concat!("todo", "!("), "finish it"),
    (concat!("unimplemented", "!("), "finish it"),
    (concat!("dbg", "!("), "use `tracing`, or take it out"),
    (concat!("#[", "ignore"), "let the test say why it does not run, with `skip` from tests/skip.rs"),
];

/// Endings of type names, and names of files, that say nothing about what is held.
const EMPTY_NAMES: [&str; 5] = ["Manager", "Helper", "Util", "Data", "Info"];

/// Hosts that a build must take from its own configuration and never from this repository.
const HOSTS: [&str; 6] = [
    concat!("crates.io", "-index"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs"),
    concat!("proxy.", "golang"),
    concat!("deb.", "debian.org"),
];

/// Folders that exist on somebody's machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Words, names and paths that must not be there.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &tree.files {
        // A lock file names its registry by design, and is written by cargo alone.
        if file.path == "Cargo.lock" || file.path == "fuzz/Cargo.lock" {
            continue;
        }
        in_text(file, &mut found);
        if !is_foreign(file) {
            in_prose(file, &mut found);
        }
        if file.is_rust() {
            in_code(file, &mut found);
        }
    }
    found
}

/// Test vectors and generated files quote what others wrote.
fn is_foreign(file: &SourceFile) -> bool {
    [".json", ".jsonl", ".svg", ".min.js"].iter().any(|ending| file.path.ends_with(ending))
        || ["LICENSE-APACHE", "LICENSE-MIT"].contains(&file.path.as_str())
}

fn in_text(file: &SourceFile, found: &mut Vec<Finding>) {
    for (line, text) in file.numbered() {
        let mut add = |rule, what: String, remedy: &str| found.push(Finding::new(rule, &file.path, line, what, remedy));
        for host in HOSTS.iter().filter(|host| text.contains(**host)) {
            add("host", format!("`{host}` is a registry's host"), "leave it to the build's own configuration");
        }
        for path in MACHINE_PATHS.iter().filter(|path| names_path(text, path)) {
            add("machine-path", format!("`{path}` is a path of one machine"), "make it relative to the repository");
        }
        if file.path.ends_with("package-lock.json") && text.trim_start().starts_with("\"resolved\"") {
            let remedy = "install with `npm install --omit-lockfile-registry-resolved`";
            add("host", "the lock file names where a package was fetched".to_owned(), remedy);
        }
    }
}

/// Whether `text` names an absolute path that begins with `path`, rather than a longer path or an address.
fn names_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-~/$}>*".contains(c))
    })
}

fn in_prose(file: &SourceFile, found: &mut Vec<Finding>) {
    for (line, text) in file.numbered() {
        let mut add = |what: String, remedy: &str| found.push(Finding::new("word", &file.path, line, what, remedy));
        let lower = text.to_lowercase();
        for (word, remedy) in VOCABULARY.iter().filter(|(word, _)| lower.contains(word)) {
            add(format!("`{word}` is not a word of ours"), remedy);
        }
        for mark in MARKS.iter().filter(|mark| words(text).any(|(_, word)| word == **mark)) {
            add(format!("`{mark}` marks unfinished work"), "finish it, or leave it out");
        }
    }
}

fn in_code(file: &SourceFile, found: &mut Vec<Finding>) {
    let code = code_only(&file.text);
    let mut previous = "";
    for (at, word) in words(&code) {
        if ["struct", "enum", "trait", "type", "union"].contains(&previous)
            && let Some(ending) = EMPTY_NAMES.iter().find(|ending| word.trim_end_matches('s').ends_with(**ending))
        {
            let what = format!("`{word}` ends with `{ending}`, which says nothing");
            found.push(Finding::new(
                "name",
                &file.path,
                line_of(&code, at),
                what,
                "name it after what it holds or does",
            ));
        }
        previous = word;
    }
    for (text, remedy) in UNFINISHED {
        for (at, _) in code.match_indices(text) {
            found.push(Finding::new("word", &file.path, line_of(&code, at), format!("`{text}` is left over"), remedy));
        }
    }
    let stem = file.path.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
    if EMPTY_NAMES.iter().any(|name| stem.trim_end_matches('s') == name.to_lowercase()) {
        let what = format!("a file called `{stem}` may hold anything");
        found.push(Finding::new("name", &file.path, 1, what, "name it after what it holds"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| (finding.rule, finding.line)).collect()
    }

    #[test]
    fn our_own_words_are_used() {
        let text = format!("one\nthe {}ed token\nthe denylist\n", concat!("Black", "list"));
        assert_eq!(rules("README.md", &text), [("word", 2)]);
    }

    #[test]
    fn marks_of_unfinished_work_count_as_whole_words_only() {
        let text = format!("//! a\n// {}: later\nlet {}S = 1;\n", MARKS[0], MARKS[0]);
        assert_eq!(rules("a.rs", &text), [("word", 2)]);
        assert_eq!(rules("vectors/a.json", &text), []);
    }

    #[test]
    fn code_that_is_left_over_is_found_and_talk_about_it_is_not() {
        let text = format!("//! `{0})` is banned\nfn a() {{ {0}) }}\n", UNFINISHED[0].0);
        assert_eq!(rules("a.rs", &text), [("word", 2)]);
    }

    #[test]
    fn type_names_say_what_they_hold() {
        let text =
            "//! x\nstruct TokenManager;\nenum DataKind {}\ntype Infos = u8;\nlet metadata = 1;\nstruct Metadata;\n";
        assert_eq!(rules("a.rs", text), [("name", 2), ("name", 4)]);
        assert_eq!(rules("src/utils/mod.rs", "//! x\n"), [("name", 1)]);
        assert_eq!(rules("src/data_directory.rs", "//! x\n"), []);
    }

    #[test]
    fn hosts_and_machine_paths_are_found_in_every_text() {
        let host = format!("a = \"{}.org\"\n", HOSTS[3]);
        assert_eq!(rules("tests/browser/package-lock.json", &host), [("host", 1)]);
        assert_eq!(rules("Cargo.lock", &host), []);
        let path = format!(
            "see {}main\nhttps://example.com{}x\ncrates{}x",
            MACHINE_PATHS[0], MACHINE_PATHS[0], MACHINE_PATHS[0]
        );
        assert_eq!(rules("notes.md", &path), [("machine-path", 1)]);
    }

    #[test]
    fn a_lock_file_does_not_say_where_it_fetched_from() {
        assert_eq!(rules("tests/browser/package-lock.json", "{\n  \"resolved\": \"x\"\n}"), [("host", 2)]);
    }
}
