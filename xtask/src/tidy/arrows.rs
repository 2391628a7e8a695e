//! Which of our crates may know which, and what each may never reach.
//!
//! The engine knows none of the others; stores and the axum face know the engine alone; the server stands on top; xtask
//! knows nobody. The engine reaches no HTTP and no SQL, and a resource server compiles no SQL. Development dependencies
//! count among ours, with an allowance of their own (examples run on real stores), and not for what is reached, because
//! nobody else compiles them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};

use super::finding::Finding;
use super::tree::Tree;

const RULE: &str = "arrows";

const HTTP: &[&str] = &["axum", "axum-core", "http", "hyper", "reqwest", "tower", "tower-http"];
const SQL: &[&str] = &["libsqlite3-sys", "redis", "rusqlite", "sqlx", "tokio-postgres"];

/// A crate of ours, which of ours it may know, and which outside crates it must not reach.
struct Place {
    name: &'static str,
    may_know: &'static [&'static str],
    /// And which besides in its tests and examples.
    may_try: &'static [&'static str],
    never_reaches: &'static [&'static [&'static str]],
}

const PLACES: &[Place] = &[
    Place { name: "rescind", may_know: &[], may_try: &[], never_reaches: &[HTTP, SQL] },
    Place { name: "rescind-stores", may_know: &["rescind"], may_try: &["rescind-test-kit"], never_reaches: &[HTTP] },
    Place {
        name: "rescind-axum",
        may_know: &["rescind"],
        may_try: &["rescind-stores", "rescind-test-kit"],
        never_reaches: &[SQL],
    },
    Place {
        name: "rescind-server",
        may_know: &["rescind", "rescind-axum", "rescind-stores"],
        may_try: &["rescind-test-kit", "rescind-torture"],
        never_reaches: &[],
    },
    // Gives bytes to all that reads any. Nobody knows it but fuzz/, a workspace of its own.
    Place {
        name: "rescind-hostile",
        may_know: &["rescind", "rescind-axum", "rescind-stores"],
        may_try: &[],
        never_reaches: &[],
    },
    // Starts servers and makes faults: it speaks to none of them in their language.
    Place { name: "rescind-test-kit", may_know: &[], may_try: &["rescind"], never_reaches: &[HTTP, SQL] },
    // Knows the server as a program that it starts.
    Place {
        name: "rescind-torture",
        may_know: &["rescind-test-kit"],
        may_try: &["rescind"],
        never_reaches: &[HTTP, SQL],
    },
    // Compiles some of the engine's files once more, with another memory.
    Place { name: "rescind-loom", may_know: &["rescind"], may_try: &[], never_reaches: &[HTTP, SQL] },
    Place { name: "xtask", may_know: &["rescind-test-kit"], may_try: &[], never_reaches: &[HTTP, SQL] },
];

/// A crate of ours as cargo sees it.
#[derive(Debug, Default)]
struct Ours {
    /// Its folder, from the root of the repository.
    folder: String,
    /// Names of all that it declares, but for development.
    declares: BTreeSet<String>,
    /// Names of all that it declares for development.
    tries: BTreeSet<String>,
    /// Names of all that is compiled for it, without development dependencies.
    reaches: BTreeSet<String>,
}

/// Our crates by name.
#[derive(Debug, Default)]
pub(crate) struct Crates(BTreeMap<String, Ours>);

impl Crates {
    /// Asks cargo, with all features on.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .exec()
            .map_err(|why| format!("cargo metadata: {why}"))?;
        let mut crates = BTreeMap::new();
        for package in metadata.workspace_packages() {
            let folder = package.manifest_path.parent().map(|folder| folder.strip_prefix(root).unwrap_or(folder));
            let (tries, declares): (Vec<_>, Vec<_>) =
                package.dependencies.iter().partition(|dependency| dependency.kind == DependencyKind::Development);
            let names = |them: Vec<&cargo_metadata::Dependency>| them.iter().map(|it| it.name.clone()).collect();
            let ours = Ours {
                folder: folder.map(ToString::to_string).unwrap_or_default(),
                declares: names(declares),
                tries: names(tries),
                reaches: reached_from(&metadata, &package.id),
            };
            crates.insert(package.name.to_string(), ours);
        }
        Ok(Self(crates))
    }
}

