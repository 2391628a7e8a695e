//! The doctor's look at the SQLite file, without opening it as a database: the server owns it alone, and what matters
//! stands in the first hundred bytes.
//!
//! **Source:** the SQLite file format, §1.3 "The Database Header".

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::Finding;

const PART: &str = "database";
/// Below this much room, the next checkpoint or a busy day fills the disk.
const LITTLE_ROOM: u64 = 256 << 20;
/// Below this much room, writes are about to fail.
const NO_ROOM: u64 = 8 << 20;

/// Looks at the file and at the room around it.
pub(super) fn look(data: &Path, database: Option<&Path>) -> Vec<Finding> {
    if !data.is_dir() {
        return Vec::new();
    }
    let Some(path) = database else {
        return vec![Finding::warn(
            PART,
            "the store is memory: every revocation is gone when the process ends",
            "set store to sqlite:PATH",
        )];
    };
    let mut findings = match header(path) {
        Ok(header) => vec![judge(path, &header)],
        Err(error) if error.kind() == io::ErrorKind::NotFound => vec![Finding::warn(
            PART,
            format!("{} does not exist", path.display()),
            "the server makes it at first start; if it has run before, name its --data or --config",
        )],
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => vec![broken(path, "shorter than a header")],
        Err(error) => {
            vec![Finding::fail(PART, format!("{}: {error}", path.display()), "run this as the server's user")]
        }
    };
    let folder = path.parent().filter(|folder| folder.is_dir()).unwrap_or(data);
    findings.extend(room(folder));
    findings.extend(medium(folder));
    findings
}

type Header = [u8; 100];

fn header(path: &Path) -> io::Result<Header> {
    let mut header = [0; 100];
    fs::File::open(path)?.read_exact(&mut header)?;
    Ok(header)
}

fn broken(path: &Path, why: &str) -> Finding {
    Finding::fail(
        PART,
        format!("{} is not a SQLite database: {why}", path.display()),
        "restore rescind.db from a backup and leave high-water as it is: by it the server sees at start that the copy is older, \
         and revokes everything before it",
    )
}

fn judge(path: &Path, header: &Header) -> Finding {
    if !header.starts_with(b"SQLite format 3\0") {
        return broken(path, "its first bytes are something else");
    }
    // Bytes 18 and 19: 2 where the journal is a WAL. Bytes 60 to 63: user_version.
    let wal = header.get(18..20) == Some(&[2, 2]);
    let version = header.get(60..64).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    if !wal {
        return Finding::warn(
            PART,
            format!("{} is not in WAL mode", path.display()),
            "start the server once: it sets journal_mode=WAL; if this stays, the file system does not support it",
        );
    }
    // A young database may have everything but its first page in the WAL still.
    let schema = if version == 0 { String::new() } else { format!(", schema version {version}") };
    Finding::ok(PART, format!("{}: WAL{schema}", path.display()))
}

fn room(folder: &Path) -> Option<Finding> {
    let space = rustix::fs::statvfs(folder).ok()?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let shown = format!("{} MiB free on the database's disk", free >> 20);
    Some(if free < NO_ROOM {
        Finding::fail("disk", shown, "make room: sign-in, refresh and revoke answer 503 while nothing can be written")
    } else if free < LITTLE_ROOM {
        Finding::warn("disk", shown, "make room soon: on a full disk, sign-in, refresh and revoke answer 503")
    } else {
        Finding::ok("disk", shown)
    })
}

/// Whether what is written here stays, and is locked as SQLite needs it.
fn medium(folder: &Path) -> Option<Finding> {
    judge_medium(i128::from(rustix::fs::statfs(folder).ok()?.f_type))
}

/// **Source:** the magic numbers of `statfs(2)`.
fn judge_medium(magic: i128) -> Option<Finding> {
    let network = |name: &str| {
        let what = format!("the database is on {name}, a network file system");
        Finding::fail("disk", what, "move it to a local disk: a WAL needs memory and locks that all its readers share")
    };
    let fleeting = |name: &str, when: &str| {
        let what = format!("the database is on {name}: revocations are gone {when}");
        Finding::warn("disk", what, "put --data on a disk or a volume")
    };
    match magic {
        0x6969 => Some(network("NFS")),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some(network("SMB")),
        0x0102_1997 => Some(network("9p")),
        0x0102_1994 | 0x8584_58f6 => Some(fleeting("a file system in memory", "when the machine restarts")),
        0x794c_7630 => Some(fleeting("a container's own layer", "when the container is made anew")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn level_of(bytes: Option<&[u8]>) -> Level {
        let dir = tempfile::tempdir().unwrap();
        if let Some(bytes) = bytes {
            fs::write(dir.path().join("rescind.db"), bytes).unwrap();
        }
        look(dir.path(), Some(&dir.path().join("rescind.db"))).first().unwrap().level
    }

    #[test]
    fn a_file_that_is_no_database_fails() {
        assert_eq!(level_of(None), Level::Warn);
        assert_eq!(level_of(Some(b"")), Level::Fail);
        assert_eq!(level_of(Some(&[b'x'; 4096])), Level::Fail);
    }

    #[test]
    fn the_journal_mode_is_read_from_the_header() {
        let mut header = [0; 100];
        header[..16].copy_from_slice(b"SQLite format 3\0");
        assert_eq!(level_of(Some(&header)), Level::Warn);
        header[18..20].copy_from_slice(&[2, 2]);
        assert_eq!(level_of(Some(&header)), Level::Ok);
    }

    #[test]
    fn a_medium_that_forgets_is_a_warning_and_one_that_cannot_lock_fails() {
        let level = |magic| judge_medium(magic).map(|finding| finding.level);
        assert_eq!([level(0xef53), level(0x0102_1994), level(0x6969)], [None, Some(Level::Warn), Some(Level::Fail)]);
    }
}
