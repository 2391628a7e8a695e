//! What the tests of the Redis store share: the store on the kit's servers, and loads whose acknowledgements are noted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rescind::id::{Jti, SessionId};
use rescind::log::Scope;
use rescind::position::{Generation, Seq};
use rescind::random::SystemRandom;
use rescind::session::NewSession;
use rescind::store::{Advance, Appended, Batch, Feed, Store, StoreError};
use rescind::testing::{cut_off, new_session};
use rescind::time::{Clock, SystemClock, Timestamp};
use rescind_stores::redis::{Durability, Given, RedisStore};
use rescind_test_kit::{Cluster, SentinelSet};

/// Opens the store with the time given.
pub(crate) async fn open_at(url: &str, clock: Arc<dyn Clock>) -> Result<RedisStore, StoreError> {
    let given = Given { clock: Some(clock), random: Arc::new(SystemRandom) };
    RedisStore::open_with(url, Durability::Strict, given).await
}

/// Opens the store as an operator does.
pub(crate) async fn open(url: &str) -> Arc<RedisStore> {
    Arc::new(RedisStore::open(url, Durability::Strict).await.unwrap())
}

/// What the store says when it is not opened.
pub(crate) async fn refused(url: &str) -> String {
    RedisStore::open(url, Durability::Strict).await.unwrap_err().to_string()
}

/// A prefix that no other test of this process has.
pub(crate) fn fresh_prefix() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn cluster_url(cluster: &Cluster) -> String {
    format!("redis+cluster://{}", joined(&cluster.addresses()))
}

pub(crate) fn sentinel_url(set: &SentinelSet) -> String {
    format!("redis+sentinel://{}/{}", joined(&set.sentinels()), SentinelSet::NAME)
}

fn joined(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The log after a position, which must be there.
pub(crate) async fn log_after(store: &RedisStore, after: Seq) -> Batch {
    match store.after(after, usize::MAX).await.unwrap() {
        Feed::Batch(batch) => batch,
        Feed::Gone(head) => panic!("the log after {after} is gone; head {head:?}"),
    }
}

/// Asks again until the store gives what is waited for; fails after 20 seconds.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            looks.tick().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), asking).await;
    found.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// What the store has acknowledged to the writers of a load.
#[derive(Default)]
pub(crate) struct Acknowledged {
    pub(crate) revoked: BTreeMap<Seq, Jti>,
    pub(crate) generations: BTreeMap<SessionId, Generation>,
}

/// Writers that go on whatever happens, and note what was acknowledged.
pub(crate) struct Load {
    pub(crate) acknowledged: Arc<Mutex<Acknowledged>>,
    writers: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// Starts so many writers.
    pub(crate) fn start(store: &Arc<RedisStore>, writers: usize) -> Self {
        let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
        let writer = |_| tokio::spawn(write_for_ever(Arc::clone(store), Arc::clone(&acknowledged)));
        Self { writers: (0..writers).map(writer).collect(), acknowledged }
    }

    /// How many revocations were acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().revoked.len()
    }

    /// Waits until so many more revocations are acknowledged.
    pub(crate) async fn goes_on(&self, more: usize) {
        let goal = self.count() + more;
        until("the load goes on", async || (self.count() >= goal).then_some(())).await;
    }

    /// Stops the writers; what they were told.
    pub(crate) fn stop(self) -> Acknowledged {
        self.writers.iter().for_each(tokio::task::JoinHandle::abort);
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

impl Acknowledged {
    /// Everything acknowledged is there, and the chain is whole.
    pub(crate) async fn assert_all_there(&self, store: &RedisStore) {
        self.assert_revoked(store).await;
        for (sid, generation) in &self.generations {
            // A cluster's other nodes may come back later than the one that the load went on by.
            let loaded = until("its node answers", async || store.load(*sid).await.ok()).await;
            let loaded = loaded.expect("an opened session is there");
            assert!(loaded.session.generation >= *generation, "{sid} went back from {generation}");
        }
    }

    /// Every acknowledged revocation is there, and the chain is whole.
    pub(crate) async fn assert_revoked(&self, store: &RedisStore) {
        let (mut at, mut found) = (Seq::ZERO, BTreeMap::new());
        loop {
            let batch = log_after(store, at).await;
            let mut tag = batch.prev_tag;
            for entry in &batch.entries {
                tag = tag.next(entry);
                found.insert(entry.seq, entry.scope.clone());
                at = entry.seq;
            }
            assert_eq!(tag, batch.tag, "the chain is whole");
            if at == batch.head.seq {
                break;
            }
        }
        for (seq, jti) in &self.revoked {
            assert_eq!(found.get(seq), Some(&Scope::token(*jti)), "at {seq}");
        }
        // Later than the log was read, so that what was on its way meanwhile may be there, too.
        let active: Vec<_> = store.snapshot(Timestamp::EPOCH).await.unwrap().cut_offs.iter().map(|it| it.seq).collect();
        assert!(found.keys().all(|seq| active.binary_search(seq).is_ok()), "every cut-off is active");
    }
}

async fn write_for_ever(store: Arc<RedisStore>, acknowledged: Arc<Mutex<Acknowledged>>) {
    let mut tries = tokio::time::interval(Duration::from_millis(5));
    loop {
        tries.tick().await;
        let sid = SessionId::generate(SystemClock.wall(), &SystemRandom).unwrap();
        if store.open(NewSession { id: sid, ..new_session(1, "alice") }).await.is_ok() {
            acknowledged.lock().unwrap().generations.insert(sid, Generation::FIRST);
            write_on(&store, sid, &acknowledged).await;
        }
    }
}

/// Rotates and revokes until a call fails.
async fn write_on(store: &RedisStore, sid: SessionId, acknowledged: &Mutex<Acknowledged>) {
    for generation in 0.. {
        let (from, to) = (Generation::new(generation), Generation::new(generation + 1));
        let Ok(Advance::Advanced(_)) = store.advance(sid, from, to).await else { return };
        acknowledged.lock().unwrap().generations.insert(sid, to);
        let jti = Jti::generate(SystemClock.wall(), &SystemRandom).unwrap();
        let Ok(Appended::Done(entries)) = store.append(vec![cut_off(Scope::token(jti))]).await else { return };
        let known = acknowledged.lock().unwrap().revoked.insert(entries[0].seq, jti);
        assert_eq!(known, None, "a position was given twice");
    }
}
