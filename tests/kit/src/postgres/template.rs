//! The data directory that every Postgres starts as a copy of: `initdb` takes seconds, a copy a fraction of one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{DATABASE, PASSWORD, SUPERUSER, USER, tool};
use crate::error::{Error, Result};
use crate::files;
use crate::programs::{of_postgres, run, user_of_servers};
use crate::scratch::shared_folder;

/// Raise it when what a template holds changes.
const VERSION: u32 = 1;

/// Durable as in production; small, because many run at once.
pub(super) const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_senders = 8
wal_keep_size = '64MB'
hot_standby = on
max_connections = 200
shared_buffers = '32MB'
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
";

/// Who may come in: `pg_hba.conf`.
pub(super) fn access(only_by_tls: bool) -> String {
    let host = if only_by_tls { "hostssl" } else { "host" };
    format!(
        "local all all trust\n\
         host all {SUPERUSER} 127.0.0.1/32 trust\n\
         host replication {SUPERUSER} 127.0.0.1/32 trust\n\
         {host} all all 127.0.0.1/32 scram-sha-256\n"
    )
}

/// Makes `data` a copy of the template, which is made first where there is none.
pub(super) fn copy_to(data: &Path) -> Result<()> {
    files::copy(&made()?, data)
}

fn made() -> Result<PathBuf> {
    let program = of_postgres("initdb")?;
    let shared = shared_folder()?;
    // `…/15/bin/initdb`: another version of Postgres has another template.
    let version =
        program.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let template = shared.join(format!("postgres-{version}-v{VERSION}"));
    let lock = File::create(shared.join("template.lock")).map_err(Error::io("the template's lock cannot be made"))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|error| Error::failed(format!("the template's lock: {error}")))?;
    if !template.exists() {
        let unfinished = shared.join("postgres-unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(Error::io("an unfinished template cannot be removed"))?;
        }
        files::make_folder(&unfinished, user_of_servers())?;
        let mut initdb = tool("initdb")?;
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username", SUPERUSER]);
        run(initdb.arg("-D").arg(&unfinished))?;
        make_role_and_database(&unfinished)?;
        fs::rename(&unfinished, &template).map_err(Error::io("the template cannot be put in its place"))?;
    }
    Ok(template)
}

/// In single-user mode, which needs no server: a statement a line.
fn make_role_and_database(data: &Path) -> Result<()> {
    let shared = shared_folder()?.join("postgres-template.sql");
    let statements =
        format!("create role {USER} login password '{PASSWORD}';\n\ncreate database {DATABASE} owner {USER};\n\n");
    fs::write(&shared, statements).map_err(Error::io("the template's statements cannot be written"))?;
    let input = File::open(&shared).map_err(Error::io("the template's statements cannot be read"))?;
    let mut single = tool("postgres")?;
    run(single.args(["--single", "-j", "-F", "-D"]).arg(data).arg("postgres").stdin(input)).map(drop)
}
