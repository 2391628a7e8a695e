//! The yardstick: one thread, one connection with the store's settings and tables, prepared statements, rows known
//! beforehand, a commit after each group. No queue, no chain of tags, no answers.

use std::path::Path;
use std::time::Instant;

use rescind::id::SessionId;
use rescind::random::SystemRandom;
use rescind::testing::sid;
use rescind::time::{Clock, SystemClock};
use rusqlite::Connection;

use super::TURN;
use super::loads::{Load, scattered, user};

pub(crate) struct Loop {
    connection: Connection,
    next: u64,
}

impl Loop {
    /// Opens a database that the store has made and closed.
    pub(crate) fn open(file: &Path) -> Self {
        let connection = Connection::open(file).expect("a database");
        connection.pragma_update(None, "synchronous", "FULL").expect("a setting");
        connection.pragma_update(None, "cache_size", -16_000).expect("a setting");
        connection.pragma_update(None, "wal_autocheckpoint", 4_000).expect("a setting");
        Self { connection, next: 1 }
    }

    /// Rows a second for one turn, committed in groups of `group`.
    pub(crate) fn rate(&mut self, load: Load, group: usize) -> f64 {
        let begun = Instant::now();
        let mut rows = 0;
        while begun.elapsed() < TURN {
            self.commit(load, group);
            rows += group;
        }
        f64::from(u32::try_from(rows).expect("fewer than 2^32")) / begun.elapsed().as_secs_f64()
    }

    fn commit(&mut self, load: Load, group: usize) {
        let now = i64::try_from(SystemClock.wall().as_millis()).expect("a time of this age");
        let tx = self.connection.transaction().expect("begun");
        let mut statement = tx.prepare_cached(statement(load)).expect("a statement");
        for _ in 0..group {
            let n = self.next;
            self.next += 1;
            let row = i64::try_from(n).expect("below 2^63");
            let id = || SessionId::generate(SystemClock.wall(), &SystemRandom).expect("random").to_string();
            let written = match load {
                Load::Open => statement.execute((id(), now, row, user(n))),
                Load::Advance | Load::Refresh => statement.execute((sid(scattered(n)).to_string(), now)),
                Load::Revoke => statement.execute((row, now, id(), now + 900_000, [7_u8; 16])),
            };
            assert_eq!(written.expect("written"), 1);
        }
        drop(statement);
        tx.commit().expect("committed");
    }
}

const fn statement(load: Load) -> &'static str {
    match load {
        Load::Open => {
            "INSERT INTO sessions (sid, generation, rotated_at, position, opened_at, auth_time, idle, expires_at, \
             subject, client, class, device, scope, claims) \
             VALUES (?1, 0, ?2, ?3, ?2, ?2, 1209600000, ?2 + 2592000000, ?4, 'web', 'browser', NULL, NULL, NULL)"
        }
        Load::Advance | Load::Refresh => {
            "UPDATE sessions SET generation = generation + 1, rotated_at = ?2 WHERE sid = ?1"
        }
        Load::Revoke => {
            "INSERT INTO log (seq, at, newest, lift_of, kind, id, remember_until, reason, actor, tag) \
             VALUES (?1, ?2, 1, NULL, 'token', ?3, ?4, 'a test', 'the test', ?5)"
        }
    }
}
