//! Where the servers' programs are, and running one to its end.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Debian keeps the servers' programs off the PATH, one folder per version.
const POSTGRES_HOMES: &str = "/usr/lib/postgresql";
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/bin", "/usr/sbin", "/sbin"];

/// The program of this name, from the PATH or the system's folders.
///
/// # Errors
/// [`Error::Missing`], naming the Debian package.
pub(crate) fn find(program: &str, package: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .ok_or_else(|| Error::Missing(format!("{program} is not installed; Debian has it in {package}")))
}

/// A program of the newest Postgres that is installed.
///
/// # Errors
/// [`Error::Missing`], naming the Debian package.
pub(crate) fn of_postgres(program: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir(POSTGRES_HOMES).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            let file = version.path().join("bin").join(program);
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            file.is_file().then_some((number, file))
        })
        .max();
    newest.map_or_else(|| find(program, "postgresql"), |(_, file)| Ok(file))
}

/// The Debian user that a server runs as where we are root: Postgres and pgbouncer refuse to run as root.
pub(crate) fn user_of_servers() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

/// A command that ends with this process, runs as `user` where one is given, and takes nothing from our environment
/// that could turn it to another server.
///
/// # Errors
/// [`Error::Missing`] where `setpriv` is not installed.
pub(crate) fn command(program: &Path, user: Option<&str>) -> Result<Command> {
    let mut command = Command::new(find("setpriv", "util-linux")?);
    // Last thing before the program: a change of user clears it.
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--").arg(program).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin");
    command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/");
    Ok(command)
}

/// A command that asks a server, and gives up after so many seconds: a paused server answers never.
///
/// # Errors
/// [`Error::Missing`] where `setpriv` or `timeout` is not installed.
pub(crate) fn client(program: &Path, seconds: u32) -> Result<Command> {
    let mut client = command(&find("timeout", "coreutils")?, None)?;
    client.arg(seconds.to_string()).arg(program);
    Ok(client)
}

/// Runs a command to its end and gives its standard output, without the newline at its end.
///
/// # Errors
/// [`Error::Failed`] with what it wrote to standard error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let name = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let output = command.output().map_err(Error::io(format!("{name} does not start")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(Error::failed(format!("{name}: {}\n{}{}", output.status, text(&output.stderr), text(&output.stdout))))
}
