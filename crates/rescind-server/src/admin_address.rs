//! The file in which a running server names its admin listener, so that the command line finds it by the data directory
//! alone, whichever port it was given. Owns the file's name and shape. It says where a server was, not that one is there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const NAME: &str = "admin-address";

/// Writes where the admin listener is, over what an earlier run wrote.
///
/// # Errors
/// Names the file.
pub(crate) fn publish(data: &Path, address: SocketAddr) -> io::Result<()> {
    let path = data.join(NAME);
    let draft = data.join(format!("{NAME}.tmp"));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{address}")?;
        // A reader sees the old address or the new one, never half of one.
        fs::rename(&draft, &path)
    };
    write().map_err(|error| io::Error::new(error.kind(), format!("{}: cannot be written: {error}", path.display())))
}

/// Reads where the admin listener was when a server last started here.
pub(crate) fn find(data: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data.join(NAME)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_address_is_found() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(find(data.path()), None);
        for address in ["127.0.0.1:7001", "[::1]:40001"] {
            let address = address.parse().unwrap();
            publish(data.path(), address).unwrap();
            assert_eq!(find(data.path()), Some(address));
        }
    }
}
