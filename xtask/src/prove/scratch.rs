//! The tree in which bugs are planted: a copy of the working tree's files, beside a target folder of its own that begins as
//! a copy of ours. Owns what is copied, and that a patch goes in and comes out whole; the working tree is only read.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::bug::Bug;

/// The copy.
pub(super) struct Scratch {
    tree: PathBuf,
    target: PathBuf,
    /// Where tests say that they were skipped.
    skips: PathBuf,
    /// Held for as long as anything works here.
    lock: File,
}

impl Scratch {
    /// Copies the working tree's files as they are, committed or not, and takes away what is not theirs.
    pub(super) fn copy_of(root: &Path) -> Result<Self, String> {
        let ours = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        // Commands run in the copy, where a path from here would lead elsewhere.
        let ours = std::path::absolute(&ours).map_err(|why| format!("{}: {why}", ours.display()))?;
        let folder = ours.join("prove");
        make(&folder)?;
        let lock = locked(&folder)?;
        let within = |name| folder.join(name);
        let scratch = Self { tree: within("tree"), target: within("target"), skips: within("skips"), lock };
        make(&scratch.tree)?;
        let files = listed(root, &["ls-files", "--cached", "--others", "--exclude-standard", "-z"])?;
        for file in &files {
            copy(&root.join(file), &scratch.tree.join(file))?;
        }
        scratch.drop_others(&files)?;
        scratch.seed(&ours.join("debug"))?;
        Ok(scratch)
    }

    /// Where commands run.
    pub(super) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Where they build.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The file in which tests say that they were skipped.
    pub(super) fn skips(&self) -> &Path {
        &self.skips
    }

    /// What a suite reads: nothing. Whatever holds it holds the lock: where this process is gone and the suite is not yet,
    /// nobody else plants a bug under it.
    pub(super) fn input(&self) -> Result<Stdio, String> {
        self.lock.try_clone().map(Stdio::from).map_err(|why| format!("the lock cannot be handed on: {why}"))
    }

    /// Plants a bug, all of it or nothing: the patch as it was when the tree was copied, whoever edits it meanwhile.
    pub(super) fn plant(&self, bug: &Bug) -> Result<(), String> {
        self.apply(&["--check"], bug)?;
        self.apply(&[], bug)
    }

    /// Takes it out again.
    pub(super) fn pull_out(&self, bug: &Bug) -> Result<(), String> {
        self.apply(&["--reverse"], bug)
    }

    fn apply(&self, how: &[&str], bug: &Bug) -> Result<(), String> {
        let mut git = Command::new("git");
        git.current_dir(&self.tree).arg("apply").args(how).arg(bug.path());
        // Inside of a repository git would look for the files at its root.
        git.env("GIT_CEILING_DIRECTORIES", self.tree.parent().unwrap_or(&self.tree));
        output(&mut git).map(drop)
    }

    /// Dependencies are built once, and for us they have been already.
    fn seed(&self, built: &Path) -> Result<(), String> {
        if self.target.exists() || !built.is_dir() {
            return Ok(());
        }
        let half = self.target.with_extension("half");
        if half.exists() {
            fs::remove_dir_all(&half).map_err(|why| format!("{}: {why}", half.display()))?;
        }
        make(&half)?;
        output(Command::new("cp").args(["-a", "--reflink=auto"]).arg(built).arg(&half))?;
        fs::rename(&half, &self.target).map_err(|why| format!("{}: {why}", half.display()))
    }

