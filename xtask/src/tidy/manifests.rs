//! Every dependency is chosen in one place, the root manifest, with a one-line reason beside it.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::finding::Finding;
use super::tree::{SourceFile, Tree};

const RULE: &str = "dependency";
const ROOT: &str = "Cargo.toml";

/// Dependencies without a reason, declared elsewhere, or used by nobody.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(root) = tree.file(ROOT) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    for manifest in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let Ok(table) = manifest.text.parse::<Table>() else {
            found.push(Finding::new(RULE, &manifest.path, 1, "this is not TOML", "`cargo check` says where"));
            continue;
        };
        for (name, dependency) in dependencies(&table) {
            if !is_ours_or_inherited(dependency) {
                let remedy = "declare it in the root Cargo.toml with its reason, and write `.workspace = true` here";
                let what = format!("`{name}` is chosen here");
                found.push(Finding::new(RULE, &manifest.path, line_of(manifest, name), what, remedy));
            }
            used.insert(name.clone());
        }
    }
    for entry in entries_of(root) {
        let mut add = |what: String, remedy: &str| found.push(Finding::new(RULE, ROOT, entry.line, what, remedy));
        if !entry.reasoned {
            add(format!("`{}` carries no reason", entry.name), "end its line with `# what we need it for`");
        }
        if !used.contains(entry.name) {
            add(format!("`{}` is used by no crate", entry.name), "take the line out");
        }
    }
    found
}

/// All tables of dependencies, those under `[target.…]` too.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let holders = std::iter::once(manifest).chain(targets.filter_map(|(_, target)| target.as_table()));
    holders
        .flat_map(|holder| ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| holder.get(kind)))
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
}

fn is_ours_or_inherited(dependency: &Value) -> bool {
    dependency.get("workspace").and_then(Value::as_bool) == Some(true) || dependency.get("path").is_some()
}

fn line_of(manifest: &SourceFile, name: &str) -> usize {
    manifest.numbered().find(|(_, text)| text.starts_with(name)).map_or(1, |(line, _)| line)
}

/// A line of `[workspace.dependencies]`.
struct Entry<'a> {
    line: usize,
    name: &'a str,
    reasoned: bool,
}

/// Read line by line, because a parser drops comments. Crates of ours need no reason and are left out.
fn entries_of(root: &SourceFile) -> Vec<Entry<'_>> {
    let section = root
        .numbered()
        .skip_while(|(_, text)| text.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|(_, text)| !text.starts_with('['));
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut open = false;
    for (line, text) in section {
        let (entry, reason) = text.split_once('#').unwrap_or((text, ""));
        let reasoned = !reason.trim().is_empty();
        if open {
            // An entry over several lines may carry its reason on any of them.
            if let Some(last) = entries.last_mut() {
                last.reasoned |= reasoned;
            }
        } else if let Some((name, value)) = entry.split_once('=') {
            if !value.contains("path") {
                entries.push(Entry { line, name: name.trim(), reasoned });
            }
        } else {
            continue;
        }
        let count = |brackets: [char; 2]| entry.matches(brackets).count();
        let (opened, closed) = (count(['{', '[']), count(['}', ']']));
        open = if open { opened >= closed } else { opened > closed };
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT_TEXT: &str = "[workspace.dependencies]\nours = { path = \"crates/ours\" }\n\n# Section\nserde = \"1\" # JSON\nbare = \"1\"\nwide = { version = \"1\", features = [\n  \"a\",\n] } # reason\nidle = \"1\" # none\n\n[profile.dev]\nx = 1\n";

    #[test]
    fn a_dependency_without_a_reason_or_a_user_is_found() {
        let member = "[dependencies]\nours.workspace = true\nserde.workspace = true\nbare = { workspace = true, features = [\"x\"] }\n[target.'cfg(unix)'.dev-dependencies]\nwide.workspace = true\n";
        let found = check(&Tree::of(&[("Cargo.toml", ROOT_TEXT), ("crates/a/Cargo.toml", member)]));
        let whats: Vec<_> = found.iter().map(|finding| (finding.line, finding.what.as_str())).collect();
        assert_eq!(whats, [(6, "`bare` carries no reason"), (10, "`idle` is used by no crate")]);
    }

    #[test]
    fn a_dependency_chosen_by_a_crate_itself_is_found() {
        let member = "[dev-dependencies]\nrescind = { path = \".\", features = [\"testing\"] }\nserde = \"1.0.3\"\n";
        let found = check(&Tree::of(&[("Cargo.toml", "[workspace.dependencies]\n"), ("crates/a/Cargo.toml", member)]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("crates/a/Cargo.toml", 3));
    }
}
