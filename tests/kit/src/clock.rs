//! A wall clock that is stepped while a process runs, by libfaketime. Only the wall clock: what counts since the machine's
//! start goes on as it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Debian has a folder for each architecture here.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// One process's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that goes right, steered by `file`.
    pub(crate) fn new(file: PathBuf) -> Result<Self> {
        let missing = || Error::Missing("libfaketime is not installed; Debian has it in faketime".to_owned());
        let folders = fs::read_dir(LIBRARIES).into_iter().flatten().flatten();
        let library = folders.map(|folder| folder.path().join(LIBRARY)).find(|path| path.exists());
        let clock = Self { library: library.ok_or_else(missing)?, file };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds off the real one, for the next time that the process asks.
    pub(crate) fn set(&self, seconds: i64) -> Result<()> {
        let draft = self.file.with_extension("new");
        // Renamed, so that half a number is never read.
        fs::write(&draft, format!("{seconds:+}\n"))
            .and_then(|()| fs::rename(&draft, &self.file))
            .map_err(Error::io("the clock cannot be set"))
    }

    /// What the process is started with.
    pub(crate) fn environment(&self) -> [(&'static str, &Path); 5] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file),
            // Asked at each reading, not once in ten seconds.
            ("FAKETIME_NO_CACHE", Path::new("1")),
            // By its new name and its old one.
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            ("DONT_FAKE_MONOTONIC", Path::new("1")),
        ]
    }
}