    /// Files of an earlier copy that the working tree has no more.
    fn drop_others(&self, files: &BTreeSet<PathBuf>) -> Result<(), String> {
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let failed = |why: std::io::Error| format!("{}: {why}", self.tree.join(&folder).display());
            for entry in fs::read_dir(self.tree.join(&folder)).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let path = folder.join(entry.file_name());
                if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push(path);
                } else if !files.contains(&path) {
                    fs::remove_file(entry.path()).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

/// Two at once would plant their bugs in one tree.
fn locked(folder: &Path) -> Result<File, String> {
    let path = folder.join("lock");
    let failed = |why: std::io::Error| format!("{}: {why}", path.display());
    let lock = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another `--prove`, or a suite of one that was ended, works in {}; wait for its end, or set CARGO_TARGET_DIR",
            folder.display()
        )),
        Err(TryLockError::Error(why)) => Err(failed(why)),
    }
}

/// The files that git lists and the disk has.
fn listed(root: &Path, arguments: &[&str]) -> Result<BTreeSet<PathBuf>, String> {
    let names = output(Command::new("git").current_dir(root).args(arguments))?;
    let names = String::from_utf8(names).map_err(|_| "a file's name is not UTF-8; rename it")?;
    Ok(names.split_terminator('\0').map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}

/// Writes nothing where nothing would change: what cargo has built stays built.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("{}: {why}", from.display());
    let text = fs::read(from).map_err(failed)?;
    if fs::read(to).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        make(folder)?;
    }
    fs::write(to, text).map_err(failed)?;
    let permissions = fs::metadata(from).map_err(failed)?.permissions();
    fs::set_permissions(to, permissions).map_err(failed)
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))
}

/// What a command prints; its complaint where it fails.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|why| format!("{name} cannot be run: {why}; install it"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("`{command:?}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> (PathBuf, Scratch) {
        let folder = std::env::temp_dir().join(format!("rescind-prove-{name}-{}", std::process::id()));
        let within = |name| folder.join(name);
        make(&folder).unwrap();
        let (tree, target, skips) = (within("tree"), within("target"), within("skips"));
        let scratch = Scratch { tree, target, skips, lock: locked(&folder).unwrap() };
        make(&scratch.tree.join("tests/planted")).unwrap();
        (folder, scratch)
    }

    #[test]
    fn a_bug_goes_in_and_comes_out_whole_and_none_that_does_not_fit() {
        let (root, scratch) = scratch("plant");
        let patch = "bug: x\ncaught-by: cargo nextest run --test x\ncaught-as: x\n\ndiff --git a/in/x b/in/x\n--- a/in/x\n\
                     +++ b/in/x\n@@ -1 +1 @@\n-right\n+wrong\n";
        let bug = Bug::read("01-x", patch).unwrap();
        fs::write(scratch.tree.join(bug.path()), patch).unwrap();
        make(&scratch.tree.join("in")).unwrap();
        let file = scratch.tree.join("in/x");
        fs::write(&file, "right\n").unwrap();
        scratch.plant(&bug).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "wrong\n");
        assert!(scratch.plant(&bug).unwrap_err().contains("in/x"));
        scratch.pull_out(&bug).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "right\n");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn nobody_else_works_there_until_all_that_read_the_lock_are_gone() {
        let (root, scratch) = scratch("lock");
        assert!(locked(&root).unwrap_err().contains("another `--prove`"));
        // The command holds what it was given until it is dropped, so it is here no longer than its line.
        let mut suite = Command::new("cat").stdin(Stdio::piped()).stdout(scratch.input().unwrap()).spawn().unwrap();
        drop(scratch);
        assert!(locked(&root).is_err());
        drop(suite.stdin.take());
        suite.wait().unwrap();
        locked(&root).unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn files_that_the_tree_has_no_more_are_taken_away() {
        let (root, scratch) = scratch("others");
        make(&scratch.tree.join("in")).unwrap();
        for file in ["in/old", "in/kept"] {
            fs::write(scratch.tree.join(file), "").unwrap();
        }
        scratch.drop_others(&BTreeSet::from([PathBuf::from("in/kept")])).unwrap();
        assert!(scratch.tree.join("in/kept").exists() && !scratch.tree.join("in/old").exists());
        fs::remove_dir_all(root).unwrap();
    }
}
