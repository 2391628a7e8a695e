//! The witness: knows what was acknowledged, outside of every process under test. A line is on its disk before the
//! acknowledgement counts.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use super::history::Scope;

/// What is written down of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A revocation was acknowledged.
    Revoked,
    /// A lift was begun: from now on nothing is sure.
    Lifting,
    /// It was acknowledged.
    Lifted,
}

impl Line {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Revoked, "revoked"), (Self::Lifting, "lifting"), (Self::Lifted, "lifted")];
}

/// A file of acknowledged revocations and lifts.
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

    /// Writes a line; returns when it is on disk.
    pub(super) fn note(&self, line: Line, scope: &Scope) {
        let word = Line::ALL.iter().find(|(known, _)| *known == line).unwrap().1;
        let mut file = self.file.lock().unwrap();
        writeln!(file, "{word} {} {}", scope.kind, scope.id).unwrap();
        file.sync_data().unwrap();
    }

    /// The last line of each scope.
    pub(super) fn read(&self) -> HashMap<Scope, Line> {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let read = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (word, kind, id) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let line = Line::ALL.iter().find(|(_, known)| *known == word).unwrap().0;
            (Scope { kind: Scope::KINDS.into_iter().find(|known| *known == kind).unwrap(), id: id.to_owned() }, line)
        };
        text.lines().map(read).collect()
    }
}
