//! The data directory: which files it holds, that nobody else can read its secrets, and how the admin token is made.
//! Owns paths, modes and the token; the engine owns what is in `root.key` and `high-water`, SQLite its database.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::random::{Random, SystemRandom};
use zeroize::Zeroizing;

/// The remedy where a file cannot be made.
const WRITABLE: &str =
    "the data directory must have room and be writable for the server's user; or choose another with --data";

/// The data directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

/// A file or directory that cannot be used, with the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    problem: String,
}

impl FileError {
    fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into() }
    }
}

impl DataDir {
    /// The directory at this path, which need not exist.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the directory where it is missing (mode 0700), and refuses one that others can write to.
    ///
    /// # Errors
    /// [`FileError`]; nothing was changed.
    pub(crate) fn create(&self) -> Result<(), FileError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| FileError::new(&self.0, format!("cannot be made: {error}; choose another with --data")))?;
        let about = self.0.metadata().map_err(|error| FileError::new(&self.0, error.to_string()))?;
        if about.permissions().mode() & 0o022 != 0 {
            let remedy = format!("others can write to it; run: chmod 700 {}", self.0.display());
            return Err(FileError::new(&self.0, remedy));
        }
        Ok(())
    }

    /// The root secret's file.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.0.join("root.key")
    }

    /// The admin token's file.
    pub(crate) fn admin_token(&self) -> PathBuf {
        self.0.join("admin-token")
    }

    /// The file of the token for those who follow this node.
    pub(crate) fn feed_token(&self) -> PathBuf {
        self.0.join("feed-token")
    }

    /// The node's mark of the highest log position that it has seen.
    pub(crate) fn high_water(&self) -> PathBuf {
        self.0.join("high-water")
    }
}

/// Refuses a file that group or others can read, write or run.
///
/// # Errors
/// [`FileError`] with the command that mends it, or why the file cannot be looked at.
pub(crate) fn refuse_open_to_others(path: &Path) -> Result<(), FileError> {
    let kind = path.metadata().map_err(|error| FileError::new(path, error.to_string()))?;
    if !kind.is_file() {
        return Err(FileError::new(path, "is no file; move it away or name another"));
    }
    if kind.permissions().mode() & 0o077 != 0 {
        return Err(FileError::new(path, format!("others can read it; run: chmod 600 {}", path.display())));
    }
    Ok(())
}

/// The token that opens the admin API.
///
/// **Shape:** 32 random bytes as 43 characters of base64url.
#[derive(Clone)]
pub(crate) struct AdminToken(Zeroizing<String>);

impl AdminToken {
    /// Reads the token, or makes one where the file is missing. A file that is there is never overwritten.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, FileError> {
        match path.symlink_metadata() {
            Ok(_) => Self::load(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(FileError::new(path, error.to_string())),
        }
    }

    /// Reads the token.
    ///
    /// # Errors
    /// [`FileError`] where the file is missing, cannot be read, is open to others, or holds no token.
    pub(crate) fn load(path: &Path) -> Result<Self, FileError> {
        refuse_open_to_others(path)?;
        let bytes = fs::read(path).map(Zeroizing::new).map_err(|error| {
            FileError::new(path, format!("cannot be read: {error}; the server's user must own it, with mode 0600"))
        })?;
        // What is no text is no token either, and gets the same remedy.
        let token = std::str::from_utf8(&bytes).unwrap_or_default().trim_end_matches('\n');
        if URL_SAFE_NO_PAD.decode(token).map(|bytes| bytes.len()) != Ok(32) {
            let remedy =
                "holds no token (43 characters); restore it, or delete it and start the server, which makes a new one";
            return Err(FileError::new(path, remedy));
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    fn make(path: &Path) -> Result<Self, FileError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom.fill(bytes.as_mut_slice()).map_err(|error| FileError::new(path, error.to_string()))?;
        let token = Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())));
        write_once(path, token.0.as_bytes())
            .map_err(|error| FileError::new(path, format!("cannot be written: {error}; {WRITABLE}")))?;
        Ok(token)
    }

    /// The token itself. For the `Authorization` header of the command line and nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub(crate) fn fits(&self, presented: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), presented.as_bytes()).is_ok()
    }
}

/// The token that reads the feed and the snapshot, and opens nothing else.
///
/// **Shape:** as the admin token's; from the environment, any text.
#[derive(Debug, Clone)]
pub(crate) struct FeedToken(AdminToken);

impl FeedToken {
    /// Reads the token, or makes one where the file is missing.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, FileError> {
        AdminToken::load_or_create(path).map(Self)
    }

    /// Whether it is the admin token: it would open everything.
    pub(crate) fn opens_admin(&self, admin: &AdminToken) -> bool {
        self.fits(admin.expose())
    }

    /// A token that was given, so that several nodes have the same.
    pub(crate) fn given(text: &str) -> Self {
        Self(AdminToken(Zeroizing::new(text.to_owned())))
    }

    /// Compares in constant time.
    pub(crate) fn fits(&self, presented: &str) -> bool {
        self.0.fits(presented)
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

/// Writes a file whole or not at all (mode 0600), and fails where one of that name exists.
fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    // Not by the process: in a container every one has the same number, and a draft that a crash has left would be in
    // the way for ever.
    let mut suffix = [0; 8];
    SystemRandom.fill(&mut suffix).map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{:016x}.tmp", u64::from_be_bytes(suffix)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    // A hard link, unlike a rename, never replaces what another process has just made.
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    linked?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_token_is_made_once_and_read_again() {
        let scratch = tempfile::tempdir().unwrap();
        let path = DataDir::at(scratch.path()).admin_token();
        let made = AdminToken::load_or_create(&path).unwrap();
        let again = AdminToken::load_or_create(&path).unwrap();
        assert!(made.fits(again.expose()));
        assert!(!made.fits("x"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(made.expose()));
    }

    #[test]
    fn the_draft_of_a_crash_is_not_in_the_way() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("admin-token");
        fs::write(path.with_extension(format!("{}.tmp", std::process::id())), "half").unwrap();
        let made = AdminToken::load_or_create(&path).unwrap();
        assert!(AdminToken::load(&path).unwrap().fits(made.expose()));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2, "and leaves none of its own");
    }

    #[test]
    fn a_bad_admin_token_file_is_refused_and_left_as_it_was() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("admin-token");
        fs::write(&path, "short\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(AdminToken::load_or_create(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(AdminToken::load_or_create(&path).unwrap_err().to_string().contains("43 characters"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
        fs::write(&path, [0xff; 43]).unwrap();
        assert!(AdminToken::load_or_create(&path).unwrap_err().to_string().contains("43 characters"));
        assert_eq!(fs::read(&path).unwrap(), [0xff; 43]);
    }

    #[test]
    fn a_token_that_cannot_be_written_names_the_remedy() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("missing/admin-token");
        assert!(AdminToken::load_or_create(&path).unwrap_err().to_string().contains("--data"));
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        DataDir::at(&path).create().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(DataDir::at(&path).create().unwrap_err().to_string().contains("chmod 700"));
    }
}
