//! A Postgres server: its life, its addresses, its data. What surrounds one is beside it: the template that it starts from,
//! replicas, pgbouncer, certificates.

mod options;
mod pgbouncer;
mod replica;
mod template;
mod tls;

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

pub use self::options::PostgresOptions;
pub use self::pgbouncer::{PgBouncer, PoolMode};
use crate::clock::Clock;
use crate::disk::SmallDisk;
use crate::error::{Error, Result};
use crate::port::Port;
use crate::process::Process;
use crate::programs::{client, command, find, of_postgres, run, user_of_servers};
use crate::scratch::{Copied, Scratch};
use crate::{files, wait};

/// The role that owns [`DATABASE`]; no superuser, and over TCP it needs its [`PASSWORD`].
pub const USER: &str = "rescind";
/// The password of [`USER`].
pub const PASSWORD: &str = "correct-horse";
/// The database that is there from the beginning, empty.
pub const DATABASE: &str = "rescind";
/// What psql is given for an answer.
const ANSWER_SECONDS: u32 = 30;
/// Trusted from this machine, by TCP and by socket.
const SUPERUSER: &str = "postgres";

/// A running Postgres. All its processes end when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: Port,
    data: PathBuf,
    disk: Option<SmallDisk>,
    clock: Option<Clock>,
    scratch: Scratch,
}

/// Its processes: their id, and how they are killed, paused and resumed.
impl Deref for Postgres {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Postgres {
    /// Starts one with the default options.
    ///
    /// # Errors
    /// [`Error::Missing`] where Postgres is not installed; [`Error::Failed`] with the end of its log.
    pub fn start() -> Result<Self> {
        Self::options().start()
    }

    /// How to start one otherwise.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// The URL of [`DATABASE`] for [`USER`], over TCP with the password.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The same for another database.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/{database}", self.port.address())
    }

    /// The same over TCP for the superuser, who needs no password.
    pub fn superuser_url_of(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@{}/{database}", self.port.address())
    }

    /// The same over the unix socket, where nobody needs a password.
    pub fn socket_url_of(&self, database: &str) -> String {
        // In a URL a slash of the socket's folder is written %2F.
        let folder = self.scratch.path().display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/{database}", self.port.number)
    }

