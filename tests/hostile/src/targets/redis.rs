//! What lies in Redis: rows, entries, states and records that something else has written over. Each is read, or is a fault
//! that names it.

use rescind::store::{StoreError, StoreErrorKind};
use rescind::testing::sid;
use rescind_stores::redis::testing;

/// Any bytes as each of them; an entry's fields are what stands between bars.
pub(super) fn redis(bytes: &[u8]) {
    let id = sid(1);
    named(testing::row(id, bytes), &id.to_string()).inspect(|session| {
        assert!(session.id == id && session.ends_at() <= session.expires_at);
    });
    named(testing::state(bytes), "state");
    named(testing::record(b"users\0alice", bytes), "alice");
    let mut fields = bytes.split(|byte| *byte == b'|').map(<[u8]>::to_vec);
    let name = fields.next().unwrap_or_default();
    if let Some((entry, _)) = named(testing::entry(&name, &fields.collect::<Vec<_>>()), "") {
        let id = format!("{}-0", entry.seq);
        assert_eq!(String::from_utf8_lossy(&name).trim_start_matches('0'), id.trim_start_matches('0'));
    }
}

fn named<T>(read: Result<T, StoreError>, name: &str) -> Option<T> {
    read.map_err(|error| {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(error.to_string().contains(name), "{error}");
    })
    .ok()
}
