//! The witness: knows what was acknowledged, outside of every process that is tried. A line counts once it is on the
//! witness's own disk; lines that come together are flushed together.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use rescind_test_kit::{Error, Result, Scratch};

use crate::asked::{At, Scope};

/// What is written down of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
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

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(line, _)| *line == self).map_or("", |(_, word)| word)
    }
}

/// A file of acknowledged revocations and lifts, one a line: what, when in microseconds since the begin, kind, id.
#[derive(Debug)]
pub struct Witness {
    inbox: Option<Sender<Note>>,
    path: PathBuf,
    scribe: Option<JoinHandle<()>>,
    _home: Scratch,
}

enum Note {
    Line(String),
    /// Tell whether all before this is on disk, and how many revocations that are.
    Flush(Sender<std::io::Result<u64>>),
}

impl Witness {
    /// Begins an empty file.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn begin() -> Result<Self> {
        let failed = |why: String| {
            Error::Failed(format!("the witness has nowhere to write: {why}; set TMPDIR to where there is room"))
        };
        let home = Scratch::new("witness").map_err(|error| failed(error.to_string()))?;
        let path = home.path().join("acknowledged");
        let file = File::create(&path).map_err(|error| failed(error.to_string()))?;
        let (inbox, notes) = mpsc::channel();
        let scribe = thread::spawn(move || write_down(file, &notes));
        Ok(Self { inbox: Some(inbox), path, scribe: Some(scribe), _home: home })
    }

    /// Hands a line over. It counts once [`flush`](Self::flush) has returned.
    pub fn note(&self, line: Line, scope: &Scope, at: At) {
        let id = if scope.id.is_empty() { "-" } else { &scope.id };
        // A witness that is gone counts nothing, which the flush tells.
        self.send(Note::Line(format!("{} {} {} {id}\n", line.word(), at.as_micros(), scope.kind)));
    }

    /// Returns when everything handed over is on disk; gives how many acknowledged revocations that are.
    ///
    /// # Errors
    /// Where it is not: then nothing that it would prove is proved.
    pub fn flush(&self) -> Result<u64> {
        let (reply, answer) = mpsc::channel();
        self.send(Note::Flush(reply));
        let written = answer.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread is gone")));
        // No node's fault.
        written.map_err(|error| Error::Missing(format!("the witness cannot write to {}: {error}", self.path.display())))
    }

    /// The last line of each scope, and when that was noted.
    ///
    /// # Errors
    /// Where the file cannot be read back whole.
    pub fn read(&self) -> Result<HashMap<Scope, (Line, At)>> {
        self.flush()?;
        let damaged = |what: String| Error::Missing(format!("the witness's {}: {what}", self.path.display()));
        let text = fs::read_to_string(&self.path).map_err(|error| damaged(error.to_string()))?;
        text.lines().map(|line| parsed(line).ok_or_else(|| damaged(format!("not a line of ours: {line}")))).collect()
    }

    fn send(&self, note: Note) {
        if let Some(inbox) = &self.inbox {
            let _ = inbox.send(note);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(scribe) = self.scribe.take() {
            let _ = scribe.join();
        }
    }
}

/// Takes what waits, writes it, flushes it, and only then counts it.
fn write_down(mut file: File, notes: &Receiver<Note>) {
    let (mut count, mut failed) = (0, None);
    while let Ok(first) = notes.recv() {
        let (mut text, mut fresh, mut asked) = (String::new(), 0, Vec::new());
        for note in std::iter::once(first).chain(notes.try_iter()) {
            match note {
                Note::Line(line) => {
                    fresh += u64::from(line.starts_with(Line::Revoked.word()));
                    text.push_str(&line);
                }
                Note::Flush(reply) => asked.push(reply),
            }
        }
        match file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            Ok(()) => count += fresh,
            Err(error) => failed = Some(error.to_string()),
        }
        for reply in asked {
            // Nobody waits any more where this fails.
            let _ = reply.send(failed.clone().map_or(Ok(count), |why| Err(std::io::Error::other(why))));
        }
    }
}

fn parsed(line: &str) -> Option<(Scope, (Line, At))> {
    let mut words = line.splitn(4, ' ');
    let (word, at, kind, id) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let line = Line::ALL.iter().find(|(_, known)| *known == word)?.0;
    let kind = Scope::KINDS.into_iter().find(|known| *known == kind)?;
    Some((Scope::new(kind, if id == "-" { "" } else { id }), (line, At::from_micros(at.parse().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_flushed_reads_back_with_the_last_line_of_each_scope() {
        let witness = Witness::begin().unwrap();
        let (session, all) = (Scope::new("session", "s"), Scope::all());
        witness.note(Line::Revoked, &session, At::from_micros(5));
        witness.note(Line::Revoked, &all, At::from_micros(6));
        witness.note(Line::Lifting, &session, At::from_micros(7));
        assert_eq!(witness.flush().unwrap(), 2, "a lift is no revocation");
        witness.note(Line::Lifted, &session, At::from_micros(8));
        let read = witness.read().unwrap();
        assert_eq!(read.get(&session), Some(&(Line::Lifted, At::from_micros(8))));
        assert_eq!(read.get(&all), Some(&(Line::Revoked, At::from_micros(6))));
    }
}