    /// Where it listens, for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Makes an empty database that [`USER`] owns; gives its URL.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn create_database(&self, name: &str) -> Result<String> {
        self.psql_in("postgres", &format!("create database \"{name}\" owner {USER}"))?;
        Ok(self.url_of(name))
    }

    /// Runs SQL in [`DATABASE`] as superuser; gives the rows, one a line, with `|` between columns.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_in(DATABASE, sql)
    }

    /// The same in another database.
    ///
    /// # Errors
    /// [`Error::Failed`] with the server's word.
    pub fn psql_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = client(&of_postgres("psql")?, ANSWER_SECONDS)?;
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER, "-d", database, "-c", sql]);
        run(psql.arg("-h").arg(self.scratch.path()).arg("-p").arg(self.port.number.to_string()))
    }

    /// Adds lines to postgresql.conf and loads it again; what asks for a restart waits for one.
    ///
    /// # Errors
    /// [`Error::Failed`] where the file cannot be written, or the server does not run.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let path = self.data.join("postgresql.conf");
        let before = fs::read_to_string(&path).map_err(Error::io("postgresql.conf cannot be read"))?;
        fs::write(&path, format!("{before}\n{lines}\n")).map_err(Error::io("postgresql.conf cannot be written"))?;
        self.psql_in("postgres", "select pg_reload_conf()").map(drop)
    }

    /// A fast shutdown, as an operator does it: connections are closed, everything is written.
    ///
    /// # Errors
    /// [`Error::Failed`] where it does not run, or does not end.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(Signal::INT).map(drop)
    }

    /// Starts it again on the same data, at the same address; returns when it takes connections.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its log, or where it runs.
    pub fn start_again(&self) -> Result<()> {
        let mut server = self.program()?;
        server.arg("-D").arg(&self.data).arg("-p").arg(self.port.number.to_string());
        server.arg("-k").arg(self.scratch.path());
        self.process.spawn(server)?;
        self.process.wait_until_ready(|| self.says_ready())
    }

    /// Waits until it takes connections; where it ends by itself, as for want of room, it is started again.
    ///
    /// # Errors
    /// As [`start_again`](Self::start_again).
    pub fn come_back(&self) -> Result<()> {
        // What it says of itself in its file it says all the while that it recovers from a crash, too.
        match self.process.wait_until_ready(|| self.psql("select 1").is_ok()) {
            Err(_) if self.has_ended() => self.start_again(),
            outcome => outcome,
        }
    }

    /// Sets its wall clock so many seconds off the real one.
    ///
    /// # Errors
    /// [`Error::Failed`] where it was started without [`stepped_clock`](PostgresOptions::stepped_clock).
    pub fn set_clock(&self, seconds: i64) -> Result<()> {
        let clock = self.clock.as_ref().ok_or_else(|| Error::failed("Postgres has the machine's clock"))?;
        clock.set(seconds)
    }

    /// Where its data lies.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The small disk that its data lies on, where it was started on one.
    pub fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// A copy of its data, as an operator's backup; it must be stopped.
    ///
    /// # Errors
    /// [`Error::Failed`] where it runs, or nothing can be copied.
    pub fn copy_data(&self) -> Result<Copied> {
        self.must_be_stopped()?;
        Copied::of(&self.data)
    }

    /// Puts an older copy in the place of its data; it must be stopped.
    ///
    /// # Errors
    /// [`Error::Failed`] where it runs, or nothing can be copied.
    pub fn restore(&self, copy: &Copied) -> Result<()> {
        self.must_be_stopped()?;
        files::replace(&copy.folder, &self.data)
    }

    /// The certificate of the authority that signed the server's, in PEM; where it was started with
    /// [`tls`](PostgresOptions::tls).
    pub fn ca_file(&self) -> PathBuf {
        self.scratch.join(tls::CA)
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// By postmaster.pid: its first line is the process's id, its eighth the state.
    fn says_ready(&self) -> bool {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        // The file of a killed server still says ready.
        let own = lines.next().and_then(|pid| pid.trim().parse().ok()) == self.pid().ok();
        own && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    fn program(&self) -> Result<Command> {
        let postgres = of_postgres("postgres")?;
        let Some(clock) = &self.clock else { return command(&postgres, user_of_servers()) };
        // As its user already: what libfaketime shares between processes belongs to whom it first ran as.
        let mut env = command(&find("env", "coreutils")?, user_of_servers())?;
        env.args(clock.environment().map(|(name, value)| format!("{name}={}", value.display()))).arg(postgres);
        Ok(env)
    }

    fn must_be_stopped(&self) -> Result<()> {
        if self.process.is_running() {
            return Err(Error::failed("Postgres runs, so its data changes; stop it first"));
        }
        Ok(())
    }

    /// What `start` and `replica` share: data lies in `data`, and the rest is made.
    fn on(scratch: Scratch, port: Port, data: PathBuf, disk: Option<SmallDisk>, clock: Option<Clock>) -> Result<Self> {
        let user = user_of_servers();
        // The socket lies here.
        files::give(scratch.path(), user)?;
        let server = Self { process: Process::new("Postgres", scratch.join("log")), port, data, disk, clock, scratch };
        server.start_again()?;
        Ok(server)
    }
}

/// The program `name` of Postgres as the user who owns the data.
fn tool(name: &str) -> Result<Command> {
    command(&of_postgres(name)?, user_of_servers())
}

impl Postgres {
    /// Waits until SQL answers `wanted`.
    fn wait_for(&self, sql: &str, wanted: &str) -> Result<()> {
        wait::until(format!("`{sql}` gives {wanted}"), || self.psql(sql).is_ok_and(|answer| answer == wanted))
    }
}
