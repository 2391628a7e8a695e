//! What rows cost: a refresh writes no index, a session is small, and no call reads a whole table.

use std::sync::Arc;

use rescind::id::SessionId;
use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Feed, Page, Store};
use rescind::testing::{cut_off, new_session, sid, subject};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::postgres::PostgresStore;

use crate::support::{open, server, until};

const SESSIONS: usize = 20_000;
const AT_MOST: usize = 250;

/// Opens a session of a user named by a UUID, as most are.
async fn open_one(store: Arc<PostgresStore>) -> SessionId {
    let sid = SessionId::generate(SystemClock.wall(), &SystemRandom).unwrap();
    let user = SessionId::generate(SystemClock.wall(), &SystemRandom).unwrap();
    // Random from its first digit on: users are not in the order of their sessions.
    let user: String = user.to_string().chars().rev().collect();
    store.open(NewSession { id: sid, subject: subject(&user), ..new_session(1, "x") }).await.unwrap();
    sid
}

async fn rotate(store: Arc<PostgresStore>, sid: SessionId, from: u64) {
    let moved = store.advance(sid, Generation::new(from), Generation::new(from + 1)).await.unwrap();
    assert!(matches!(moved, Advance::Advanced(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_its_indices_is_small_and_a_refresh_writes_none_of_them() {
    let Some(server) = server() else { return };
    let store = open(&server.url()).await.unwrap();
    let mut sids = Vec::new();
    for _ in 0..SESSIONS / 500 {
        let opening: Vec<_> = (0..500).map(|_| tokio::spawn(open_one(Arc::clone(&store)))).collect();
        for opened in opening {
            sids.push(opened.await.unwrap());
        }
    }
    // Sessions are refreshed in no order: a prime step leads through all of them, far from one to the next.
    for round in 0..3 {
        for part in 0..SESSIONS / 100 {
            let rotating: Vec<_> = (0..100)
                .map(|n| sids[(part * 100 + n) * 7_919 % SESSIONS])
                .map(|sid| tokio::spawn(rotate(Arc::clone(&store), sid, round)))
                .collect();
            for rotated in rotating {
                rotated.await.unwrap();
            }
        }
    }
    let counted = format!("{SESSIONS}|{}", SESSIONS * 3);
    until("the server has counted", || async {
        let sql = "select n_tup_ins, n_tup_upd from pg_stat_user_tables where relname = 'sessions'";
        server.psql(sql).unwrap() == counted
    })
    .await;
    let sql = "select n_tup_upd - n_tup_hot_upd from pg_stat_user_tables where relname = 'sessions'";
    let not_hot: usize = server.psql(sql).unwrap().parse().unwrap();
    // A few find their page full: its old rows are cleared away by the next who comes.
    assert!(not_hot * 20 < SESSIONS * 3, "{not_hot} of {} refreshes wrote the indices", SESSIONS * 3);
    let bytes: usize =
        server.psql("select pg_total_relation_size('rescind.sessions')").unwrap().parse::<usize>().unwrap() / SESSIONS;
    println!("{bytes} bytes a session, {not_hot} of {} refreshes not HOT", SESSIONS * 3);
    assert!(bytes <= AT_MOST, "a session takes {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_reads_a_whole_table_whatever_the_server_knows_of_its_size() {
    const ROUNDS: u64 = 20;
    const EACH: u64 = 250;
    let Some(server) = server() else { return };
    server.psql("alter system set autovacuum = off").unwrap();
    server.psql("select pg_reload_conf()").unwrap();
    // Every connection plans its calls while the tables are empty, and keeps those plans.
    let store = open(&server.url()).await.unwrap();
    for round in 0..ROUNDS {
        let named = |n| sid(round * EACH + n);
        let opening: Vec<_> = (0..EACH)
            .map(|n| (Arc::clone(&store), NewSession { id: named(n), ..new_session(n, "alice") }))
            .map(|(store, session)| tokio::spawn(async move { store.open(session).await }))
            .collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
        store.append((0..EACH).map(|n| cut_off(Scope::session(named(n)))).collect()).await.unwrap();
        let head = store.health().await.unwrap().seq;
        for n in 0..5 {
            assert!(store.load(named(n)).await.unwrap().unwrap().cut_off.is_some());
        }
        assert!(matches!(store.after(Seq::new(head.get() - 1), 10_000).await.unwrap(), Feed::Batch(_)));
        store.sessions_of(&subject("alice"), Page { after: None, limit: 10 }).await.unwrap();
        store.sweep(Timestamp::EPOCH, 1_000).await.unwrap();
    }
    until("the server has counted", || async {
        let sql = "select n_tup_ins from pg_stat_user_tables where relname = 'log'";
        server.psql(sql).unwrap() == (ROUNDS * EACH).to_string()
    })
    .await;
    let sql = "select string_agg(relname || ' ' || seq_tup_read, ', ') from pg_stat_user_tables \
               where schemaname = 'rescind' and relname in ('log', 'sessions') and seq_tup_read > 0";
    assert_eq!(server.psql(sql).unwrap(), "", "rows that were read one by one");
}
