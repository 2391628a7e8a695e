//! Opens a database file, or says why not without having written to it. Owns the order of the checks and the
//! connection's settings; the layout is `schema.rs`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rescind::position::Incarnation;
use rescind::store::StoreErrorKind;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::lock::{self, Lock};
use super::schema;

/// Up to so many pages (64 MB) are all looked at when a database is opened.
const QUICK_PAGES: i64 = 16_384;

/// How long a write waits for somebody else's, such as an operator's `sqlite3`.
///
/// Reads wait behind it, the feed's too, and a read that comes back says what was so when it was asked: a view is up to two
/// such waits old. Both are well below the time after which it counts as stale (2 s), so a stranger's write delays ours
/// and stops no check.
const BUSY: Duration = Duration::from_millis(500);

/// An open database that no other process has.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// The file, links resolved.
    pub(super) file: PathBuf,
    pub(super) lock: Lock,
}

/// Opens `path`, or makes it anew under `incarnation`.
pub(super) fn open(path: &Path, incarnation: Incarnation) -> Result<Opened, Fault> {
    let file = resolve(path)?;
    let lock = lock::take(&file)?;
    whole(&file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file, flags).map_err(Fault::at_open)?;
    // Until the file is known to be ours, not even a left-over write-ahead log is touched.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(Fault::at_open)?;
    connection.busy_timeout(BUSY).map_err(Fault::at_open)?;
    let version = schema::version(&connection)?;
    configure(&connection).map_err(Fault::at_open)?;
    sound(&connection)?;
    schema::migrate(&connection, version, incarnation).map_err(Fault::before_use)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(Fault::at_open)?;
    Ok(Opened { connection, file, lock })
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // The file shrinks again after a sweep; takes effect only before the first table is made.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // A commit returns when the write-ahead log is flushed.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // `batch.rs` runs checkpoints itself: SQLite's own would hide a flush that failed.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |row| row.get::<_, i64>(0))?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Refuses a database with a damaged page, where looking at every page takes a moment only. In a larger one, a damaged
/// page is found when it is read.
fn sound(connection: &Connection) -> Result<(), Fault> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(Fault::at_open)?;
    if pages > QUICK_PAGES {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(Fault::at_open)?;
    if found == "ok" { Ok(()) } else { Err(Fault::new(StoreErrorKind::Corrupt, found)) }
}

/// One file has one name, so that two ways to it meet at one lock.
fn resolve(path: &Path) -> Result<PathBuf, Fault> {
    if let Ok(file) = fs::canonicalize(path) {
        return Ok(file);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let wrong = |what: String| Fault::new(StoreErrorKind::Unavailable, what);
    let parent = fs::canonicalize(parent).map_err(|error| wrong(format!("directory {}: {error}", parent.display())))?;
    let name = path.file_name().ok_or_else(|| wrong("not the name of a file".to_owned()))?;
    Ok(parent.join(name))
}

/// Refuses a file that is no database, or shorter than its own header says.
///
/// SQLite would find a lost tail only when it reads there, which may be after it has answered from the rest.
fn whole(file: &Path) -> Result<(), Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::new(StoreErrorKind::Unavailable, format!("{error}. This process must be able to read and write it"))
    };
    let mut header = [0; 100];
    let mut database = match File::options().read(true).write(true).open(file) {
        Ok(database) => database,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    let length = database.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Ok(());
    }
    let corrupt = |text: String| Err(Fault::new(StoreErrorKind::Corrupt, text));
    if length < 100 {
        return corrupt(format!("truncated: {length} bytes, and a database has at least 512"));
    }
    database.read_exact(&mut header).map_err(unreadable)?;
    if !header.starts_with(b"SQLite format 3\0") {
        return corrupt("not a SQLite database".to_owned());
    }
    // https://www.sqlite.org/fileformat.html §1.3. While a write-ahead log waits, pages may still be missing here.
    let page_size = match u64::from(be(&header, 16) >> 16) {
        1 => 65_536,
        size => size,
    };
    let expected = page_size.saturating_mul(u64::from(be(&header, 28)));
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    let waiting = fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0);
    if !waiting && be(&header, 24) == be(&header, 92) && length < expected {
        return corrupt(format!("truncated: {length} bytes of {expected}"));
    }
    Ok(())
}

/// Four bytes of the header, most significant first.
fn be(header: &[u8; 100], at: usize) -> u32 {
    header.iter().skip(at).take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}
