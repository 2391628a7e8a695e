//! Where a node stays away after a loss, everything is cut off once: by one of the others, while the rest wait for it. Who
//! signs in behind that cut-off stays in.

use std::sync::Arc;

use crate::support::cluster::{Answer, Cluster, Node, pass};
use crate::support::swap::SwapStore;
use crate::support::{CLOCK_MARGIN, ms, secs, text};
use rescind::log::{Act, Entry, NewEntry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store::{
    FailingStore, Fault, Gate, Head, MemoryStore, Operation, Put, Record, RecordKind, Store, StoreErrorKind, Which,
};
use rescind::testing::SeededRandom;
use rescind::time::Clock;
use rescind::{Error, Rejection, Settings};

const LONG: std::time::Duration = secs(4);

/// Two nodes whose store has lost what a third one, which is dead, may have known; a token from before.
pub(crate) async fn lost() -> (Cluster, Node, Node, rescind::TokenPair, Arc<FailingStore<MemoryStore>>) {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    let early = a.login("alice").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    b.cut();
    drop(c);
    let promoted = cluster.promote(replica);
    (cluster, a, b, early, promoted)
}

/// The cut-offs on everything.
pub(crate) async fn on_everything(cluster: &Cluster) -> Vec<Entry> {
    let is_on_all = |entry: &Entry| entry.scope == Scope::All && entry.act == Act::CutOff;
    cluster.entries().await.into_iter().filter(is_on_all).collect()
}

async fn ring_version(cluster: &Cluster) -> u64 {
    cluster.primary().record(RecordKind::KEYS, "ring").await.unwrap().unwrap().version
}

/// Writes take so long that the nodes do not come one after the other by chance.
fn slow_down(store: &FailingStore<MemoryStore>) {
    for operation in [Operation::Append, Operation::PutRecord, Operation::Reincarnate] {
        store.inject(operation, Which::Every, Fault::Slow(ms(70)));
    }
}

async fn answers(nodes: [&Node; 2], pair: &rescind::TokenPair) -> [Answer; 2] {
    [nodes[0].check(pair).await, nodes[1].check(pair).await]
}

/// The claim on the present history.
pub(crate) async fn claim(cluster: &Cluster) -> Option<Record> {
    let name = format!("{}/all", cluster.primary().health().await.unwrap().incarnation);
    cluster.primary().record(RecordKind::HEALINGS, &name).await.unwrap()
}

/// Another node claims it, after so many others did.
pub(crate) async fn claim_by(cluster: &Cluster, node: &str, before: u64) {
    let Head { incarnation, now, .. } = cluster.primary().health().await.unwrap();
    let (name, ends) = (format!("{incarnation}/all"), now.plus(Settings::default().absolute + CLOCK_MARGIN));
    let body = format!(r#"{{"by":"{node}","term_ms":10000,"standing":"claimed"}}"#);
    let put = cluster.primary().put_record(RecordKind::HEALINGS, &name, before, body.into(), Some(ends)).await.unwrap();
    assert!(matches!(put, Put::Written(_)), "{put:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_past_the_bound_one_cuts_everything_off_and_renews_the_keys() {
    let (cluster, a, b, early, promoted) = lost().await;
    let ring = ring_version(&cluster).await;
    a.mend();
    b.mend();
    pass(secs(1)).await;
    slow_down(&promoted);
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Refused; 2]);
    assert_eq!(on_everything(&cluster).await.len(), 1);
    assert_eq!(ring_version(&cluster).await, ring + 1);
    let new = a.login("alice").await;
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &new).await, [Answer::Valid; 2], "nothing comes after it");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_claims_it_and_does_not_deliver_is_waited_for_within_its_term_and_replaced() {
    let (cluster, a, b, early, _promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    a.fail(Operation::Append, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(LONG).await;
    assert_eq!(on_everything(&cluster).await.len(), 0, "it tries");
    // As good as dead from here on: its claim stands, and nobody renews it.
    a.cut();
    b.mend();
    pass(secs(10)).await;
    assert!(!b.rescind.readiness().ready, "no node completes before the cut-off stands");
    pass(secs(4)).await;
    assert_eq!(b.check(&early).await, Answer::Refused);
    let new = b.login("alice").await;
    a.mend();
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &new).await, [Answer::Valid; 2]);
    assert_eq!(on_everything(&cluster).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_tries_again_and_again_is_replaced_by_one_that_can() {
    let (cluster, a, b, early, _promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    a.fail(Operation::Append, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(LONG).await;
    b.mend();
    pass(secs(14)).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Refused; 2]);
    assert_eq!(on_everything(&cluster).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_keys_cannot_be_renewed_is_withdrawn_and_nobody_waits_for_it() {
    let (cluster, a, b, early, _promoted) = lost().await;
    a.mend();
    b.mend();
    pass(secs(1)).await;
    let ring = cluster.primary().record(RecordKind::KEYS, "ring").await.unwrap().unwrap();
    let put = async |version, body| cluster.primary().put_record(RecordKind::KEYS, "ring", version, body, None).await;
    put(ring.version, b"damaged".to_vec()).await.unwrap();
    pass(LONG).await;
    let claim = format!("{}/all", cluster.primary().health().await.unwrap().incarnation);
    let claim = cluster.primary().record(RecordKind::HEALINGS, &claim).await.unwrap().unwrap();
    assert!(String::from_utf8(claim.body).unwrap().contains("withdrawn"));
    assert_eq!(on_everything(&cluster).await.len(), 0);
    let back = put(ring.version + 1, ring.body).await.unwrap();
    assert!(matches!(back, Put::Written(_)), "{back:?}");
    // Far less than the claim's term.
    pass(secs(2)).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Refused; 2]);
    assert_eq!(on_everything(&cluster).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bound_shorter_than_the_keys_take_heals() {
    let cluster = Cluster::new();
    let settings = Settings { staleness_bound: ms(200), ..Settings::default() };
    let connection = Arc::new(SwapStore::new(Arc::new(FailingStore::new(cluster.primary()))));
    let node = cluster.over(Arc::clone(&connection) as _, 1).settings(settings).build().await.unwrap();
    let early = node.open_session(crate::support::opening("alice")).await.unwrap();
    pass(LONG).await;
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    let promoted = cluster.promote(Arc::new(empty));
    slow_down(&promoted);
    connection.replace(promoted);
    pass(LONG).await;
    assert_eq!(on_everything(&cluster).await.len(), 1);
    assert!(matches!(node.check(&early.access_token).await, Err(Error::Rejected(_))));
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_of_ones_own_that_is_an_older_copy_heals_at_the_start() {
    let cluster = Cluster::new();
    let folder = tempfile::tempdir().unwrap();
    let own = Arc::new(MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(5)).unwrap());
    let over = |store: Arc<FailingStore<MemoryStore>>| cluster.over(store, 1).high_water(folder.path().join("mark"));
    let node = over(Arc::new(FailingStore::new(Arc::clone(&own)))).build().await.unwrap();
    let early = node.open_session(crate::support::opening("alice")).await.unwrap();
    pass(LONG).await;
    let copy = Arc::new(FailingStore::new(Arc::new(own.copy().unwrap())));
    node.revoke(crate::support::revocation(Scope::session(early.session_id))).await.unwrap();
    pass(LONG).await;
    node.shutdown().await;
    drop(node);
    for operation in [Operation::Append, Operation::PutRecord, Operation::Reincarnate] {
        copy.inject(operation, Which::Every, Fault::Slow(ms(600)));
    }
    let node = over(Arc::clone(&copy)).build().await.unwrap();
    pass(LONG).await;
    assert!(node.readiness().ready);
    let answer = node.check(&early.access_token).await;
    assert!(matches!(answer, Err(Error::Rejected(_))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_that_hangs_on_its_way_is_waited_for_by_the_others() {
    let (cluster, a, b, early, promoted) = lost().await;
    let gate = Gate::new();
    a.mend();
    b.mend();
    pass(secs(1)).await;
    promoted.inject(Operation::Append, Which::Every, Fault::HangBefore(gate.clone()));
    gate.reached().await;
    pass(secs(1)).await;
    assert!([&a, &b].iter().all(|node| !node.rescind.readiness().ready));
    promoted.clear();
    gate.release();
    pass(secs(1)).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Refused; 2]);
    pass(LONG).await;
    assert_eq!(on_everything(&cluster).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_has_become_needless_holds_everybody_up_once() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    let early = a.login("alice").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    c.cut();
    cluster.promote(replica);
    pass(secs(1)).await;
    // A fourth node, which is dead by now, had found c away for too long.
    let claim = format!("{}/all", cluster.primary().health().await.unwrap().incarnation);
    let body = br#"{"by":"node-4","term_ms":2000,"standing":"claimed"}"#.to_vec();
    cluster.primary().put_record(RecordKind::HEALINGS, &claim, 0, body, None).await.unwrap();
    c.mend();
    pass(secs(2)).await;
    assert_eq!(c.check(&early).await, Answer::Nothing, "what is claimed may come");
    pass(secs(1)).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Valid; 2]);
    assert_eq!(c.check(&early).await, Answer::Valid);
    assert_eq!(on_everything(&cluster).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_no_view_covers_the_gap_one_node_cuts_everything_off_too() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let early = a.login("alice").await;
    a.revoke_subject("somebody").await;
    pass(LONG).await;
    let ring = ring_version(&cluster).await;
    a.cut();
    b.cut();
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    // The ring is there, as it is where the log alone was lost: that it is renewed once can be counted.
    let keys = cluster.primary().record(RecordKind::KEYS, "ring").await.unwrap().unwrap();
    for version in 0..ring {
        empty.put_record(RecordKind::KEYS, "ring", version, keys.body.clone(), None).await.unwrap();
    }
    slow_down(&cluster.promote(Arc::new(empty)));
    let failed = a.rescind.stats().failed_rounds + b.rescind.stats().failed_rounds;
    a.mend();
    b.mend();
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &early).await, [Answer::Refused; 2]);
    assert_eq!(on_everything(&cluster).await.len(), 1);
    assert_eq!(ring_version(&cluster).await, ring + 1);
    assert_eq!(a.healed() + b.healed(), 1);
    assert_eq!(a.rescind.stats().failed_rounds + b.rescind.stats().failed_rounds, failed, "the other one waits");
    let new = b.login("alice").await;
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &new).await, [Answer::Valid; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_finds_another_one_quicker_claims_nothing_in_a_history_that_never_was() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let early = a.login("alice").await;
    a.revoke_subject("somebody").await;
    pass(LONG).await;
    let empty = MemoryStore::with(Arc::clone(&cluster.clock) as _, &SeededRandom::new(77)).unwrap().shared();
    let (promoted, gate) = (cluster.promote(Arc::new(empty)), Gate::new());
    promoted.inject(Operation::Reincarnate, Which::Nth(1), Fault::HangBefore(gate.clone()));
    gate.reached().await;
    let lost = promoted.health().await.unwrap().incarnation;
    let (new, base) = (Incarnation::from_bytes([9; 16]), Seq::new(1 << 33));
    assert!(cluster.primary().reincarnate(lost, new, base).await.unwrap());
    gate.release();
    pass(LONG).await;
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1));
    let healings = cluster.primary().records(RecordKind::HEALINGS, None, 100).await.unwrap();
    let names: Vec<_> = healings.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [format!("{new}/all")]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_only_a_late_node_has_is_not_brought_back_by_it_where_everything_is_cut_off() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    // The first rotation only takes the key that stood ready, which a knows as well.
    b.rescind.rotate_keys().await.unwrap();
    b.rescind.rotate_keys().await.unwrap();
    let of_lost_key = b.login("alice").await;
    for node in [&a, &b, &c] {
        node.cut();
    }
    drop(c);
    cluster.promote(replica);
    a.mend();
    pass(LONG).await;
    assert_eq!(on_everything(&cluster).await.len(), 1);
    b.mend();
    pass(LONG).await;
    assert_eq!(answers([&a, &b], &of_lost_key).await, [Answer::Refused; 2]);
    assert_eq!(a.rescind.jwks().to_string(), b.rescind.jwks().to_string());
    let key = b.rescind.verify(&of_lost_key.access_token).unwrap_err();
    assert!(matches!(key, Rejection::UnknownKey | Rejection::KeyRevoked), "{key:?}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_by_which_a_cut_off_was_sent_is_not_written_anew_and_not_withdrawn() {
    let (cluster, a, _, _, promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    promoted.inject(Operation::Append, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(3)).await;
    let tries = promoted.calls(Operation::Append);
    pass(secs(1)).await;
    assert!(promoted.calls(Operation::Append) > tries, "it is tried again");
    assert_eq!(claim(&cluster).await.unwrap().version, 1, "the others would have to wait anew");
    // The one that was sent may still come.
    let ring = cluster.primary().record(RecordKind::KEYS, "ring").await.unwrap().unwrap();
    let damaged = b"damaged".to_vec();
    cluster.primary().put_record(RecordKind::KEYS, "ring", ring.version, damaged, None).await.unwrap();
    let failed = a.rescind.stats().failed_rounds;
    pass(ms(2300)).await;
    assert!(a.rescind.stats().failed_rounds > failed, "it is tried again");
    let body = String::from_utf8(claim(&cluster).await.unwrap().body).unwrap();
    assert!(body.contains("claimed"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_taken_over_is_waited_for_anew() {
    let (cluster, a, _, early, _promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    claim_by(&cluster, "node-4", 0).await;
    pass(secs(8)).await;
    claim_by(&cluster, "node-5", 1).await;
    pass(secs(9)).await;
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Nothing, 0));
    pass(LONG).await;
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_claim_another_one_has_taken_over_leaves_it_to_that_one() {
    let (cluster, a, _, _, promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    promoted.inject(Operation::Append, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(3)).await;
    claim_by(&cluster, "node-4", 1).await;
    pass(ms(400)).await;
    let tries = promoted.calls(Operation::Append);
    pass(secs(3)).await;
    assert_eq!(promoted.calls(Operation::Append), tries);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_later_than_half_of_its_term_leaves_it_to_the_others() {
    let (cluster, a, _, early, promoted) = lost().await;
    a.mend();
    pass(secs(1)).await;
    // Each of the claim's own three calls is answered in time.
    for operation in [Operation::Record, Operation::Health, Operation::PutRecord] {
        promoted.inject(operation, Which::Every, Fault::Slow(ms(1800)));
    }
    pass(secs(9)).await;
    assert!(claim(&cluster).await.is_some());
    pass(secs(9)).await;
    assert_eq!(on_everything(&cluster).await.len(), 0);
    promoted.clear();
    pass(secs(20)).await;
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_that_another_node_made_a_moment_before_is_not_made_again() {
    for offset in (0..160).step_by(10) {
        let (cluster, a, _, early, _promoted) = lost().await;
        a.mend();
        // Somewhere here the wait for the others ends.
        pass(ms(1950 + offset)).await;
        let everything = NewEntry {
            reason: text("history_lost"),
            remember_until: cluster.clock.wall().plus(secs(100_000)),
            ..rescind::testing::cut_off(Scope::All)
        };
        let made = on_everything(&cluster).await.len();
        if made == 0 {
            cluster.primary().append(vec![everything]).await.unwrap();
        }
        pass(LONG).await;
        assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1), "{offset}");
    }
}