fn reached_from(metadata: &Metadata, from: &PackageId) -> BTreeSet<String> {
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .map(|node| {
            let compiled = node
                .deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
            (&node.id, compiled.map(|dep| &dep.pkg).collect())
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        for next in edges.get(id).into_iter().flatten().copied() {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.to_string())
        .collect()
}

/// Arrows that must not be there, and crates that have no place yet.
pub(crate) fn check(tree: &Tree, crates: &Crates) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, ours) in &crates.0 {
        let manifest = format!("{}/Cargo.toml", ours.folder);
        let Some(place) = PLACES.iter().find(|place| place.name == name) else {
            let what = format!("`{name}` has no place among our crates");
            found.push(Finding::new(RULE, &manifest, 1, what, "give it one in xtask/src/tidy/arrows.rs"));
            continue;
        };
        let may_know = |other: &str| place.may_know.contains(&other);
        let may_try = |other: &str| may_know(other) || place.may_try.contains(&other);
        let wrong = |other: &&String| {
            (ours.declares.contains(*other) && !may_know(other)) || (ours.tries.contains(*other) && !may_try(other))
        };
        for other in crates.0.keys().filter(|other| *other != name).filter(wrong) {
            let what = format!("`{name}` must not know `{other}`");
            let remedy = "move what it needs down into the engine, or up into the server";
            found.push(Finding::new(RULE, &manifest, line_naming(tree, &manifest, other), what, remedy));
        }
        for banned in place.never_reaches.iter().copied().flatten().filter(|banned| ours.reaches.contains(**banned)) {
            let what = format!("`{name}` must not compile `{banned}`");
            let remedy = format!("`cargo tree -p {name} -e normal -i {banned}` shows who brings it");
            found.push(Finding::new(RULE, &manifest, line_naming(tree, &manifest, banned), what, remedy));
        }
    }
    found
}

/// The line of the manifest that declares `dependency`, or the first where it comes from further away.
fn line_naming(tree: &Tree, manifest: &str, dependency: &str) -> usize {
    let declares = |text: &str| text.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    tree.file(manifest).and_then(|file| file.numbered().find(|(_, text)| declares(text))).map_or(1, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crates(list: &[(&str, &[&str], &[&str])]) -> Crates {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let ours = |(name, declares, reaches): &(&str, &[&str], &[&str])| {
            let folder = format!("crates/{name}");
            let ours = Ours { folder, declares: set(declares), tries: BTreeSet::new(), reaches: set(reaches) };
            ((*name).to_owned(), ours)
        };
        Crates(list.iter().map(ours).collect())
    }

    #[test]
    fn the_arrows_of_the_design_pass() {
        let fine = crates(&[
            ("rescind", &["serde"], &["serde"]),
            ("rescind-stores", &["rescind", "rusqlite"], &["rescind", "rusqlite"]),
            ("rescind-axum", &["rescind", "http"], &["http"]),
            ("rescind-server", &["rescind", "rescind-stores", "rescind-axum"], &["axum", "rusqlite"]),
            ("xtask", &["toml"], &["toml"]),
        ]);
        assert_eq!(check(&Tree::default(), &fine), []);
    }

    #[test]
    fn an_arrow_upwards_is_found_where_it_is_declared() {
        let tree = Tree::of(&[("crates/rescind-axum/Cargo.toml", "[dependencies]\nrescind-stores.workspace = true\n")]);
        let wrong = crates(&[("rescind-stores", &[], &[]), ("rescind-axum", &["rescind-stores"], &[])]);
        let found = check(&tree, &wrong);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("crates/rescind-axum/Cargo.toml", 2));
    }

    #[test]
    fn what_only_tests_and_examples_may_know_is_found_where_everybody_would_compile_it() {
        let mut axum = crates(&[("rescind-stores", &[], &[]), ("rescind-axum", &["rescind"], &[])]);
        let ours = axum.0.get_mut("rescind-axum").unwrap();
        ours.tries.insert("rescind-stores".to_owned());
        assert_eq!(check(&Tree::default(), &axum), []);
        axum.0.get_mut("rescind-axum").unwrap().tries.insert("rescind-server".to_owned());
        axum.0.insert("rescind-server".to_owned(), Ours::default());
        assert_eq!(check(&Tree::default(), &axum).len(), 1);
    }

    #[test]
    fn sql_in_the_engine_is_found_however_far_it_comes_from() {
        let found = check(&Tree::default(), &crates(&[("rescind", &["innocent"], &["innocent", "libsqlite3-sys"])]));
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("libsqlite3-sys"));
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let found = check(&Tree::default(), &crates(&[("rescind-extra", &[], &[])]));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn cargo_knows_the_crates_of_this_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let crates = Crates::load(root).unwrap();
        let xtask = crates.0.get("xtask").unwrap();
        assert_eq!(xtask.folder, "xtask");
        assert!(xtask.reaches.contains("cargo_metadata") && xtask.reaches.contains("serde"));
    }
}
