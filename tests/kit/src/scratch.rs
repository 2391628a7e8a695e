//! Scratch directories: one per server, removed when its handle is dropped. Those of test processes that were killed are
//! found by their locks and removed by the next.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::files;
use crate::programs::run;

const LOCK: &str = "lock";
const LIVE: &str = "live-";

/// A directory of a server's own, or a test's.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

/// A copy of a server's data as it once was, kept until this is dropped.
#[derive(Debug)]
pub struct Copied {
    pub(crate) folder: PathBuf,
    _home: Scratch,
}

impl Scratch {
    /// A new directory that every user may pass through, empty but for its lock.
    ///
    /// # Errors
    /// [`Error::Failed`] where none can be made.
    pub fn new(name: &str) -> Result<Self> {
        static SWEPT: Once = Once::new();
        let shared = shared_folder()?;
        SWEPT.call_once(|| remove_leftovers(&shared));
        let cannot = || Error::io(format!("no directory can be made in {}", shared.display()));
        // Locked before it has the name under which others look for leftovers.
        let made = tempfile::Builder::new().prefix("new-").tempdir_in(&shared).map_err(cannot())?.keep();
        let lock = File::create(made.join(LOCK)).map_err(cannot())?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| Error::failed(error.to_string()))?;
        fs::set_permissions(&made, PermissionsExt::from_mode(0o755)).map_err(cannot())?;
        let random = made.file_name().unwrap_or_default().to_string_lossy().replace("new-", "");
        let path = shared.join(format!("{LIVE}{name}-{random}"));
        fs::rename(&made, &path).map_err(cannot())?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next test process.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Copied {
    /// Copies a folder of a server that does not run.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let home = Scratch::new("copy")?;
        let copy = home.path().join("copy");
        files::copy(folder, &copy)?;
        Ok(Self { folder: copy, _home: home })
    }
}

/// The directory that all test processes of this user share, for templates, ports and scratch.
pub(crate) fn shared_folder() -> Result<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    // Short, because the path of a unix socket has at most 107 bytes.
    let path = std::env::temp_dir().join(format!("rescind-kit-{user}"));
    fs::create_dir_all(&path).map_err(Error::io(format!("{} cannot be made", path.display())))?;
    Ok(path)
}

/// Removes the directories whose lock nobody holds.
fn remove_leftovers(shared: &Path) {
    for entry in fs::read_dir(shared).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(LIVE) {
            continue;
        }
        let Ok(lock) = File::options().write(true).open(path.join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            unmount_all_in(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn unmount_all_in(path: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mount in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(mount).starts_with(path) {
            let _ = run(Command::new("umount").arg("-l").arg(mount));
        }
    }
}
