//! What a machine loses when its power fails: of what a killed server has written and not flushed, a random part is rolled
//! back, sector by sector, so that pages are torn. `shim.c`, preloaded into the server, wrote down what stood there before.
//!
//! A file's name counts as flushed with the file (so do ext4, XFS and Btrfs) or with its folder; a rename with its folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rescind_test_kit::{Error, Result};

use crate::flushes::{BYTES, Fate, Flushes, SECTOR, what_stood};
use crate::luck::Luck;

const SOURCE: &str = include_str!("shim.c");
const HEADER: usize = 40;
/// A flush takes so much longer, as on a slower disk.
const FLUSH: Duration = Duration::from_millis(3);

/// The shim, compiled, and where it writes to.
#[derive(Debug)]
pub(crate) struct Pages {
    library: PathBuf,
    undo: PathBuf,
    folder: PathBuf,
}

/// What was rolled back.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Sectors that had been written and not flushed.
    pub(crate) written: usize,
    /// Those of them that were rolled back.
    pub(crate) sectors: usize,
    /// Files whose making or renaming was undone.
    pub(crate) names: usize,
}

impl Lost {
    pub(crate) fn is_nothing(self) -> bool {
        self.sectors + self.names == 0
    }
}

impl Pages {
    /// Compiles the shim into `home`, for a server whose data lies in `folder`.
    ///
    /// # Errors
    /// [`Error::Missing`] without a C compiler.
    pub(crate) fn of(home: &Path, folder: &Path) -> Result<Self> {
        let (source, library) = (home.join("shim.c"), home.join("shim.so"));
        fs::write(&source, SOURCE).map_err(|error| Error::Failed(format!("{}: {error}", source.display())))?;
        let missing = |error| Error::Missing(format!("cc does not run ({error}); Debian has it in gcc and libc6-dev"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let done = cc.output().map_err(missing)?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(Error::Missing(format!(
                "cc does not compile the shim; Debian has what it needs in libc6-dev:\n{why}"
            )));
        }
        Ok(Self { library, undo: home.join("undo"), folder: folder.to_owned() })
    }

    /// What the server is started with.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("TORTURE_UNDO", text(&self.undo)),
            ("TORTURE_DIR", text(&self.folder)),
            ("TORTURE_SLOW", FLUSH.as_micros().to_string()),
        ]
    }

    /// Forgets what was written so far: the server is about to start, or was stopped in order.
    pub(crate) fn forget(&self) {
        // It need not be there.
        let _ = fs::remove_file(&self.undo);
    }

    /// Rolls back a part of what the killed server has not flushed; all of it where luck would leave everything.
    ///
    /// # Errors
    /// Where a file cannot be changed.
    pub(crate) fn lose(&self, luck: &mut Luck) -> Result<Lost> {
        let failed = |error: io::Error| Error::Failed(format!("pages cannot be rolled back: {error}"));
        let records = read(&fs::read(&self.undo).map_err(failed)?);
        // None, few, half, or most of it stays.
        let stays = *luck.any(&[0, 10, 50, 90]).unwrap_or(&0);
        let mut lost = roll_back(&records, stays, luck).map_err(failed)?;
        if lost.is_nothing() && stays > 0 {
            lost = roll_back(&records, 0, luck).map_err(failed)?;
        }
        for entry in fs::read_dir(&self.folder).map_err(failed)?.flatten() {
            // SQLite's shared memory is a file that nobody flushes: after a power failure it holds anything.
            if entry.file_name().to_string_lossy().ends_with("-shm") {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        self.forget();
        Ok(lost)
    }
}

/// One record of the shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    /// Of a file of this size, the old bytes from there on were about to be written over, or cut off.
    Wrote {
        offset: u64,
        size: u64,
        old: Vec<u8>,
    },
    Flushed,
    FolderFlushed,
    FlushFailed,
    Renamed {
        to: PathBuf,
        old: Option<Vec<u8>>,
    },
}

/// Reads records until one is cut short.
fn read(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((record, rest)) = one(bytes) {
        records.extend(record);
        bytes = rest;
    }
    records
}

fn one(bytes: &[u8]) -> Option<(Option<Record>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let long = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes);
    let short = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let (number, offset, size) = (long(0)?, long(8)?, long(16)?);
    let (kind, path, count, existed) = (short(24)?, short(28)? as usize, short(32)? as usize, short(36)?);
    let (path, rest) = rest.split_at_checked(path)?;
    let (second, rest) = rest.split_at_checked(if kind == 6 { usize::try_from(offset).ok()? } else { 0 })?;
    let (old, rest) = rest.split_at_checked(count)?;
    let named = |bytes: &[u8]| PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
    let old = old.to_vec();
    let change = match kind {
        1 => Change::Created,
        2 | 3 => Change::Wrote { offset, size, old },
        4 => Change::Flushed,
        5 => Change::FolderFlushed,
        7 => Change::FlushFailed,
        6 => Change::Renamed { to: named(second), old: (existed != 0).then_some(old) },
        _ => return None,
    };
    Some((Some(Record { number, path: named(path), change }), rest))
}

