//! The root secret: 32 random bytes that are never in the store, and the keys derived from them (HKDF, RFC 5869).
//! Owns its text and its file; the only file that the engine's keys ever touch.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::CookieSeal;
use crate::random::{Random, RandomFailed, SystemRandom};

/// What stands before the digits in a root secret's text.
const PREFIX: &str = "rescind-root-v1:";

/// The one secret that an operator guards. Who has it and the store can make every token; the store alone makes none.
///
/// **Shape** as text: `rescind-root-v1:` and 64 hexadecimal digits.
#[derive(Clone)]
pub struct RootSecret(Zeroizing<[u8; 32]>);

/// A key derived from the root secret for one purpose.
#[derive(Clone)]
pub struct DerivedKey(Zeroizing<[u8; 32]>);

impl DerivedKey {
    /// The 32 bytes. Never log, store or compare them with `==`.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(redacted)")
    }
}

impl fmt::Debug for RootSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootSecret(redacted)")
    }
}

/// A root secret that cannot be had. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum RootSecretError {
    /// The text is no root secret.
    #[error("not a root secret: expected `{PREFIX}` and 64 hexadecimal digits, or base64 of 32 bytes")]
    Text,
    /// The file's content is no root secret: cut off, or another file.
    #[error(
        "{path} is no root secret: {length} bytes where `{PREFIX}` and 64 hexadecimal digits are expected; restore it \
         from your backup. Only if no token or session may survive: move it away, and a new one is made"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
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
    #[error("{path} is no regular file; name a file, in a directory of the service's own")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; the service's user must own it, with mode 0600")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error(
        "cannot make {path}: {source}; its directory must exist, have room, and be writable for the service's user"
    )]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The source of randomness failed.
    #[error(transparent)]
    Random(#[from] RandomFailed),
}

