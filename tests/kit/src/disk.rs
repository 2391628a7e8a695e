//! A disk that a test can fill: a small file system of its own in memory.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::programs::{find, run};
use crate::scratch::Scratch;

/// A tmpfs of a given size. Unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    mount: PathBuf,
    _scratch: Scratch,
}

impl SmallDisk {
    /// A disk of so many MiB. Postgres needs 160, Redis 8.
    ///
    /// # Errors
    /// [`Error::Missing`] where we may not mount: that takes root, and a container that lets it.
    pub fn mount(mebibytes: u32) -> Result<Self> {
        let program = find("mount", "mount")?;
        let scratch = Scratch::new("disk")?;
        let mount = scratch.join("disk");
        fs::create_dir(&mount).map_err(Error::io("no mount point can be made"))?;
        let options = format!("size={mebibytes}m,mode=0777");
        run(Command::new(program).args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&mount))
            .map_err(|error| Error::Missing(format!("a small disk cannot be mounted; run as root: {error}")))?;
        Ok(Self { mount, _scratch: scratch })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Takes all that is free: from here on every write fails that needs a new block.
    ///
    /// # Errors
    /// [`Error::Failed`] where it cannot be written for another reason.
    pub fn fill(&self) -> Result<()> {
        let file = File::options().create(true).append(true).open(self.filler());
        let mut file = file.map_err(Error::io("the filler cannot be opened"))?;
        let mut size = 1 << 20;
        while size > 0 {
            match file.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(Error::failed(format!("the filler cannot be written: {error}"))),
            }
        }
        Ok(())
    }

    /// Gives back what [`fill`](Self::fill) took.
    ///
    /// # Errors
    /// [`Error::Failed`] where nothing had been taken.
    pub fn free(&self) -> Result<()> {
        fs::remove_file(self.filler()).map_err(Error::io("the filler cannot be removed"))
    }

    fn filler(&self) -> PathBuf {
        self.mount.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What stays mounted is found with the scratch directory, by the next test process.
        let _ = run(Command::new("umount").arg("-l").arg(&self.mount));
    }
}