/// Undoes a part of what was not flushed, the newest first where order matters; so many of a hundred parts stay.
fn roll_back(records: &[Record], stays: usize, luck: &mut Luck) -> io::Result<Lost> {
    let mut lost = Lost::default();
    let flushes = Flushes::of(records);
    let mut files: BTreeMap<&Path, Vec<(&Record, Fate)>> = BTreeMap::new();
    let mut names: Vec<&Record> = Vec::new();
    for record in records {
        match &record.change {
            Change::Wrote { .. } => files.entry(&record.path).or_default().push((record, flushes.fate(record))),
            Change::Created
                if !flushes.in_folder(&record.path, record.number) && flushes.fate(record) != Fate::Flushed =>
            {
                names.push(record);
            }
            Change::Renamed { to, .. } if !flushes.in_folder(to, record.number) => names.push(record),
            _ => {}
        }
    }
    for (path, writes) in files {
        if path.exists() && writes.iter().any(|(_, fate)| *fate != Fate::Flushed) {
            roll_back_file(path, &writes, stays, luck, &mut lost)?;
        }
    }
    for record in names.into_iter().rev().filter(|_| luck.below(100) >= stays) {
        lost.names += 1;
        match &record.change {
            Change::Renamed { to, old } => {
                fs::rename(to, &record.path)?;
                if let Some(old) = old {
                    fs::write(to, old)?;
                }
            }
            _ if record.path.exists() => fs::remove_file(&record.path)?,
            _ => lost.names -= 1,
        }
    }
    Ok(lost)
}

