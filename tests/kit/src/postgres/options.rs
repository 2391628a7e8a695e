//! How a Postgres is started.

use std::fmt::Write;

use super::{Postgres, template, tls};
use crate::clock::Clock;
use crate::disk::SmallDisk;
use crate::error::Result;
use crate::files;
use crate::port::Port;
use crate::programs::user_of_servers;
use crate::scratch::Scratch;

/// How a Postgres is started; see [`Postgres::options`].
#[derive(Debug, Default)]
#[must_use]
pub struct PostgresOptions {
    settings: String,
    tls: bool,
    disk: Option<SmallDisk>,
    clock: Pace,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The machine's.
    #[default]
    Real,
    /// One that a test can step.
    Stepped,
}

impl PostgresOptions {
    /// Sets one line of postgresql.conf; the value is quoted here.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        let _ = writeln!(self.settings, "{name} = '{}'", value.replace('\'', "''"));
        self
    }

    /// Offers TLS with a certificate for localhost and 127.0.0.1 whose authority is [`Postgres::ca_file`], and takes the
    /// role with the password over TCP by TLS only.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Keeps the data on this disk, so that it can be filled. Needs 160 MiB.
    pub fn on(mut self, disk: SmallDisk) -> Self {
        self.disk = Some(disk);
        self.setting("max_wal_size", "48MB").setting("min_wal_size", "32MB")
    }

    /// Gives it a wall clock that [`Postgres::set_clock`] can step while it runs.
    pub fn stepped_clock(mut self) -> Self {
        self.clock = Pace::Stepped;
        self
    }

    /// Starts it; returns when it takes connections.
    ///
    /// # Errors
    /// [`Error::Missing`](crate::Error::Missing) where Postgres is not installed, or its clock is to be stepped and
    /// libfaketime is not; [`Error::Failed`](crate::Error::Failed) with the end of its log.
    pub fn start(self) -> Result<Postgres> {
        let scratch = Scratch::new("pg")?;
        let data = self.disk.as_ref().map_or_else(|| scratch.join("data"), |disk| disk.path().join("data"));
        template::copy_to(&data)?;
        let mut settings = format!("{}\n{}", template::SETTINGS, self.settings);
        if self.tls {
            tls::make_certificates(scratch.path())?;
            settings.push_str(&tls::settings(scratch.path()));
        }
        let user = user_of_servers();
        files::write(&data.join("postgresql.conf"), &settings, user)?;
        files::write(&data.join("pg_hba.conf"), &template::access(self.tls), user)?;
        let clock = if self.clock == Pace::Stepped { Some(Clock::new(scratch.join("clock"))?) } else { None };
        Postgres::on(scratch, Port::free()?, data, self.disk, clock)
    }
}
