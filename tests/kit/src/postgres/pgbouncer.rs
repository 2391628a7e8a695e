//! pgbouncer in front of a Postgres.

use std::net::TcpStream;

use rustix::process::Signal;

use super::{PASSWORD, Postgres, USER};
use crate::error::Result;
use crate::files;
use crate::port::Port;
use crate::process::Process;
use crate::programs::{command, find, user_of_servers};
use crate::scratch::Scratch;

/// When a connection to the server goes back to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client leaves.
    Session,
    /// When the transaction ends.
    Transaction,
    /// After each statement; transactions are refused.
    Statement,
}

/// A running pgbouncer. It ends when this is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    port: Port,
    scratch: Scratch,
}

impl Postgres {
    /// Starts a pgbouncer in front of this server, with a pool of 20 connections.
    ///
    /// # Errors
    /// [`Error::Missing`](crate::Error::Missing) where it is not installed; [`Error::Failed`](crate::Error::Failed) with
    /// the end of its log.
    pub fn pgbouncer(&self, mode: PoolMode) -> Result<PgBouncer> {
        find("pgbouncer", "pgbouncer")?;
        let scratch = Scratch::new("pgb")?;
        let port = Port::free()?;
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        };
        let users = scratch.join("users.txt");
        let user = user_of_servers();
        files::write(&users, &format!("\"{USER}\" \"{PASSWORD}\"\n"), user)?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 20\n\
             max_client_conn = 500\nignore_startup_parameters = extra_float_digits\n",
            self.port.number,
            port.number,
            users.display(),
        );
        files::write(&scratch.join("pgbouncer.ini"), &settings, user)?;
        let bouncer = PgBouncer { process: Process::new("pgbouncer", scratch.join("log")), port, scratch };
        bouncer.start_again()?;
        Ok(bouncer)
    }
}

impl PgBouncer {
    /// As [`Postgres::url`], through the pool.
    pub fn url(&self) -> String {
        self.url_of(super::DATABASE)
    }

    /// As [`Postgres::url_of`], through the pool.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/{database}", self.port.address())
    }

    /// SIGKILL; returns when it is gone.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it does not run.
    pub fn kill(&self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it as an operator does, at once.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it does not run, or does not end.
    pub fn stop(&self) -> Result<()> {
        self.process.stop(Signal::TERM).map(drop)
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) with the end of its log, or where it runs.
    pub fn start_again(&self) -> Result<()> {
        let mut server = command(&find("pgbouncer", "pgbouncer")?, user_of_servers())?;
        server.arg(self.scratch.join("pgbouncer.ini"));
        self.process.spawn(server)?;
        self.process.wait_until_ready(|| TcpStream::connect(self.port.address()).is_ok())
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