impl RootSecret {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`RandomFailed`].
    pub fn generate(random: &dyn Random) -> Result<Self, RandomFailed> {
        let mut secret = Self(Zeroizing::new([0; 32]));
        random.fill(&mut *secret.0)?;
        Ok(secret)
    }

    /// Takes 32 bytes, which must be random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the text: with or without `rescind-root-v1:`, 64 hexadecimal digits, or base64 of 32 bytes. Blanks around it are dropped.
    ///
    /// # Errors
    /// [`RootSecretError::Text`].
    pub fn from_text(text: &str) -> Result<Self, RootSecretError> {
        let text = text.trim();
        let digits = text.strip_prefix(PREFIX).unwrap_or(text);
        let mut secret = Self(Zeroizing::new([0; 32]));
        if digits.len() == 64 {
            for (byte, pair) in secret.0.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
                let digit = |at: usize| pair.get(at).and_then(|digit| char::from(*digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(0), digit(1)) else { return Err(RootSecretError::Text) };
                *byte = u8::try_from(high << 4 | low).map_err(|_| RootSecretError::Text)?;
            }
            return Ok(secret);
        }
        let decoded = STANDARD.decode(digits).or_else(|_| URL_SAFE_NO_PAD.decode(digits)).map(Zeroizing::new);
        *secret.0 = decoded.ok().and_then(|bytes| bytes.as_slice().try_into().ok()).ok_or(RootSecretError::Text)?;
        Ok(secret)
    }

    /// Reads the file, or makes it, mode 0600, with a new secret of the system's randomness where there is none.
    ///
    /// # Errors
    /// As [`load_or_create_with`](Self::load_or_create_with).
    pub fn load_or_create(path: impl AsRef<Path>) -> Result<Self, RootSecretError> {
        Self::load_or_create_with(path, &SystemRandom)
    }

    /// Reads the file, or makes it, mode 0600, with a new secret where there is none.
    ///
    /// **Atomicity:** the file appears whole or not at all, and of several processes that make it at once all get the
    /// same secret. What exists is never overwritten.
    ///
    /// # Errors
    /// [`RootSecretError`]; each names the file and the remedy.
    pub fn load_or_create_with(path: impl AsRef<Path>, random: &dyn Random) -> Result<Self, RootSecretError> {
        let path = path.as_ref();
        match Self::load(path) {
            Err(RootSecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let secret = Self::generate(random)?;
        let mut suffix = [0; 8];
        random.fill(&mut suffix)?;
        match secret.create(path, u64::from_be_bytes(suffix)) {
            // Another process was first: its secret counts.
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(source) => Err(RootSecretError::Create { path: path.to_owned(), source }),
            Ok(()) => Ok(secret),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`RootSecretError`]; each names the file and the remedy.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RootSecretError> {
        let path = path.as_ref();
        let unreadable = |source| RootSecretError::Read { path: path.to_owned(), source };
        // Asked before opening: the opening of a pipe would wait for its writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(RootSecretError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if about.mode() & 0o077 != 0 {
            return Err(RootSecretError::Permissions { path: path.to_owned(), mode: about.mode() & 0o7777 });
        }
        let mut text = Zeroizing::new(String::with_capacity(256));
        let read = file.take(256).read_to_string(&mut text);
        // In the file only the whole, prefixed text counts: a cut one must not pass as something shorter.
        match read {
            Ok(_) if text.starts_with(PREFIX) && text.trim_end().len() == PREFIX.len() + 64 => {
                Self::from_text(&text).map_err(|_| RootSecretError::File { path: path.to_owned(), length: about.len() })
            }
            Err(source) if source.kind() != io::ErrorKind::InvalidData => Err(unreadable(source)),
            _ => Err(RootSecretError::File { path: path.to_owned(), length: about.len() }),
        }
    }

    /// Derives the MAC key of refresh tokens with this key id.
    pub fn refresh_mac_key(&self, key_id: u32) -> DerivedKey {
        self.derive(&[b"refresh mac ", &key_id.to_be_bytes()])
    }

    /// Derives the key of cookies.
    pub fn cookie_key(&self) -> DerivedKey {
        self.derive(&[b"cookie"])
    }

    /// Derives what seals the cookies of one purpose. A cookie of another purpose does not open.
    pub fn cookie_seal(&self, purpose: &str) -> CookieSeal {
        CookieSeal::new(self.derive(&[b"sealed cookie ", purpose.as_bytes()]))
    }

    /// Derives the key that seals signing keys at rest.
    pub fn sealing_key(&self) -> DerivedKey {
        self.derive(&[b"key sealing"])
    }

    /// A word that tells one root secret from another and nothing more: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let derived = self.derive(&[b"fingerprint"]);
        let word = derived.0.iter().take(8).fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        format!("{word:016x}")
    }

    /// RFC 5869 with SHA-256 and one block of output: PRK = HMAC(salt, secret), T(1) = HMAC(PRK, info ‖ 1).
    /// Written with the MAC because it cannot fail; a test holds it against AWS-LC's HKDF.
    fn derive(&self, info: &[&[u8]]) -> DerivedKey {
        let extract = hmac::Key::new(hmac::HMAC_SHA256, b"rescind root v1");
        let prk = hmac::sign(&extract, &*self.0);
        let mut expand = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, prk.as_ref()));
        for part in info {
            expand.update(part);
        }
        expand.update(&[1]);
        let mut derived = DerivedKey(Zeroizing::new([0; 32]));
        derived.0.iter_mut().zip(expand.sign().as_ref()).for_each(|(to, from)| *to = *from);
        derived
    }

    fn text(&self) -> Zeroizing<String> {
        use fmt::Write as _;
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 65));
        text.push_str(PREFIX);
        for byte in &*self.0 {
            let _never = write!(text, "{byte:02x}");
        }
        text.push('\n');
        text
    }

    /// Writes beside the path and links into place: a link never replaces what is there.
    fn create(&self, path: &Path, suffix: u64) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let draft = directory.join(format!(".root-secret-{suffix:016x}"));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(self.text().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        written?;
        removed?;
        File::open(directory)?.sync_all()
    }
}
