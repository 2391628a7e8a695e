//! Loopback ports that stay ours while a server is down, so that it can come back at the same address.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::scratch::shared_folder;

/// Below the ports that the kernel gives to outgoing connections: one of those could take the port of a server that is
/// down, and a client that knocks at such a port may even be connected to itself.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// A port that no other test takes while this lives.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: File,
}

impl Port {
    /// A port that is free now.
    ///
    /// # Errors
    /// [`Error::Failed`] where all are taken.
    pub(crate) fn free() -> Result<Self> {
        let folder = shared_folder()?.join("ports");
        fs::create_dir_all(&folder).map_err(Error::io(format!("{} cannot be made", folder.display())))?;
        let count = LAST - FIRST;
        // Processes begin at different places, so they seldom meet.
        let begin = u16::try_from(process::id().wrapping_mul(37) % u32::from(count)).unwrap_or_default();
        for step in 0..count {
            let number = FIRST + (begin + step) % count;
            let path = folder.join(number.to_string());
            let lock = File::options().create(true).truncate(false).write(true).open(&path);
            let lock = lock.map_err(Error::io(format!("{} cannot be opened", path.display())))?;
            let ours = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
            if ours && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::failed(format!("no loopback port from {FIRST} to {LAST} is free")))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}
