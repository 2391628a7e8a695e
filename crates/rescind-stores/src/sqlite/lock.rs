//! One process at a time. Owns the lock file beside the database and the message for whoever comes second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rescind::store::StoreErrorKind;

use super::fault::Fault;

/// Exclusive use of a database, for as long as it lives. The system frees it when the process dies, however it dies.
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock of the database `file`.
///
/// The lock lies on a file of its own: one on the database would clash with SQLite's, and keep the `sqlite3` tool out.
pub(super) fn take(file: &Path) -> Result<Lock, Fault> {
    let path = beside(file);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| unusable(&path, &error))?;
    match lock.try_lock() {
        Ok(()) => {
            // For the message below; whoever holds the lock may write it.
            let noted = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
            noted.or_else(|error| if is_full(&error) { Ok(()) } else { Err(unusable(&path, &error)) })?;
            Ok(Lock { _file: lock })
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = (&lock).take(20).read_to_string(&mut holder);
            let holder = if read.is_ok() && !holder.is_empty() { holder.trim() } else { "unknown" };
            Err(Fault::new(
                StoreErrorKind::Unavailable,
                format!(
                    "in use by another process (id {holder}, lock {}). One process serves a database: stop the other, \
                     or talk to it through its admin API, as the command line does",
                    path.display()
                ),
            ))
        }
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

fn is_full(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::StorageFull
}

fn unusable(path: &Path, error: &std::io::Error) -> Fault {
    let text =
        format!("cannot lock {}: {error}. The directory must exist and be writable by this process", path.display());
    Fault::new(StoreErrorKind::Unavailable, text)
}
