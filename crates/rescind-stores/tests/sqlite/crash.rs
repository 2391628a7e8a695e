//! kill -9 of a process that writes under load, again and again over one database, also while it recovers: whatever
//! was acknowledged is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rescind::id::{Jti, SessionId};
use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Appended, Store};
use rescind::testing::{cut_off, new_session};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::sqlite::SqliteStore;

use crate::support::{Scratch, log_after};

const DATABASE: &str = "RESCIND_TEST_CRASH_DATABASE";

/// What a child has said that it did, each line after the store's answer.
#[derive(Default)]
struct Acknowledged {
    revoked: BTreeMap<Seq, Jti>,
    generations: BTreeMap<SessionId, Generation>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["revoked", seq, jti] => {
                let known = self.revoked.insert(Seq::new(seq.parse().unwrap()), jti.parse().unwrap());
                assert_eq!(known, None, "position {seq} was given twice");
            }
            ["at", sid, generation] => {
                let generation = Generation::new(generation.parse().unwrap());
                self.generations.insert(sid.parse().unwrap(), generation);
            }
            _ => {}
        }
    }

    async fn assert_all_there(&self, store: &SqliteStore) {
        let batch = log_after(store, Seq::ZERO).await;
        let mut tag = batch.prev_tag;
        for entry in &batch.entries {
            tag = tag.next(entry);
            if let Some(jti) = self.revoked.get(&entry.seq) {
                assert_eq!(entry.scope, Scope::token(*jti), "another entry stands at {}", entry.seq);
            }
        }
        assert_eq!(tag, batch.head.tag, "the chain is whole");
        let last = self.revoked.last_key_value().map_or(Seq::ZERO, |(seq, _)| *seq);
        assert!(last <= batch.head.seq, "acknowledged up to {last}, there up to {}", batch.head.seq);
        let active = store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.len();
        assert_eq!(active, batch.entries.len(), "every cut-off is active");
        for (sid, generation) in &self.generations {
            let loaded = store.load(*sid).await.unwrap().expect("an opened session is there");
            assert!(loaded.session.generation >= *generation, "{sid} went back from {generation}");
        }
    }
}

// holds: R33
#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kill_9_under_load() {
    let rounds = if std::env::var_os("RESCIND_LONG").is_some() { 50 } else { 5 };
    let scratch = Scratch::new();
    let mut acknowledged = Acknowledged::default();
    for round in 0..rounds {
        // Every third child dies while it recovers from its predecessor, or soon after.
        let lines = if round % 3 == 2 { round % 2 } else { 200 + round * 37 % 400 };
        write_and_kill(&scratch.file(), lines, &mut acknowledged);
        if round % 3 != 1 {
            let store = scratch.open_at(Arc::new(SystemClock)).await.unwrap();
            acknowledged.assert_all_there(&store).await;
        }
    }
    assert!(acknowledged.revoked.len() > 100, "there was load: {}", acknowledged.revoked.len());
}

/// Starts a child on the database and kills it once it has said `lines` lines; notes all it has said until it was dead.
fn write_and_kill(database: &Path, lines: usize, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::a_child_writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in said.by_ref().take(lines) {
        acknowledged.note(&line.unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let rest: Vec<_> = said.map(Result::unwrap).collect();
    for line in &rest {
        acknowledged.note(line);
    }
}

/// Not a test of its own: what the test above runs in its child.
#[tokio::test]
async fn a_child_writes_until_it_is_killed() {
    let Some(database) = std::env::var_os(DATABASE) else { return };
    let store = Arc::new(SqliteStore::open(database).await.unwrap());
    let writers: Vec<_> = (0..32).map(|_| tokio::spawn(write_for_ever(Arc::clone(&store)))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write_for_ever(store: Arc<SqliteStore>) {
    let sid = SessionId::generate(SystemClock.wall(), &SystemRandom).unwrap();
    store.open(NewSession { id: sid, ..new_session(1, "alice") }).await.unwrap();
    say(&format!("at {sid} 0"));
    for generation in 0.. {
        let (from, to) = (Generation::new(generation), Generation::new(generation + 1));
        assert!(matches!(store.advance(sid, from, to).await.unwrap(), Advance::Advanced(_)));
        say(&format!("at {sid} {to}"));
        let jti = Jti::generate(SystemClock.wall(), &SystemRandom).unwrap();
        match store.append(vec![cut_off(Scope::token(jti))]).await.unwrap() {
            Appended::Done(entries) => say(&format!("revoked {} {jti}", entries[0].seq)),
            Appended::Conflict { .. } => panic!("a cut-off never conflicts"),
        }
    }
}

/// One write call a line, so that a line is said whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
