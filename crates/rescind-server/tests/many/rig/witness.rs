//! The witness: knows what was acknowledged, outside of every process under test. A line is on its disk before the
//! acknowledgement counts.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use super::history::Scope;

/// A file of acknowledged revocations.
#[derive(Debug)]
pub(crate) struct Witness {
    file: Mutex<File>,
    path: PathBuf,
    _home: TempDir,
}

impl Witness {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("acknowledged");
        Self { file: Mutex::new(File::create(&path).unwrap()), path, _home: home }
    }

    /// Writes one down; returns when it is on disk.
    pub(super) fn note(&self, scope: &Scope) {
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{} {}", scope.kind, scope.id).unwrap();
        file.sync_data().unwrap();
    }

    /// Everything that was written down.
    pub(super) fn read(&self) -> Vec<Scope> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let scope = |line: &str| {
            let (kind, id) = line.split_once(' ').unwrap();
            Scope { kind: Scope::KINDS.into_iter().find(|known| *known == kind).unwrap(), id: id.to_owned() }
        };
        text.lines().map(scope).collect()
    }
}
