//! The client secret that a provider gave us. Owns that it is never shown, and its file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
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
    /// The file's content is no secret.
    #[error("{0} holds no client secret: one line of text, at most {SECRET_MAX} bytes, is expected")]
    Content(PathBuf),
}

impl ClientSecret {
    /// Takes a secret.
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Reads a file of one line; blanks around it are dropped.
    ///
    /// # Errors
    /// [`ClientSecretError`], which names the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientSecretError> {
        let path = path.as_ref();
        let mut text = Zeroizing::new(String::with_capacity(256));
        let read = File::open(path).and_then(|file| file.take(SECRET_MAX + 1).read_to_string(&mut text));
        read.map_err(|source| ClientSecretError::Read { path: path.to_owned(), source })?;
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
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", ClientSecret::new("hush".to_owned())), "ClientSecret(redacted)");
    }

    #[test]
    fn a_file_holds_one_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ClientSecret::from_file(&path).map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(read(" hush\n").unwrap(), "hush");
        for wrong in ["", "\n", "a\nb", &"x".repeat(5000)] {
            assert!(matches!(read(wrong), Err(ClientSecretError::Content(_))), "{} bytes", wrong.len());
        }
        assert!(matches!(ClientSecret::from_file(home.path().join("none")), Err(ClientSecretError::Read { .. })));
    }
}
