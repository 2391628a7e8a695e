//! A node's high-water mark: the newest position that it has seen, in a small file beside its other data, so that
//! a store that was put back to an older copy is found at the next start. Owns the file's shape; decides nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::log::ChainTag;
use crate::position::{Incarnation, Seq};

/// A point in a store's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighWater {
    /// The history.
    pub incarnation: Incarnation,
    /// The newest position seen.
    pub seq: Seq,
    /// The tag at that position.
    pub tag: ChainTag,
}

/// A high-water file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HighWaterError {
    /// The file cannot be read or written.
    #[error("high-water file {path}: {source}; check the path and its permissions")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Neither of its lines can be read.
    #[error(
        "high-water file {path} is damaged: neither of its two lines can be read. It guards against a store that was \
         put back to an older copy. If you are sure that the store is the newest, remove the file and start again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The file, open for overwriting in place.
///
/// **Shape:** two lines of 128 bytes, written in turn so that a torn write leaves the other:
/// `rescind-high-water 1 <incarnation> <seq, 20 digits> <tag> <checksum>` and blanks up to the line's end.
#[derive(Debug)]
pub(crate) struct HighWaterFile {
    /// `None` before the first mark: the file is made with it, so that an empty one is never ours.
    file: Option<File>,
    path: PathBuf,
    next_line: u64,
}

const LINE: usize = 128;
const MAGIC: &str = "rescind-high-water 1";

impl HighWaterFile {
    /// Opens the file where it is, and reads the newer of its lines.
    ///
    /// # Errors
    /// [`HighWaterError`]; nothing is overwritten then. An empty file is damaged, for a missing one means "no mark".
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<HighWater>), HighWaterError> {
        let path = path.to_owned();
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self { file: None, path, next_line: 1 }, None));
            }
            Err(source) => return Err(HighWaterError::Io { path, source }),
        };
        let mut lines: [Option<HighWater>; 2] = [None, None];
        for (line, at) in lines.iter_mut().zip([0, LINE as u64]) {
            let mut bytes = [0; LINE];
            *line = file.read_exact_at(&mut bytes, at).ok().and_then(|()| parse(&bytes));
        }
        let (newest, next_line) = match lines {
            // Positions only grow, by a new incarnation too: the higher one is the newer.
            [Some(first), second] if second.is_none_or(|second| first.seq >= second.seq) => (first, 1),
            [_, Some(second)] => (second, 0),
            [_, None] => return Err(HighWaterError::Damaged { path }),
        };
        Ok((Self { file: Some(file), path, next_line }, Some(newest)))
    }

    /// Writes a mark. It survives the death of the process at once, that of the machine once the file was flushed.
    ///
    /// # Errors
    /// [`HighWaterError::Io`].
    pub(crate) fn write(&mut self, mark: HighWater) -> Result<(), HighWaterError> {
        let bytes = line(mark);
        let Some(file) = &self.file else { return self.create(&bytes).map_err(|source| self.failed(source)) };
        file.write_all_at(&bytes, self.next_line * LINE as u64).map_err(|source| self.failed(source))?;
        self.next_line = 1 - self.next_line;
        Ok(())
    }

    /// Makes the file with its first line (mode 0600): another name first, so that it is never seen without.
    fn create(&mut self, bytes: &[u8; LINE]) -> io::Result<()> {
        let mut draft = self.path.as_os_str().to_owned();
        draft.push(".new");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.path)?;
        self.file = Some(file);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> HighWaterError {
        HighWaterError::Io { path: self.path.clone(), source }
    }
}

fn line(mark: HighWater) -> [u8; LINE] {
    let body = body(mark);
    let text = format!("{body} {}", checksum(&body));
    let mut bytes = [b' '; LINE];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    if let Some(last) = bytes.last_mut() {
        *last = b'\n';
    }
    bytes
}

fn body(mark: HighWater) -> String {
    format!("{MAGIC} {} {:020} {}", mark.incarnation, mark.seq, mark.tag)
}

/// Guards against torn writes and slips of an editor, not against an attacker with write access.
fn checksum(body: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let word = digest.as_ref().first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
    format!("{word:08x}")
}

fn parse(bytes: &[u8; LINE]) -> Option<HighWater> {
    let line = std::str::from_utf8(bytes).ok()?.trim_end();
    let (signed, sum) = line.rsplit_once(' ')?;
    let mut fields = signed.strip_prefix(MAGIC)?.split_ascii_whitespace();
    let incarnation = Incarnation::from_bytes(hex(fields.next()?)?);
    let seq = Seq::new(fields.next()?.parse().ok()?);
    let tag = ChainTag::from_bytes(hex(fields.next()?)?);
    (checksum(signed) == sum && fields.next().is_none()).then_some(HighWater { incarnation, seq, tag })
}

/// Reads 16 bytes from 32 hexadecimal digits, without a sign.
pub(crate) fn hex(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(seq: u64) -> HighWater {
        HighWater {
            incarnation: Incarnation::from_bytes([0xab; 16]),
            seq: Seq::new(seq),
            tag: ChainTag::from_bytes([seq.to_le_bytes()[0]; 16]),
        }
    }

    fn reopened(path: &Path) -> Option<HighWater> {
        HighWaterFile::open(path).unwrap().1
    }

    #[test]
    fn the_newest_mark_reads_back_after_every_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("high-water");
        let (mut file, none) = HighWaterFile::open(&path).unwrap();
        assert_eq!(none, None);
        for seq in [1, 2, 3, u64::MAX >> 11] {
            file.write(mark(seq)).unwrap();
            assert_eq!(reopened(&path), Some(mark(seq)));
        }
        (file, _) = HighWaterFile::open(&path).unwrap();
        file.write(mark(u64::MAX >> 10)).unwrap();
        assert_eq!(reopened(&path), Some(mark(u64::MAX >> 10)));
    }

    #[test]
    fn sixteen_bytes_are_thirty_two_digits_without_a_sign() {
        assert_eq!(hex(&"0A".repeat(16)), Some([10; 16]));
        for other in ["", "a", &format!("+{}", "a".repeat(31)), &"a".repeat(33), &"g".repeat(32), &"ä".repeat(16)] {
            assert_eq!(hex(other), None, "{other}");
        }
    }

    #[test]
    fn a_torn_line_leaves_the_mark_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("high-water");
        let (mut file, _) = HighWaterFile::open(&path).unwrap();
        file.write(mark(1)).unwrap();
        file.write(mark(2)).unwrap();
        file.write(mark(3)).unwrap();
        file.file.as_ref().unwrap().write_all_at(b"#", 60).unwrap();
        assert_eq!(reopened(&path), Some(mark(2)));
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("high-water");
        for content in ["shopping list", ""] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(HighWaterFile::open(&path), Err(HighWaterError::Damaged { .. })), "{content:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}
