//! The client secret that a provider gave us. Owns that it is never shown, and its file.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Longest secret that is read from a file. **Units:** bytes.
const SECRET_MAX: u64 = 4096;

/// The secret by which a provider knows us. Redacted in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

/// A secret's file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientSecretError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; the service's user must be able to")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read the file.
    #[error(
        "{path} can be read by others (mode {mode:04o}); run `chmod 600 {path}`, and change the secret if others may have read it"
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The path is a directory, a device or the like.
    #[error("{0} is no regular file; name a file of one line")]
    NotAFile(PathBuf),
    /// The file's content is no secret.
    #[error("{0} holds no client secret: one line of text, at most {SECRET_MAX} bytes, is expected")]
    Content(PathBuf),
}

impl ClientSecret {
    /// Takes a secret.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Reads a file of one line, which only its owner may read; blanks around it are dropped.
    ///
    /// # Errors
    /// [`ClientSecretError`], which names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientSecretError> {
        let path = path.as_ref();
        let unreadable = |source| ClientSecretError::Read { path: path.to_owned(), source };
        // Looked at before it is opened: to open a pipe waits for whoever writes into it.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(ClientSecretError::NotAFile(path.to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(ClientSecretError::Permissions { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(256));
        file.take(SECRET_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
        let secret = text.trim();
        if secret.is_empty() || text.len() as u64 > SECRET_MAX || secret.chars().any(char::is_control) {
            return Err(ClientSecretError::Content(path.to_owned()));
        }
        Ok(Self::new(secret.to_owned()))
    }

    /// The secret itself, for the request that proves who we are and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn keep(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", ClientSecret::new("hush".to_owned())), "ClientSecret(redacted)");
    }

    #[test]
    fn a_file_holds_one_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let read = |text: &str| {
            keep(&path, text, 0o600);
            ClientSecret::from_file(&path).map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(read(" hush\n").unwrap(), "hush");
        for wrong in ["", "\n", "a\nb", &"x".repeat(5000)] {
            assert!(matches!(read(wrong), Err(ClientSecretError::Content(_))), "{} bytes", wrong.len());
        }
        assert!(matches!(ClientSecret::from_file(home.path().join("none")), Err(ClientSecretError::Read { .. })));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy_and_without_its_content() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
            keep(&path, "hush", mode);
            let error = ClientSecret::from_file(&path).unwrap_err();
            assert!(matches!(error, ClientSecretError::Permissions { mode: found, .. } if found == mode), "{error}");
            let told = error.to_string();
            assert!(told.contains("chmod 600") && told.contains(&format!("{mode:04o}")), "{told}");
            assert!(!told.contains("hush") && !format!("{error:?}").contains("hush"), "{told}");
        }
        for mode in [0o600, 0o400] {
            keep(&path, "hush", mode);
            assert!(ClientSecret::from_file(&path).is_ok());
        }
        let directory = ClientSecret::from_file(home.path());
        assert!(matches!(directory, Err(ClientSecretError::NotAFile(_))));
    }
}
