//! The store under several nodes, whichever it is: what can be done to each of them alike. What only one of them knows is
//! done by whoever needs it, to the server itself.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use rescind_test_kit::{Copied, Error, Postgres, Process, Redis, Result, SmallDisk, until};

use crate::cycle::NotTheirs;
use crate::moment::rest;

/// Which store several nodes can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Postgres.
    Postgres,
    /// Redis.
    Redis,
}

/// What Postgres writes to its log when it begins to do again what its write-ahead log says.
const RECOVERS: &str = "automatic recovery in progress";

/// A running store.
#[derive(Debug)]
pub enum Server {
    /// Postgres.
    Postgres(Postgres),
    /// Redis.
    Redis(Redis),
}

/// What a start has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
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
    ///
    /// # Errors
    /// Where it is not installed, or does not start.
    pub fn start(kind: ServerKind, disk: Option<SmallDisk>) -> Result<Self> {
        match (kind, disk) {
            (ServerKind::Postgres, None) => Postgres::start().map(Self::Postgres),
            (ServerKind::Postgres, Some(disk)) => Postgres::options().on(disk).start().map(Self::Postgres),
            (ServerKind::Redis, None) => Redis::start().map(Self::Redis),
            (ServerKind::Redis, Some(disk)) => Redis::options().on(disk).start().map(Self::Redis),
        }
    }

    /// A disk on which a load of some seconds has room, in MiB.
    pub const fn least_disk(kind: ServerKind) -> u32 {
        match kind {
            ServerKind::Postgres => 260,
            ServerKind::Redis => 48,
        }
    }

    /// The disk that it was started on.
    ///
    /// # Errors
    /// Where that is the machine's.
    pub fn disk(&self) -> Result<&SmallDisk> {
        each!(self, server => server.disk()).ok_or_else(|| Error::Failed("the store is not on a small disk".to_owned()))
    }

    /// Takes the room that it has left of its own on a full disk: Postgres goes on in those segments of its log that it made
    /// before. To be called again until nothing is written any more, each time for one segment.
    pub fn use_up_reserve(&self) {
        if let Self::Postgres(server) = self {
            // That it fails is what is waited for.
            drop(server.psql("select pg_switch_wal()"));
        }
    }

    /// Its processes.
    pub fn process(&self) -> &Process {
        each!(self, server => server)
    }

    /// Where nodes find it.
    pub fn url(&self) -> String {
        each!(self, server => server.url())
    }

    /// Where it listens, for a proxy in front of it.
    pub fn address(&self) -> SocketAddr {
        each!(self, server => server.address())
    }

    /// SIGKILL to all its processes; whether none is left.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&self) -> Result<bool> {
        self.process().kill().not_theirs()?;
        Ok(!self.process().is_running())
    }

    /// An orderly end.
    ///
    /// # Errors
    /// Where it does not run, or does not end.
    pub fn stop(&self) -> Result<()> {
        each!(self, server => server.stop()).not_theirs()
    }

    /// Starts it again on its data; returns when it can be used.
    ///
    /// # Errors
    /// With the end of its log, or where it runs.
    pub fn start_again(&self) -> Result<()> {
        each!(self, server => server.start_again()).not_theirs()
    }

    /// Waits until it can be used, when a fault is over by which it may end; where it does, it is started again.
    ///
    /// # Errors
    /// As [`start_again`](Self::start_again).
    pub fn come_back(&self) -> Result<()> {
        each!(self, server => server.come_back()).not_theirs()
    }

    /// A copy of its data, as a backup; it must be stopped.
    ///
    /// # Errors
    /// Where it runs, or nothing can be copied.
    pub fn copy(&self) -> Result<Copied> {
        each!(self, server => server.copy_data()).not_theirs()
    }

    /// Puts an older copy in the place of its data; it must not run.
    ///
    /// # Errors
    /// As [`copy`](Self::copy).
    pub fn restore(&self, copy: &Copied) -> Result<()> {
        each!(self, server => server.restore(copy)).not_theirs()
    }

    /// Starts it again, and kills it so long after it has begun; what it had come to by then.
    ///
    /// # Errors
    /// Where it does not begin to start.
    pub fn start_again_and_kill(&self, after: Duration) -> Result<Reached> {
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
            let left = || Error::Missing("the store was killed, and some of its processes are left".to_owned());
            self.kill()?.then_some(()).ok_or_else(left)
        })?;
        let log = written();
        Ok(match (log.contains(recovers), log.contains(ready)) {
            (_, true) => Reached::Ready,
            (true, false) => Reached::Recovery,
            (false, false) => Reached::Nothing,
        })
    }
}
