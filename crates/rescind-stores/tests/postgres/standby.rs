//! A synchronous standby that is gone: writes wait at the server, which nobody may cut short. What waits there stays
//! bounded, nothing is acknowledged, and all goes on when the standby is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::store::Store;
use rescind::testing::{cut_off, jti, new_session, sid};

use crate::support::{append, log_after, open, server, timed, until};

/// Small, so that it is soon seen what grows: a lane gives up every 1.5 s.
const POOL: usize = 6;
/// The pool, and the connection that listens.
const MOST: usize = POOL + 1;
const WRITERS: u64 = 64;
const BACKENDS: &str = "select count(*) from pg_stat_activity where usename = 'rescind'";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_synchronous_standby_is_gone_no_more_waits_at_the_server_than_the_pool_is_large() {
    let Some(server) = server() else { return };
    let replica = server.replica().unwrap();
    let store = open(&format!("{}?pool={POOL}", server.url())).await.unwrap();
    store.open(new_session(1, "alice")).await.unwrap();
    server.configure("synchronous_standby_names = 'ANY 1 (*)'").unwrap();
    until("the standby is synchronous", || async {
        server.psql("select count(*) from pg_stat_replication where sync_state = 'quorum'").unwrap() == "1"
    })
    .await;
    append(&store, cut_off(Scope::token(jti(0)))).await.unwrap();
    replica.pause().unwrap();

    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (1..=WRITERS)
        .map(|writer| {
            let (store, over, done) = (Arc::clone(&store), Arc::clone(&over), Arc::clone(&done));
            tokio::spawn(async move {
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let id = writer * 10_000 + n;
                    let written = match writer % 3 {
                        0 => store.open(new_session(id, "bob")).await.is_ok(),
                        1 => store.advance(sid(1), Generation::FIRST, Generation::new(1)).await.is_ok(),
                        _ => append(&store, cut_off(Scope::token(jti(id)))).await.is_ok(),
                    };
                    done.fetch_add(u64::from(written), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (mut most, mut looks) = (0, 0);
    let watched = tokio::time::timeout(Duration::from_secs(10), async {
        let mut every = tokio::time::interval(Duration::from_millis(100));
        loop {
            every.tick().await;
            let backends: usize = server.psql(BACKENDS).unwrap().parse().unwrap();
            (most, looks) = (most.max(backends), looks + 1);
            assert!(backends <= MOST, "{backends} backends after {looks} looks");
        }
    });
    assert!(watched.await.is_err());
    let waiting = server.psql(&format!("{BACKENDS} and wait_event = 'SyncRep'")).unwrap();
    eprintln!("at most {most} backends; {waiting} wait for the standby");
    assert_eq!(done.load(Ordering::Relaxed), 0, "nothing is acknowledged without the standby's word");
    assert!(store.load(sid(1)).await.is_ok(), "reading goes on");

    replica.resume().unwrap();
    let (written, took) = timed(until("writes go on", || async { done.load(Ordering::Relaxed) > 0 })).await;
    let () = written;
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    eprintln!("the first write was acknowledged {took:?} after the standby was back");
    append(&store, cut_off(Scope::token(jti(9)))).await.unwrap();
    assert!(log_after(&store, Seq::ZERO).await.entries.len() > 1);
}
