//! The store under the nodes, as the torture has it; what fails there fails the test here.

use std::ops::Deref;
use std::time::Duration;

use rescind_test_kit::{Copied, Postgres, Redis, Result, SmallDisk};
use rescind_torture::{Server, ServerKind};

/// A running store.
#[derive(Debug)]
pub(crate) struct Store(pub(crate) Server);

/// What cannot fail.
impl Deref for Store {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Store {
    /// Starts one on the machine's disk, or on this one.
    pub(crate) fn start(kind: ServerKind, disk: Option<SmallDisk>) -> Result<Self> {
        Server::start(kind, disk).map(Self)
    }

    pub(crate) fn disk(&self) -> &SmallDisk {
        self.0.disk().unwrap()
    }

    pub(crate) fn kill(&self) {
        assert!(self.0.kill().unwrap(), "it is gone");
    }

    pub(crate) fn pause(&self) {
        self.process().pause().unwrap();
    }

    pub(crate) fn resume(&self) {
        self.process().resume().unwrap();
    }

    pub(crate) fn stop(&self) {
        self.0.stop().unwrap();
    }

    pub(crate) fn start_again(&self) {
        self.0.start_again().unwrap();
    }

    pub(crate) fn use_up_reserve(&self) {
        self.0.use_up_reserve();
    }

    pub(crate) fn come_back(&self) {
        self.0.come_back().unwrap();
    }

    pub(crate) fn copy(&self) -> Copied {
        self.0.copy().unwrap()
    }

    pub(crate) fn restore(&self, copy: &Copied) {
        self.0.restore(copy).unwrap();
    }

    /// Starts it again and kills it as soon as it has begun.
    pub(crate) fn start_again_and_kill(&self) {
        self.0.start_again_and_kill(Duration::ZERO).unwrap();
    }

    /// Where the test is of this store alone.
    pub(crate) fn postgres(&self) -> &Postgres {
        match &self.0 {
            Server::Postgres(postgres) => postgres,
            Server::Redis(_) => panic!("it is Redis"),
        }
    }

    /// Where the test is of this store alone.
    pub(crate) fn redis(&self) -> &Redis {
        match &self.0 {
            Server::Redis(redis) => redis,
            Server::Postgres(_) => panic!("it is Postgres"),
        }
    }
}
