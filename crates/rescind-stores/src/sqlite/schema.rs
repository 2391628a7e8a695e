//! The layout's version, and the way from each version to the next. The tables themselves stand in `migrations/`.
//!
//! # How to change the layout
//! Add `migrations/N.sql` and name it in [`MIGRATIONS`]. A file that was released never changes.

use rescind::log::ChainTag;
use rescind::position::Incarnation;
use rescind::store::StoreErrorKind;
use rusqlite::Connection;

use super::fault::Fault;

/// The step from version `n` to `n + 1` is at `n`.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/1.sql"), include_str!("migrations/2.sql")];

/// The mark of our files: "Rscd".
const APPLICATION_ID: i64 = 0x5273_6364;

/// The newest layout that this build knows.
const NEWEST: usize = MIGRATIONS.len();

/// Reads the layout's version, 0 where the file is empty. Writes nothing.
pub(super) fn version(connection: &Connection) -> Result<usize, Fault> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(Fault::at_open);
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    if application == 0 && version == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        let text = "a SQLite database of another application. Name another file; this one was not changed";
        return Err(Fault::new(StoreErrorKind::Unavailable, text));
    }
    match usize::try_from(version) {
        Ok(version) if (1..=NEWEST).contains(&version) => Ok(version),
        Ok(version) if version > NEWEST => Err(Fault::new(
            StoreErrorKind::Newer,
            format!(
                "written by a newer rescind: layout {version}, and this build knows up to {NEWEST}. Run the newer \
                 version, or restore the backup that was made before the upgrade. Nothing was changed"
            ),
        )),
        _ => Err(Fault::new(StoreErrorKind::Corrupt, format!("layout {version} does not exist"))),
    }
}

/// Brings the layout from `version` to the newest, one transaction a step; a new database gets its `incarnation`.
pub(super) fn migrate(connection: &Connection, version: usize, incarnation: Incarnation) -> Result<(), Fault> {
    for (step, sql) in (0_i64..).zip(MIGRATIONS).skip(version) {
        let tx = connection.unchecked_transaction()?;
        tx.execute_batch(sql)?;
        if step == 0 {
            tx.execute(
                "INSERT INTO meta (one, incarnation, base_seq, base_tag, probes) VALUES (1, ?1, 0, ?2, 0)",
                (incarnation.as_bytes(), ChainTag::genesis(incarnation).as_bytes()),
            )?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        tx.pragma_update(None, "user_version", step + 1)?;
        tx.commit()?;
    }
    Ok(())
}
