//! The layout's version, and the way from each version to the next on a cluster that is in use. The tables themselves
//! stand in `migrations/`.
//!
//! # How to change the layout
//! Add `migrations/N.sql` and name it in [`MIGRATIONS`]. A file that was released never changes. Nodes of the version
//! before still work on the layout after the step, so a step only adds: tables, columns with a default, functions of new
//! names. Where it cannot, raise [`READABLE_BY`] in the same step: older nodes then refuse to open, by name.

use std::time::Duration;

use rescind::log::ChainTag;
use rescind::position::Incarnation;
use rescind::store::StoreErrorKind;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::link::{Link, quoted};

/// The step from layout `n` to `n + 1` is at `n`.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/1.sql")];

/// The newest layout that this build knows.
const NEWEST: i32 = 1;

/// The oldest build that can work on it, by the newest layout that such a build knows.
const READABLE_BY: i32 = 1;

/// How long the migrations may take; another node's count, which are waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// Brings the schema to the newest layout, or makes it; a new one gets its `incarnation`.
pub(super) async fn migrate(link: &Link, name: &str, incarnation: Incarnation) -> Result<(), Fault> {
    let lease = link.lease().await?;
    if layout(&lease, name).await?.is_some_and(|version| version >= NEWEST) {
        return Ok(());
    }
    let done = timeout(PATIENCE, under_lock(&lease, name, incarnation)).await;
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => {
            // Whatever was begun ends with the connection.
            drop(deadpool::managed::Object::take(lease));
            Err(fault)
        }
        Err(_) => Err(link.silent(lease, PATIENCE)),
    }
}

/// The layout's version; `None` where there is none. Writes nothing.
async fn layout(client: &Client, name: &str) -> Result<Option<i32>, Fault> {
    let table = format!("{}.layout", quoted(name));
    // By the rows of the catalogue: what a session has once looked up by name and not found, it may not look up again.
    let text = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = $1 AND c.relname = 'layout')";
    let rows = client.query_typed(text, &[(&name, Type::TEXT)]).await?;
    let there: bool = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
    if !there {
        return Ok(None);
    }
    let rows = client.query_typed(&format!("SELECT version, readable_by FROM {table}"), &[]).await?;
    let row =
        rows.first().ok_or_else(|| Fault::corrupt("table layout has no row. Restore the schema from a backup"))?;
    let (version, readable_by): (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
    if readable_by > NEWEST {
        return Err(Fault::new(
            StoreErrorKind::Newer,
            format!(
                "written by a newer rescind: layout {version} needs a build that knows layout {readable_by}, and this one \
                 knows up to {NEWEST}. Run the newer version on this node; nothing was changed"
            ),
        ));
    }
    Ok(Some(version))
}

/// Migrates in one transaction a step, under a lock that one node has at a time. The search path keeps functions of others
/// out of what is made: where others may create in `public`, one of theirs could fit a call better than the one meant.
async fn under_lock(client: &Client, name: &str, incarnation: Incarnation) -> Result<(), Fault> {
    for step in MIGRATIONS.iter().zip(1_i32..) {
        client.batch_execute(&format!("BEGIN; SET LOCAL search_path = pg_catalog, pg_temp; {}", lock(name))).await?;
        // Another node may have been quicker.
        let version = layout(client, name).await?.unwrap_or(0);
        let (sql, to) = step;
        if version < to {
            client.batch_execute(&script(name, sql, to, incarnation)).await?;
        }
        client.batch_execute("COMMIT").await?;
    }
    Ok(())
}

/// Released at the end of the transaction. Nodes of other schemas do not wait for it.
fn lock(name: &str) -> String {
    format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({}, 1919251315))", literal(name))
}

fn script(name: &str, sql: &str, to: i32, incarnation: Incarnation) -> String {
    let schema = quoted(name);
    let sql = sql.replace("{schema}", &schema).replace("{channel}", &literal(name));
    if to > 1 {
        return format!("{sql}; UPDATE {schema}.layout SET version = {to}, readable_by = {READABLE_BY}");
    }
    let tag = ChainTag::genesis(incarnation);
    format!(
        "CREATE SCHEMA IF NOT EXISTS {schema};
         CREATE TABLE {schema}.layout (
             one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL, readable_by integer NOT NULL);
         {sql};
         INSERT INTO {schema}.layout (version, readable_by) VALUES ({to}, {READABLE_BY});
         INSERT INTO {schema}.head (seq, at, base_seq, incarnation, tag, base_tag, probes)
             VALUES (0, 0, 0, '{incarnation}', '{tag}', '{tag}', 0)"
    )
}

/// A text as SQL.
pub(super) fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''");
    format!("E'{escaped}'")
}
