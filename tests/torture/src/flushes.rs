//! What the flushes of a server have settled of its writes, and what a sector held before those that they have not. Knows
//! no chance: what is lost of it, `pages` decides.

use std::collections::BTreeMap;
use std::path::Path;

use crate::pages::{Change, Record};

pub(crate) const SECTOR: u64 = 512;
pub(crate) const BYTES: usize = 512;

/// What has come of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is on the disk.
    Flushed,
    /// Its flush failed, and no later one writes it: only what is written over it helps.
    Failed,
    /// Nobody has flushed it.
    Pending,
}

/// Which records the flushes of each file, or folder, have settled.
#[derive(Debug, Default)]
pub(crate) struct Flushes<'a> {
    /// Up to which number.
    files: BTreeMap<&'a Path, u64>,
    folders: BTreeMap<&'a Path, u64>,
    /// After which number, and up to which, a flush has failed to.
    failed: BTreeMap<&'a Path, Vec<(u64, u64)>>,
}

impl<'a> Flushes<'a> {
    pub(crate) fn of(records: &'a [Record]) -> Self {
        let mut flushes = Self::default();
        for Record { number, path, change } in records {
            let path = path.as_path();
            match change {
                Change::Flushed => drop(flushes.files.insert(path, *number)),
                Change::FolderFlushed => drop(flushes.folders.insert(path, *number)),
                Change::FlushFailed => {
                    let settled = flushes.files.get(path).copied().unwrap_or_default();
                    flushes.failed.entry(path).or_default().push((settled, *number));
                }
                _ => {}
            }
        }
        flushes
    }

    pub(crate) fn fate(&self, Record { number, path, .. }: &Record) -> Fate {
        let has_failed = |(after, to): &(u64, u64)| after < number && number <= to;
        if self.failed.get(path.as_path()).is_some_and(|failed| failed.iter().any(has_failed)) {
            Fate::Failed
        } else if self.files.get(path.as_path()).is_some_and(|settled| settled >= number) {
            Fate::Flushed
        } else {
            Fate::Pending
        }
    }

    pub(crate) fn in_folder(&self, path: &Path, number: u64) -> bool {
        let settled = path.parent().and_then(|folder| self.folders.get(folder));
        settled.is_some_and(|settled| *settled >= number)
    }
}

/// Of a file that has this size now: the size at its last flush, and of each sector that is not settled what stood there,
/// the oldest first.
pub(crate) fn what_stood(writes: &[(&Record, Fate)], now: u64) -> (u64, BTreeMap<u64, Vec<Vec<u8>>>) {
    let mut durable = None;
    let mut sectors: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    let size_of = |record: &Record| match &record.change {
        Change::Wrote { size, .. } => *size,
        _ => now,
    };
    for (number, (record, fate)) in writes.iter().enumerate() {
        let Change::Wrote { offset, size, old } = &record.change else { continue };
        if *fate == Fate::Pending {
            durable.get_or_insert(*size);
        }
        let written = old.chunks(BYTES).enumerate().map(|(part, bytes)| (offset + part as u64 * SECTOR, bytes));
        // What lies behind the old end was written anew, up to where the next record or the file's end says.
        let grown = writes.get(number + 1).map_or(now, |(next, _)| size_of(next));
        let fresh = (size.next_multiple_of(SECTOR)..grown).step_by(BYTES).map(|at| (at, &[][..]));
        for (at, bytes) in written.chain(fresh) {
            match fate {
                Fate::Flushed => drop(sectors.remove(&at)),
                // A file's size is not in its pages.
                Fate::Failed if at >= now => {}
                Fate::Failed | Fate::Pending => sectors.entry(at).or_default().push(bytes.to_vec()),
            }
        }
    }
    (durable.unwrap_or(now), sectors)
}
