//! Folders: whose they are, and copies of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::programs::run;

/// Makes an empty folder that only `user` can enter; ours where there is none.
pub(crate) fn make_folder(path: &Path, user: Option<&str>) -> Result<()> {
    fs::create_dir(path).map_err(Error::io(format!("{} cannot be made", path.display())))?;
    run(Command::new("chmod").arg("0700").arg(path))?;
    give(path, user)
}

/// Gives a file or folder, with all in it, to `user`.
pub(crate) fn give(path: &Path, user: Option<&str>) -> Result<()> {
    if let Some(user) = user {
        run(Command::new("chown").arg("-R").arg(format!("{user}:")).arg(path))?;
    }
    Ok(())
}

/// Writes a file that `user` can read and nobody else.
pub(crate) fn write(path: &Path, text: &str, user: Option<&str>) -> Result<()> {
    fs::write(path, text).map_err(Error::io(format!("{} cannot be written", path.display())))?;
    run(Command::new("chmod").arg("0600").arg(path))?;
    give(path, user)
}

/// Copies a folder with owners and modes to a place where nothing is. Shares blocks where the file system can.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to)).map(drop)
}

/// Makes `to` what `from` is.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<()> {
    fs::remove_dir_all(to).map_err(Error::io(format!("{} cannot be removed", to.display())))?;
    copy(from, to)
}
