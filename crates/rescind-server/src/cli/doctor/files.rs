//! The doctor's look at the data directory and its secret files: there, readable, and readable to nobody else.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rescind::keys::RootSecret;

use super::Finding;
use crate::environment::ROOT_SECRET;

/// A file that only the server's user may read.
struct Secret {
    name: &'static str,
    /// What to do where it is missing although the database is there.
    lost: &'static str,
    /// What to do once its mode is right again, where others may have read or written it.
    exposed: &'static str,
}

const SECRETS: [Secret; 4] = [
    Secret {
        name: "root.key",
        lost: "restore it from your backup: without it every token and the stored signing keys are lost; where the server \
               takes RESCIND_ROOT_SECRET instead, set it for the doctor, too",
        exposed: "if others had accounts here, take it for stolen: make a new one, everyone signs in again",
    },
    Secret {
        name: "admin-token",
        lost: "restart the server: it makes a new one",
        exposed: "if others had accounts here, remove it and restart the server, which makes a new one",
    },
    Secret {
        name: "feed-token",
        lost: "remove it and restart the server: it makes a new one",
        exposed: "if others had accounts here, remove it and restart the server, which makes a new one",
    },
    Secret {
        name: "high-water",
        lost: "the server makes a new one at start; only if the database was put back to an older copy, run `rescind revoke all \
               --yes` then: without the mark that is not noticed",
        exposed: "whoever can write it can hide that the database was put back to an older copy",
    },
];

/// Looks at the directory and at each file. A database that is there shows that the server has run before.
/// `given` is the root secret from the environment, which takes the place of its file.
pub(super) fn look(data: &Path, database: Option<&Path>, given: Result<Option<RootSecret>, String>) -> Vec<Finding> {
    let here = data.display();
    let meta = match fs::metadata(data) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(_) => {
            return vec![Finding::fail(
                "data",
                format!("{here} is not a directory"),
                "name the data directory with --data DIR",
            )];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Finding::fail(
                "data",
                format!("{here} does not exist"),
                "name the server's data directory with --data DIR; `rescind serve` makes it at first start",
            )];
        }
        Err(error) => return vec![Finding::fail("data", format!("{here}: {error}"), "run this as the server's user")],
    };
    let mut findings = vec![directory(data, &meta)];
    let started = database.is_some_and(Path::exists);
    let [root_key, others @ ..] = &SECRETS;
    findings.push(match given {
        Ok(None) => file(&data.join(root_key.name), root_key, started),
        Ok(Some(_)) => Finding::ok(root_key.name, format!("not needed: {ROOT_SECRET} is set")),
        Err(problem) => Finding::fail(root_key.name, problem, format!("correct it, or unset {ROOT_SECRET}")),
    });
    // One that is missing is made at the next start, or stands in the environment.
    let needless = |secret: &&Secret| secret.name == "feed-token" && !data.join(secret.name).exists();
    let here = others.iter().filter(|secret| !needless(secret));
    findings.extend(here.map(|secret| file(&data.join(secret.name), secret, started)));
    findings
}

fn directory(data: &Path, meta: &Metadata) -> Finding {
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Finding::fail(
            "data",
            format!("{} can be written by others (mode {mode:04o}): they could replace the keys", data.display()),
            format!("chmod 700 {}", data.display()),
        );
    }
    if mode & 0o055 != 0 {
        return Finding::warn(
            "data",
            format!("{} can be listed by others (mode {mode:04o})", data.display()),
            format!("chmod 700 {}", data.display()),
        );
    }
    Finding::ok("data", format!("{} (mode {mode:04o})", data.display()))
}

fn file(path: &Path, secret: &Secret, started: bool) -> Finding {
    let (part, here) = (secret.name, path.display());
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !started => {
            return Finding::warn(part, format!("{here} does not exist yet"), "the server makes it at first start");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::fail(part, format!("{here} is missing, though the database is there"), secret.lost);
        }
        Err(error) => return Finding::fail(part, format!("{here}: {error}"), "run this as the server's user"),
    };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Finding::fail(
            part,
            format!("{here} can be read or written by others (mode {mode:04o})"),
            format!("chmod 600 {here}; {}", secret.exposed),
        );
    }
    let mut first = [0_u8; 1];
    match fs::File::open(path).and_then(|mut open| open.read(&mut first)) {
        Ok(0) => Finding::fail(part, format!("{here} is empty"), secret.lost),
        Ok(_) => Finding::ok(part, format!("mode {mode:04o}")),
        Err(error) => Finding::fail(part, format!("{here}: {error}"), "run this as the server's user"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn levels(data: &Path) -> Vec<(&'static str, Level)> {
        let database = data.join("rescind.db");
        look(data, Some(&database), Ok(None)).into_iter().map(|finding| (finding.part, finding.level)).collect()
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_others_can_read_fails() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        write(&dir.path().join("root.key"), "x", 0o644);
        write(&dir.path().join("admin-token"), "x", 0o600);
        write(&dir.path().join("high-water"), "", 0o600);
        let expected =
            [("data", Level::Ok), ("root.key", Level::Fail), ("admin-token", Level::Ok), ("high-water", Level::Fail)];
        assert_eq!(levels(dir.path()), expected);
    }

    #[test]
    fn a_secret_that_is_missing_beside_a_database_fails() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(levels(dir.path()).last(), Some(&("high-water", Level::Warn)));
        write(&dir.path().join("rescind.db"), "x", 0o644);
        assert!(levels(dir.path()).contains(&("root.key", Level::Fail)));
    }

    #[test]
    fn a_directory_that_others_can_write_fails() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(levels(dir.path()).first(), Some(&("data", Level::Fail)));
    }
}
