//! Nodes whose store lost a newer key ring, with its log or without: keys that were made go on to verify, and those that
//! were revoked come back nowhere.

use std::sync::Arc;

use crate::support::cluster::{Answer, Cluster, Node, pass};
use crate::support::{ms, secs};
use rescind::TokenPair;
use rescind::log::Scope;
use rescind::store::{Fault, Operation, RecordKind, Store, StoreErrorKind, Which};

const LONG: std::time::Duration = secs(4);

async fn answers(nodes: &[&Node], pair: &TokenPair) -> Vec<Answer> {
    let mut answers = Vec::new();
    for node in nodes {
        answers.push(node.check(pair).await);
    }
    answers
}

/// A token of a key that nobody here has: whoever checks it reads the ring.
async fn of_a_stranger() -> TokenPair {
    Cluster::new().node(77).await.login("mallory").await
}

// holds: R28
#[tokio::test(start_paused = true)]
async fn keys_made_or_revoked_in_the_lost_time_stay_so() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let by_stolen = a.login("alice").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    let stolen = a.rescind.keys().iter().find(|key| key.state == rescind::keys::KeyState::Current).unwrap().kid.clone();
    a.revoke(Scope::Key(stolen.clone())).await;
    a.rescind.rotate_keys().await.unwrap();
    let by_new = a.login("bob").await;
    pass(secs(6)).await;
    assert_eq!(answers(&[&a, &b], &by_new).await, [Answer::Valid; 2]);
    cluster.promote(replica);
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b], &by_new).await, [Answer::Valid; 2]);
    assert_eq!(answers(&[&a, &b], &by_stolen).await, [Answer::Refused; 2]);
    for node in [&a, &b] {
        assert!(!node.rescind.jwks().contains(stolen.as_str()));
        let new = node.login("carol").await;
        assert_eq!(answers(&[&a, &b], &new).await, [Answer::Valid; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_ring_that_is_read_before_the_loss_is_found_refuses_no_token_of_a_newer_key() {
    let stranger = of_a_stranger().await;
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    pass(LONG + ms(30)).await;
    let replica = cluster.lagging();
    let by_stolen = a.login("mallory").await;
    let stolen = a.rescind.keys().iter().find(|key| key.state == rescind::keys::KeyState::Current).unwrap().kid.clone();
    a.revoke(Scope::Key(stolen.clone())).await;
    a.rescind.rotate_keys().await.unwrap();
    let by_new = a.login("bob").await;
    cluster.promote(replica);
    assert_eq!(answers(&[&a], &stranger).await, [Answer::Refused], "it was read, and no round came before");
    assert_eq!(answers(&[&a], &by_new).await, [Answer::Valid]);
    assert!(!a.rescind.jwks().contains(stolen.as_str()));
    for _ in 0..100 {
        pass(ms(10)).await;
        assert_ne!(answers(&[&a], &by_new).await, [Answer::Refused]);
        assert_ne!(answers(&[&a], &by_stolen).await, [Answer::Valid]);
    }
    assert_eq!(answers(&[&a], &by_new).await, [Answer::Valid]);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_the_store_lost_alone_is_written_again() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.rescind.rotate_keys().await.unwrap();
    a.rescind.rotate_keys().await.unwrap();
    let by_new = a.login("bob").await;
    assert_eq!(answers(&[&a, &b], &by_new).await, [Answer::Valid; 2]);
    // Nothing is missing in the log, so no loss is found there.
    cluster.promote(replica);
    pass(secs(11)).await;
    assert_eq!((a.healed(), b.healed()), (0, 0));
    let c = cluster.node(3).await;
    assert_eq!(answers(&[&a, &b, &c], &by_new).await, [Answer::Valid; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_ring_that_went_another_way_is_put_together_with_the_one_before_it() {
    let stranger = of_a_stranger().await;
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    pass(LONG + ms(30)).await;
    let replica = cluster.lagging();
    a.rescind.rotate_keys().await.unwrap();
    a.rescind.rotate_keys().await.unwrap();
    let by_new = a.login("bob").await;
    a.revoke_subject("somebody").await;
    let other = cluster.over(Arc::clone(&replica) as Arc<dyn Store>, 7).build().await.unwrap();
    other.rotate_keys().await.unwrap();
    other.shutdown().await;
    cluster.promote(replica);
    assert_eq!(answers(&[&a], &stranger).await, [Answer::Refused], "the other ring was read, and no round came before");
    pass(secs(1)).await;
    assert_eq!(answers(&[&a], &by_new).await, [Answer::Valid]);
}

#[tokio::test(start_paused = true)]
async fn keys_read_from_the_older_copy_before_the_loss_was_found_do_not_replace_the_newer_ones() {
    for offset in 0..26 {
        let cluster = Cluster::new();
        let a = cluster.node(1).await;
        pass(LONG).await;
        let replica = cluster.lagging();
        a.rescind.rotate_keys().await.unwrap();
        let by_new = a.login("bob").await;
        a.revoke_subject("somebody").await;
        // The ring is read again every five seconds, the log every tenth of one: the loss may fall between the two.
        pass(ms(900 + 7 * offset)).await;
        cluster.promote(replica);
        pass(secs(1)).await;
        assert_eq!(answers(&[&a], &by_new).await, [Answer::Valid], "{offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stolen_key_that_only_a_late_node_knows_of_is_cut_off_again_beside_everything() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    let is_current = |key: &&rescind::KeyStatus| key.state == rescind::keys::KeyState::Current;
    let stolen = b.rescind.keys().iter().find(is_current).unwrap().kid.clone();
    b.revoke(Scope::Key(stolen.clone())).await;
    b.revoke_subject("bob").await;
    b.cut();
    drop(c);
    cluster.promote(replica);
    a.mend();
    pass(LONG).await;
    assert!(cluster.everything_is_cut_off().await);
    b.mend();
    pass(LONG).await;
    let whole = cluster.primary().snapshot(rescind::time::Timestamp::EPOCH).await.unwrap();
    let has = |scope: &Scope| whole.cut_offs.iter().any(|cut_off| cut_off.scope == *scope);
    assert!(has(&Scope::Key(stolen)), "whoever stole it signs tokens of any position");
    assert!(!has(&Scope::Subject(rescind::testing::subject("bob"))), "everything is cut off above it");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_cut_off_in_the_store_alone_signs_nothing_at_a_node_that_goes_on_with_a_healing() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(LONG).await;
    let before = cluster.primary().record(RecordKind::KEYS, "ring").await.unwrap().unwrap();
    let is_current = |key: &&rescind::KeyStatus| key.state == rescind::keys::KeyState::Current;
    let stolen = a.rescind.keys().iter().find(is_current).unwrap().kid.clone();
    b.cut();
    a.revoke(Scope::Key(stolen.clone())).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    let promoted = cluster.promote(replica);
    promoted.inject(Operation::Append, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(1)).await;
    assert_eq!(a.healed(), 1, "the new incarnation is there, and nothing in it");
    a.rescind.shutdown().await;
    // The ring is an older one than the log.
    let ring = promoted.record(RecordKind::KEYS, "ring").await.unwrap().unwrap();
    promoted.put_record(RecordKind::KEYS, "ring", ring.version, before.body, None).await.unwrap();
    promoted.clear();
    b.mend();
    pass(LONG).await;
    let new = b.login("carol").await;
    assert_eq!(answers(&[&b], &new).await, [Answer::Valid]);
    assert!(!b.rescind.jwks().contains(stolen.as_str()));
}
