//! kill -9 of the server under load, again and again over the same data, also while it recovers: whatever was
//! acknowledged is there, and the store goes on by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rescind::id::{Jti, SessionId};
use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Store, StoreErrorKind};
use rescind::testing::{cut_off, new_session};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::postgres::PostgresStore;

use crate::support::{append, log_after, open, server, until};

const WRITERS: usize = 16;

/// What was acknowledged.
#[derive(Clone, Default)]
struct Acknowledged {
    revoked: BTreeMap<Seq, Jti>,
    generations: BTreeMap<SessionId, Generation>,
}

impl Acknowledged {
    async fn assert_all_there(&self, store: &PostgresStore) {
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
        assert_eq!(store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.len(), batch.entries.len());
        for (sid, generation) in &self.generations {
            let loaded = store.load(*sid).await.unwrap().expect("an opened session is there");
            assert!(loaded.session.generation >= *generation, "{sid} went back from {generation}");
        }
    }

    fn count(&self) -> usize {
        self.revoked.len()
    }
}

/// Writes until a write fails, and notes what was acknowledged.
async fn write_until_it_fails(store: Arc<PostgresStore>, noted: Arc<Mutex<Acknowledged>>) -> StoreErrorKind {
    let sid = SessionId::generate(SystemClock.wall(), &SystemRandom).unwrap();
    if let Err(error) = store.open(NewSession { id: sid, ..new_session(1, "alice") }).await {
        return error.kind();
    }
    noted.lock().unwrap().generations.insert(sid, Generation::FIRST);
    let mut at = Generation::FIRST;
    loop {
        match store.advance(sid, at, at.next()).await {
            Ok(advance) => assert!(matches!(advance, Advance::Advanced(_)), "nobody else moves it"),
            Err(error) => return error.kind(),
        }
        at = at.next();
        noted.lock().unwrap().generations.insert(sid, at);
        let jti = Jti::generate(SystemClock.wall(), &SystemRandom).unwrap();
        match append(&store, cut_off(Scope::token(jti))).await {
            Ok(entry) => {
                let known = noted.lock().unwrap().revoked.insert(entry.seq, jti);
                assert_eq!(known, None, "position {} was given twice", entry.seq);
            }
            Err(error) => return error.kind(),
        }
    }
}

// holds: R33
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_kill_9_of_the_server_under_load() {
    let Some(server) = server() else { return };
    let rounds = if std::env::var_os("RESCIND_LONG").is_some() { 20 } else { 3 };
    let store = open(&server.url()).await.unwrap();
    let noted = Arc::new(Mutex::new(Acknowledged::default()));
    for round in 0..rounds {
        let before = noted.lock().unwrap().count();
        let writers: Vec<_> =
            (0..WRITERS).map(|_| tokio::spawn(write_until_it_fails(Arc::clone(&store), Arc::clone(&noted)))).collect();
        until("there is load", || async { noted.lock().unwrap().count() > before + 200 }).await;
        server.kill().unwrap();
        for writer in writers {
            assert_eq!(writer.await.unwrap(), StoreErrorKind::Unavailable, "a server that is gone is no other fault");
        }
        server.start_again().unwrap();
        if round % 2 == 1 {
            // Once more, soon after it has recovered.
            server.kill().unwrap();
            server.start_again().unwrap();
        }
        until("the store answers again by itself", || async { store.health().await.is_ok() }).await;
        let noted = noted.lock().unwrap().clone();
        noted.assert_all_there(&store).await;
    }
}
