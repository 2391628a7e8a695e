//! The store under several nodes, whichever it is: what can be done to each of them alike.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use rescind_test_kit::{Copied, Error, Postgres, Process, Redis, Result, SmallDisk, until};

use crate::cycle::NotTheirs;
use crate::moment::rest;
use crate::plan::Store;

/// What Postgres writes to its log when it begins to do again what its write-ahead log says.
const RECOVERS: &str = "automatic recovery in progress";

/// A running store.
#[derive(Debug)]
pub(crate) enum Server {
    Postgres(Postgres),
    Redis(Redis),
}

/// What a start has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It has not begun to read its data.
    Nothing,
    /// It reads its data, and cannot be used yet.
    Recovery,
    /// It can be used.
    Ready,
}

/// The kit's servers have the same methods.
macro_rules! each {
    ($store:expr, $server:ident => $call:expr) => {
        match $store {
            Server::Postgres($server) => $call,
            Server::Redis($server) => $call,
        }
    };
}

impl Server {
    /// Starts one with settings under which it forgets nothing; on this disk, where there is one.
    pub(crate) fn start(store: Store, disk: Option<SmallDisk>) -> Result<Self> {
        match (store, disk) {
            (Store::Redis, None) => Redis::start().map(Self::Redis),
            (Store::Redis, Some(disk)) => Redis::options().on(disk).start().map(Self::Redis),
            (_, None) => Postgres::start().map(Self::Postgres),
            (_, Some(disk)) => Postgres::options().on(disk).start().map(Self::Postgres),
        }
    }

    /// A disk on which a load of some seconds has room, in MiB.
    pub(crate) const fn least_disk(store: Store) -> u32 {
        match store {
            Store::Postgres | Store::Sqlite => 260,
            Store::Redis => 48,
        }
    }

    pub(crate) fn disk(&self) -> Result<&SmallDisk> {
        each!(self, server => server.disk()).ok_or_else(|| Error::Failed("the store is not on a small disk".to_owned()))
    }

    pub(crate) fn process(&self) -> &Process {
        each!(self, server => server)
    }

    pub(crate) fn url(&self) -> String {
        each!(self, server => server.url())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        each!(self, server => server.address())
    }

    /// SIGKILL to all its processes; whether none is left.
    pub(crate) fn kill(&self) -> Result<bool> {
        self.process().kill().not_theirs()?;
        Ok(!self.process().is_running())
    }

    /// An orderly end.
    pub(crate) fn stop(&self) -> Result<()> {
        each!(self, server => server.stop()).not_theirs()
    }

    /// Starts it again on its data; returns when it can be used.
    pub(crate) fn start_again(&self) -> Result<()> {
        each!(self, server => server.start_again()).not_theirs()
    }

    /// A copy of its data, as a backup; it must be stopped.
    pub(crate) fn copy(&self) -> Result<Copied> {
        each!(self, server => server.copy_data()).not_theirs()
    }

    /// Puts an older copy in the place of its data; it must not run.
    pub(crate) fn restore(&self, copy: &Copied) -> Result<()> {
        each!(self, server => server.restore(copy)).not_theirs()
    }

    /// Starts it again, and kills it so long after it has begun; what it had come to by then.
    pub(crate) fn start_again_and_kill(&self, after: Duration) -> Result<Reached> {
        let before = self.process().log().len();
        let written = || self.process().log().get(before..).unwrap_or_default().to_owned();
        let (recovers, ready, begun) = match self {
            // Before that it flushes every file that it has, which takes as long as the disk likes.
            Self::Postgres(_) => (RECOVERS, "ready to accept connections", RECOVERS),
            Self::Redis(_) => ("Reading RDB base file", "Ready to accept connections", ""),
        };
        thread::scope(|scope| {
            // It ends with an error, as it was killed.
            scope.spawn(|| self.start_again().is_ok());
            until("it has begun to start", || self.process().pid().is_ok() && written().contains(begun))?;
            rest(after);
            self.kill()
        })?;
        let log = written();
        Ok(match (log.contains(recovers), log.contains(ready)) {
            (_, true) => Reached::Ready,
            (true, false) => Reached::Recovery,
            (false, false) => Reached::Nothing,
        })
    }
}