/// Each sector that was written is what it is, or what it was at the last flush, or something between.
fn roll_back_file(
    path: &Path,
    writes: &[(&Record, Fate)],
    stays: usize,
    luck: &mut Luck,
    lost: &mut Lost,
) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let now = file.metadata()?.len();
    let (durable, mut sectors) = what_stood(writes, now);
    let mut size = durable;
    // What was cut off is gone, or all of it is there again.
    let is_cut = durable > now && luck.below(100) < stays.max(30);
    if is_cut {
        size = now;
        sectors.retain(|at, _| *at < now);
    }
    for (at, versions) in sectors {
        lost.written += 1;
        if at < now && luck.below(100) < stays {
            size = size.max((at + SECTOR).min(now));
            continue;
        }
        lost.sectors += 1;
        let between = luck.once_in(4);
        let version = if between { luck.any(&versions) } else { versions.first() };
        let mut bytes = version.cloned().unwrap_or_default();
        if between && !bytes.is_empty() {
            size = size.max(at + bytes.len() as u64);
        }
        bytes.resize(BYTES, 0);
        file.write_all_at(&bytes, at)?;
    }
    file.set_len(size)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use rescind_test_kit::or_skip;

    use super::*;

    fn wrote(number: u64, path: &Path, offset: u64, size: u64, old: &[u8]) -> Record {
        Record { number, path: path.to_owned(), change: Change::Wrote { offset, size, old: old.to_vec() } }
    }

    /// What may be left of `now` after `records`, over many seeds.
    fn outcomes(now: &[u8], records: impl Fn(&Path) -> Vec<Record>) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let outcome = |seed| {
            fs::write(&path, now).unwrap();
            let stays = [0, 10, 50, 90][usize::try_from(seed % 4).unwrap()];
            roll_back(&records(&path), stays, &mut Luck::of(seed)).unwrap();
            fs::read(&path).unwrap_or_default()
        };
        let mut all: Vec<Vec<u8>> = (0..200).map(outcome).collect();
        all.sort();
        all.dedup();
        all
    }

    fn sectors(bytes: &[u8]) -> Vec<u8> {
        bytes.iter().flat_map(|byte| [*byte; 512]).collect()
    }

    #[test]
    fn what_was_flushed_stays() {
        let flushed = |path: &Path| {
            let flush = Record { number: 1, path: path.to_owned(), change: Change::Flushed };
            vec![wrote(1, path, 0, 512, &sectors(b"a")), flush]
        };
        assert_eq!(outcomes(&sectors(b"b"), flushed), [sectors(b"b")]);
    }

    #[test]
    fn what_was_not_flushed_is_torn_sector_by_sector() {
        let torn = outcomes(&sectors(b"cd"), |path| vec![wrote(1, path, 0, 1024, &sectors(b"ab"))]);
        assert_eq!(torn, [sectors(b"ab"), sectors(b"ad"), sectors(b"cb"), sectors(b"cd")]);
    }

    #[test]
    fn what_a_failed_flush_was_to_write_no_later_flush_writes() {
        let flush = |number, path: &Path, change| Record { number, path: path.to_owned(), change };
        let failed = |path: &Path, last: Record| {
            let fails = flush(1, path, Change::FlushFailed);
            vec![wrote(1, path, 0, 1024, &sectors(b"a")), fails, last, flush(2, path, Change::Flushed)]
        };
        let beside = outcomes(&sectors(b"cd"), |path| failed(path, wrote(2, path, 512, 1024, &sectors(b"b"))));
        assert_eq!(beside, [sectors(b"ad"), sectors(b"cd")], "only the second was flushed");
        let over = outcomes(&sectors(b"cb"), |path| failed(path, wrote(2, path, 0, 1024, &sectors(b"x"))));
        assert_eq!(over, [sectors(b"cb")], "it was written over");
        let grown = outcomes(&sectors(b"abc"), |path| {
            let (first, fails) = (wrote(1, path, 512, 512, b""), flush(1, path, Change::FlushFailed));
            vec![first, fails, wrote(2, path, 1024, 1024, b""), flush(2, path, Change::Flushed)]
        });
        assert_eq!(grown, [sectors(b"a\0c"), sectors(b"abc")], "its size is that of the last flush");
    }

    #[test]
    fn a_file_may_be_as_short_as_it_was_or_have_a_hole() {
        let grown = outcomes(&sectors(b"abc"), |path| vec![wrote(1, path, 512, 512, b"")]);
        for one in [sectors(b"a"), sectors(b"ab"), sectors(b"abc"), sectors(b"a\0c")] {
            assert!(grown.contains(&one), "{} bytes", one.len());
        }
        assert_eq!(grown.len(), 4);
    }

    #[test]
    fn a_sector_that_was_written_twice_may_be_what_it_was_between() {
        let twice = |path: &Path| vec![wrote(1, path, 0, 512, &sectors(b"a")), wrote(2, path, 0, 512, &sectors(b"b"))];
        assert_eq!(outcomes(&sectors(b"c"), twice), [sectors(b"a"), sectors(b"b"), sectors(b"c")]);
    }

    #[test]
    fn a_name_that_was_not_flushed_may_be_gone() {
        let made = |path: &Path| vec![Record { number: 1, path: path.to_owned(), change: Change::Created }];
        assert_eq!(outcomes(b"x", made), [b"".to_vec(), b"x".to_vec()]);
        let renamed = |path: &Path| {
            let change = Change::Renamed { to: path.to_owned(), old: Some(b"old".to_vec()) };
            vec![Record { number: 1, path: path.with_extension("new"), change }]
        };
        assert_eq!(outcomes(b"new", renamed), [b"new".to_vec(), b"old".to_vec()]);
    }

    #[test]
    fn what_a_program_has_flushed_survives_and_what_it_has_only_written_may_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        fs::create_dir(&folder).unwrap();
        let Some(pages) = or_skip(Pages::of(home.path(), &folder), rescind::testing::skip) else { return };
        let left = |seed, flush: &str| {
            let file = folder.join("file");
            let _ = fs::remove_file(&file);
            let mut dd = Command::new("dd");
            dd.args(["if=/dev/zero", "bs=4096", "count=3", flush]).arg(format!("of={}", file.display()));
            assert!(dd.envs(pages.environment()).output().unwrap().status.success());
            let lost = pages.lose(&mut Luck::of(seed)).unwrap();
            (fs::metadata(&file).map_or(0, |file| file.len()), lost)
        };
        assert!((0..8).all(|seed| left(seed, "conv=fsync") == (3 * 4096, Lost::default())));
        let (sizes, lost): (Vec<u64>, Vec<Lost>) = (0..16).map(|seed| left(seed, "conv=notrunc")).unzip();
        assert!(lost.iter().all(|lost| lost.written == 24 && !lost.is_nothing()), "{lost:?}");
        assert!(sizes.contains(&0) && sizes.iter().any(|size| (1..=3 * 4096).contains(size)), "{sizes:?}");
    }

    #[test]
    fn a_record_that_is_cut_short_ends_the_reading() {
        let mut bytes = Vec::new();
        for number in [7_u64, 4096, 8192] {
            bytes.extend(number.to_ne_bytes());
        }
        for word in [2_u32, 2, 3, 0] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"/fold");
        let whole = read(&bytes);
        assert_eq!(whole, [wrote(7, Path::new("/f"), 4096, 8192, b"old")]);
        assert_eq!(read(&bytes[..bytes.len() - 1]), []);
    }
}
