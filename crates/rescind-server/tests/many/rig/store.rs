//! The store under the nodes, whichever it is: what can be done to each of them alike. What only one of them knows is
//! done by the family of faults that needs it.

use std::net::SocketAddr;
use std::thread;

use rescind_test_kit::{Copied, Postgres, Redis, Result, SmallDisk, until};

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Redis,
}

/// A running store.
#[derive(Debug)]
pub(crate) enum Store {
    Postgres(Postgres),
    Redis(Redis),
}

/// The kit's servers have the same methods.
macro_rules! each {
    ($store:expr, $server:ident => $call:expr) => {
        match $store {
            Store::Postgres($server) => $call,
            Store::Redis($server) => $call,
        }
    };
}

impl Store {
    /// Starts one with settings under which it forgets nothing.
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        match kind {
            Kind::Postgres => Postgres::start().map(Self::Postgres),
            Kind::Redis => Redis::start().map(Self::Redis),
        }
    }

    /// The same with its data on this disk.
    pub(crate) fn start_on(kind: Kind, disk: SmallDisk) -> Result<Self> {
        match kind {
            Kind::Postgres => Postgres::options().on(disk).start().map(Self::Postgres),
            Kind::Redis => Redis::options().on(disk).start().map(Self::Redis),
        }
    }

    /// A disk on which a load of some seconds has room, in MiB.
    pub(crate) const fn least_disk(kind: Kind) -> u32 {
        match kind {
            Kind::Postgres => 220,
            Kind::Redis => 24,
        }
    }

    /// The disk that it was started on.
    pub(crate) fn disk(&self) -> &SmallDisk {
        each!(self, server => server.disk().unwrap())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        each!(self, server => server.has_ended())
    }

    pub(crate) fn url(&self) -> String {
        each!(self, server => server.url())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        each!(self, server => server.address())
    }

    /// SIGKILL to all its processes.
    pub(crate) fn kill(&self) {
        each!(self, server => server.kill().unwrap());
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) {
        each!(self, server => server.pause().unwrap());
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        each!(self, server => server.resume().unwrap());
    }

    /// An orderly end.
    pub(crate) fn stop(&self) {
        each!(self, server => server.stop().unwrap());
    }

    /// Starts it again on its data; returns when it can be used.
    pub(crate) fn start_again(&self) {
        each!(self, server => server.start_again().unwrap());
    }

    /// A copy of its data, as a backup; it must be stopped.
    pub(crate) fn copy(&self) -> Copied {
        each!(self, server => server.copy_data().unwrap())
    }

    /// Puts an older copy in the place of its data; it must not run.
    pub(crate) fn restore(&self, copy: &Copied) {
        each!(self, server => server.restore(copy).unwrap());
    }

    /// Where the test is of this store alone.
    pub(crate) fn postgres(&self) -> &Postgres {
        match self {
            Self::Postgres(postgres) => postgres,
            Self::Redis(_) => panic!("it is Redis"),
        }
    }

    /// Where the test is of this store alone.
    pub(crate) fn redis(&self) -> &Redis {
        match self {
            Self::Redis(redis) => redis,
            Self::Postgres(_) => panic!("it is Postgres"),
        }
    }

    /// Starts it again, and kills it before it can be used, or just when it can.
    pub(crate) fn start_again_and_kill(&self) {
        thread::scope(|scope| {
            // It ends with an error, as it was killed.
            scope.spawn(|| each!(self, server => server.start_again().is_ok()));
            until("it has begun to start", || each!(self, server => server.pid().is_ok())).unwrap();
            self.kill();
        });
    }
}
