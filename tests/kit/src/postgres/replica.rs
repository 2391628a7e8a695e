//! Streaming replicas: made, held back, promoted.

use super::{Postgres, SUPERUSER, tool};
use crate::error::Result;
use crate::port::Port;
use crate::programs::{run, user_of_servers};
use crate::scratch::Scratch;
use crate::{files, wait};

impl Postgres {
    /// A streaming replica of this server, which answers reads.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) with the end of its log.
    pub fn replica(&self) -> Result<Self> {
        let scratch = Scratch::new("pg")?;
        let data = scratch.join("data");
        files::make_folder(&data, user_of_servers())?;
        let mut backup = tool("pg_basebackup")?;
        backup
            .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "-D"])
            .arg(&data);
        run(backup.args(["-h", "127.0.0.1", "-U", SUPERUSER, "-p", &self.port.number.to_string()]))?;
        let replica = Self::on(scratch, Port::free()?, data, None, None)?;
        replica.wait_for("select status from pg_stat_wal_receiver", "streaming")?;
        Ok(replica)
    }

    /// Waits until a replica has applied all that this server has written.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) when it does not get there.
    pub fn wait_for_replica(&self, replica: &Self) -> Result<()> {
        let written = self.psql("select pg_current_wal_flush_lsn()")?;
        replica.wait_for(&format!("select pg_last_wal_replay_lsn() >= '{written}'"), "t")
    }

    /// The replica no longer shows what is written. It still receives it: a promotion applies it first, see
    /// [`stop_receiving`](Self::stop_receiving).
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it is no replica.
    pub fn pause_replay(&self) -> Result<()> {
        self.psql("select pg_wal_replay_pause()")?;
        self.wait_for("select pg_get_wal_replay_pause_state()", "paused")
    }

    /// The replica shows what is written again.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it is no replica.
    pub fn resume_replay(&self) -> Result<()> {
        self.psql("select pg_wal_replay_resume()").map(drop)
    }

    /// The replica lags from here on: what is written after it is lost when it is promoted.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it still receives.
    pub fn stop_receiving(&self) -> Result<()> {
        self.psql("alter system set primary_conninfo = ''")?;
        self.psql("select pg_reload_conf()")?;
        self.wait_for("select count(*) from pg_stat_wal_receiver", "0")
    }

    /// Makes the replica a primary; returns when it takes writes.
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) where it is no replica.
    pub fn promote(&self) -> Result<()> {
        self.psql("select pg_promote(wait => false)")?;
        wait::until("the replica is promoted", || self.psql("select pg_is_in_recovery()").is_ok_and(|is| is == "f"))
    }
}
