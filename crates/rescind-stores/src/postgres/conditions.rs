//! What a server must be for the store to keep its promises. Owns the refusals at start, each with setting and remedy.

use rescind::store::StoreErrorKind;

use super::cells::Cells;
use super::fault::Fault;
use super::link::Link;

/// Refuses a server that could forget what it acknowledged, or that cannot keep the rows as they are.
pub(super) async fn check(link: &Link) -> Result<(), Fault> {
    let text = "SELECT current_setting('server_version_num')::int, current_setting('fsync'), \
                current_setting('full_page_writes'), current_setting('server_encoding'), \
                current_setting('default_transaction_isolation'), \
                pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";
    let rows = link.query(text, &[]).await?;
    let row = rows.first().ok_or_else(|| Fault::unavailable("the server told none of its settings"))?;
    let cells = Cells::new(row, "pg_settings", 0);
    let refuse = |text: &str| Err(Fault::new(StoreErrorKind::Unavailable, text));
    if cells.get::<i32>(0)? < 130_000 {
        return refuse("the server is older than Postgres 13. Upgrade it");
    }
    if cells.get::<&str>(1)? == "off" {
        return refuse(
            "fsync = off: the server forgets what it acknowledged when its machine stops. \
             Set fsync = on: ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()",
        );
    }
    if cells.get::<&str>(2)? == "off" {
        return refuse(
            "full_page_writes = off: a page torn by a crash cannot be repaired. \
             Set full_page_writes = on: ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf()",
        );
    }
    if cells.get::<&str>(3)? != "UTF8" {
        return refuse(
            "the database's encoding is not UTF8. Create one: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        );
    }
    if cells.get::<&str>(4)? != "read committed" {
        return refuse(
            "default_transaction_isolation is not 'read committed': an append could not see the one that it waited for. \
             ALTER ROLE … SET default_transaction_isolation = 'read committed'",
        );
    }
    if cells.get::<bool>(5)? {
        return Err(Fault::read_only());
    }
    Ok(())
}
