//! A planted bug: a patch in `tests/planted`, with what it breaks and the command that finds it out in its first lines.
//! Owns their form; runs nothing.

use std::fs;
use std::path::Path;

/// Where they are, from the root of the repository.
pub(crate) const FOLDER: &str = "tests/planted";

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bug {
    /// The file's name without its ending: `07-rotation-not-atomic`.
    pub(crate) name: String,
    /// What a tired engineer would have merged, in one sentence.
    pub(crate) what: String,
    /// The command that finds it out.
    pub(crate) caught_by: String,
    /// What that names: a test, or the beginning of its name; of the torture a piece of the violation's text. Where it
    /// follows from chance, which of some it is, they are parted by ` | `.
    pub(crate) caught_as: String,
    suite: Suite,
}

impl Bug {
    /// Reads the head of the patch of this name.
    ///
    /// # Errors
    /// What is wrong with the head, and how it has to be.
    pub(crate) fn read(name: &str, patch: &str) -> Result<Self, String> {
        let numbered = name.split_once('-').is_some_and(|(number, rest)| {
            number.len() == 2 && number.chars().all(|digit| digit.is_ascii_digit()) && !rest.is_empty()
        });
        if !numbered {
            return Err("name it NN-what-it-does.patch".to_owned());
        }
        let mut lines = patch.lines();
        let mut head = |word: &str| {
            let said = lines.next().and_then(|line| line.strip_prefix(word)).map(str::trim);
            said.filter(|said| !said.is_empty()).map(str::to_owned)
        };
        let what = head("bug: ").ok_or("its first line says `bug: ` and what is wrong, in one sentence")?;
        let caught_by = head("caught-by: ").ok_or("its second line says `caught-by: ` and a command")?;
        let suite = Suite::of(&caught_by)?;
        let caught_as = head("caught-as: ").ok_or("its third line says `caught-as: ` and what the command names")?;
        if !patch.lines().any(|line| line.starts_with("diff --git ")) {
            return Err("a diff as `git diff` writes it follows its head".to_owned());
        }
        Ok(Self { name: name.to_owned(), what, caught_by, caught_as, suite })
    }

    /// What of all that its suite found is this bug. Another test that fails beside it, or in its place, proves nothing.
    pub(crate) fn found_among<'a>(&self, all: &'a [String]) -> Option<&'a String> {
        let is_named = |found: &String| {
            self.caught_as.split(" | ").any(|named| match self.suite {
                Suite::Nextest => found.starts_with(named),
                Suite::Torture => found.contains(named),
            })
        };
        all.iter().find(|found| is_named(found))
    }

    /// Where the patch is, from the root of the repository.
    pub(crate) fn path(&self) -> String {
        format!("{FOLDER}/{}.patch", self.name)
    }
}

/// What a bug is found out by. Each has a status of its own for "found", which no broken build and no missing tool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Tests; nextest ends with 101 where they do not build and with 4 where there are none.
    Nextest,
    /// The torture, which ends with 2 where it could not try.
    Torture,
}

impl Suite {
    /// The suite that a command runs.
    ///
    /// # Errors
    /// How a command has to begin.
    pub(crate) fn of(command: &str) -> Result<Self, String> {
        if command.starts_with("cargo nextest run ") {
            return Ok(Self::Nextest);
        }
        if command.starts_with("cargo xtask torture ") && !command.contains("--prove") {
            return Ok(Self::Torture);
        }
        let how =
            "a bug is caught by `cargo nextest run …` or `cargo xtask torture …`: of those it is known how they end";
        Err(how.to_owned())
    }

    /// The status with which it ends where it found something.
    pub(crate) const fn found(self) -> i32 {
        match self {
            Self::Nextest => 100,
            Self::Torture => 1,
        }
    }
}

/// All planted bugs, or those whose names hold one of `named`, in the order of their numbers.
///
/// # Errors
/// Which patch is wrong, or which name means none.
pub(crate) fn load(root: &Path, named: &[String]) -> Result<Vec<Bug>, String> {
    let folder = root.join(FOLDER);
    let failed = |why: std::io::Error| format!("{}: {why}", folder.display());
    let mut bugs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".patch"))
        else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(failed)?;
        bugs.push(Bug::read(name, &text).map_err(|why| format!("{}: {why}", path.display()))?);
    }
    if let Some(unknown) = named.iter().find(|part| !bugs.iter().any(|bug| bug.name.contains(part.as_str()))) {
        return Err(format!("no patch in {FOLDER} is named `{unknown}`"));
    }
    bugs.retain(|bug| named.is_empty() || named.iter().any(|part| bug.name.contains(part.as_str())));
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    if bugs.is_empty() { Err(format!("{FOLDER} holds no patch: nothing was proved")) } else { Ok(bugs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "bug: it forgets\ncaught-by: cargo nextest run --test memory\ncaught-as: load::all_is_there\n\n\
                         diff --git a/x b/x\n";

    #[test]
    fn the_head_says_what_is_wrong_and_what_finds_it_out() {
        let bug = Bug::read("07-forgets", PATCH).unwrap();
        assert_eq!((bug.what.as_str(), bug.caught_by.as_str()), ("it forgets", "cargo nextest run --test memory"));
        assert_eq!(bug.path(), "tests/planted/07-forgets.patch");
    }

    #[test]
    fn only_what_the_head_names_is_this_bug() {
        let found = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let bug = Bug::read("07-forgets", PATCH).unwrap();
        assert_eq!(bug.found_among(&found(&["flaky", "load::all_is_there"])), Some(&"load::all_is_there".to_owned()));
        assert_eq!(bug.found_among(&found(&["flaky", "reload::all_is_there"])), None);
        let patch = PATCH.replace("nextest run --test memory", "xtask torture --store redis");
        let bug = Bug::read("07-forgets", &patch.replace("load::all_is_there", "is out | says it is good")).unwrap();
        assert!(bug.found_among(&found(&["session s was dead; node 1 says it is good, asked at 3 s"])).is_some());
        assert!(bug.found_among(&found(&["Check at node 1, 3 s: 500"])).is_none());
    }

    #[test]
    fn a_head_that_lacks_anything_is_refused() {
        for (name, patch) in [
            ("7-forgets", PATCH.to_owned()),
            ("forgets", PATCH.to_owned()),
            ("07-", PATCH.to_owned()),
            ("07-forgets", PATCH.replace("bug: it", "it")),
            ("07-forgets", PATCH.replace("it forgets", "")),
            ("07-forgets", PATCH.replace("caught-by: ", "")),
            ("07-forgets", PATCH.replace("caught-as: ", "")),
            ("07-forgets", PATCH.replace("load::all_is_there", "")),
            ("07-forgets", PATCH.replace("cargo nextest run", "true #")),
            ("07-forgets", PATCH.replace("cargo nextest run", "cargo xtask torture --prove")),
            ("07-forgets", PATCH.replace("diff --git", "diff")),
        ] {
            assert!(Bug::read(name, &patch).is_err(), "{name}: {patch}");
        }
    }
}
