//! A loss at the moments in which it is easily mistaken: it was one for a moment only, the store has all that this node
//! has read but not what it was told of, the store goes away again while others are waited for, a healing is tried twice.

use std::sync::Arc;

use crate::healing_claim::{lost, on_everything};
use crate::support::cluster::{Answer, Cluster, Node, answer, pass};
use crate::support::logs::Logs;
use crate::support::swap::SwapStore;
use crate::support::{House, builder, ms, new_store, revocation, secs, text};
use rescind::log::Scope;
use rescind::position::{Incarnation, Seq};
use rescind::store::{FailingStore, Fault, Gate, Operation, RecordKind, Store, StoreErrorKind, Which};
use rescind::testing::{ManualClock, subject};
use rescind::time::Clock;
use rescind::{Error, TokenPair};
use tracing::Level;

const LONG: std::time::Duration = secs(4);

/// Two nodes, a session that lives and one that was revoked by the second node, which alone has read that.
struct Loss {
    cluster: Cluster,
    a: Node,
    b: Node,
    live: TokenPair,
    dead: TokenPair,
}

impl Loss {
    /// Nobody reaches the store, which is an older copy of what they knew.
    async fn new() -> Self {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(1).await, cluster.node(2).await);
        let (live, dead) = (a.login("alice").await, a.login("bob").await);
        pass(LONG).await;
        let replica = cluster.lagging();
        a.revoke_subject("somebody").await;
        pass(ms(200)).await;
        a.cut();
        b.revoke(Scope::session(dead.session_id)).await;
        b.cut();
        cluster.promote(replica);
        Self { cluster, a, b, live, dead }
    }

    async fn says(&self, node: &Node) -> [Answer; 2] {
        [node.check(&self.live).await, node.check(&self.dead).await]
    }

    /// Fails where a node lets in who was revoked, or keeps out who was not.
    async fn assert_mended(&self) {
        for node in [&self.a, &self.b] {
            assert_eq!(self.says(node).await, [Answer::Valid, Answer::Refused]);
        }
        assert!(!self.cluster.everything_is_cut_off().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_has_all_that_was_read_and_not_what_was_told_of_is_healed() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(LONG + ms(30)).await;
    let replica = cluster.lagging();
    a.fail(Operation::After, Fault::Slow(secs(10)));
    b.revoke_subject("somebody").await;
    // The position at which it opens a session tells it that there is an entry, which it never reads.
    a.login("alice").await;
    assert_eq!(a.rescind.stats().applied, Seq::ZERO);
    a.cut();
    b.rescind.shutdown().await;
    drop(b);
    cluster.promote(replica);
    a.mend();
    pass(LONG).await;
    assert_eq!(a.healed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_is_over_when_it_is_looked_at_is_none() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    let (replica, primary) = (cluster.lagging(), cluster.primary());
    a.revoke(Scope::session(dead.session_id)).await;
    pass(ms(200)).await;
    let (copy, gate) = (cluster.promote(replica), Gate::new());
    copy.inject(Operation::After, Which::Nth(1), Fault::HangAfter(gate.clone()));
    gate.reached().await;
    cluster.promote(primary);
    gate.release();
    pass(secs(1)).await;
    assert_eq!((a.check(&live).await, a.check(&dead).await), (Answer::Valid, Answer::Refused));
    assert_eq!(a.healed(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_others_begins_anew_when_the_store_is_back() {
    let loss = Loss::new().await;
    loss.a.mend();
    pass(secs(1)).await;
    assert_eq!(loss.a.healed(), 1);
    // Nobody could have come in meanwhile.
    loss.a.cut();
    pass(secs(10)).await;
    loss.a.mend();
    pass(secs(1)).await;
    assert_eq!(loss.says(&loss.a).await, [Answer::Nothing; 2]);
    loss.b.mend();
    pass(secs(2)).await;
    loss.assert_mended().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_while_others_are_waited_for_lets_nobody_in_whom_they_revoked() {
    let loss = Loss::new().await;
    loss.a.mend();
    pass(ms(500)).await;
    assert_eq!(loss.a.healed(), 1);
    assert_eq!(loss.says(&loss.a).await, [Answer::Nothing; 2]);
    loss.a.rescind.shutdown().await;
    let again = loss.cluster.node(1).await;
    for _ in 0..20 {
        assert_ne!(again.check(&loss.dead).await, Answer::Valid);
        pass(ms(100)).await;
    }
    loss.b.mend();
    pass(LONG).await;
    assert_eq!(again.check(&loss.dead).await, Answer::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_healing_that_is_tried_again_and_again_is_written_down_once() {
    let loss = Loss::new().await;
    let (copy, before) = (loss.cluster.lagging(), loss.cluster.lagging());
    let first = loss.cluster.promote(copy);
    first.inject(Operation::Reincarnate, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    loss.a.mend();
    pass(secs(5)).await;
    let healings = loss.cluster.primary().records(RecordKind::HEALINGS, None, 100).await.unwrap();
    assert_eq!(healings.len(), 1, "a record at every try would fill the store");
    // The copy that it was written to is lost in turn: what leads to the new history has to be written down there, too.
    loss.cluster.promote(before);
    pass(ms(500)).await;
    loss.b.mend();
    pass(secs(2)).await;
    loss.assert_mended().await;
}

#[tokio::test(start_paused = true)]
async fn where_everybody_comes_in_nobody_claims_to_cut_everything_off() {
    let loss = Loss::new().await;
    loss.a.mend();
    pass(ms(500)).await;
    loss.b.mend();
    pass(secs(2)).await;
    assert_eq!(loss.says(&loss.a).await, [Answer::Valid, Answer::Refused]);
    let healings = loss.cluster.primary().records(RecordKind::HEALINGS, None, 100).await.unwrap();
    let names: Vec<_> = healings.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.len() == 1 && !names[0].ends_with("/all"), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn of_two_nodes_that_find_the_loss_at_once_one_writes_a_healing_down() {
    let loss = Loss::new().await;
    let (copy, gate) = (loss.cluster.promote(loss.cluster.primary()), Gate::new());
    copy.inject(Operation::Snapshot, Which::Nth(1), Fault::HangAfter(gate.clone()));
    loss.a.mend();
    gate.reached().await;
    loss.b.mend();
    pass(ms(500)).await;
    gate.release();
    pass(secs(2)).await;
    for node in [&loss.a, &loss.b] {
        assert_eq!(loss.says(node).await, [Answer::Valid, Answer::Refused]);
    }
    let healings = loss.cluster.primary().records(RecordKind::HEALINGS, None, 100).await.unwrap();
    assert_eq!(healings.len(), 1, "{healings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_since_before_the_fork_has_nothing_to_add_and_cuts_nothing_off() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    b.cut();
    a.revoke(Scope::session(dead.session_id)).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    cluster.promote(replica);
    pass(ms(500)).await;
    b.mend();
    pass(secs(2)).await;
    assert_eq!(a.healed() + b.healed(), 1);
    for node in [&a, &b] {
        assert_eq!([node.check(&live).await, node.check(&dead).await], [Answer::Valid, Answer::Refused]);
    }
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_read_another_entry_at_the_fork_cuts_everything_off() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let old = Arc::new(SwapStore::new(Arc::new(FailingStore::new(cluster.primary()))));
    let b = cluster.over(Arc::clone(&old) as _, 2).build().await.unwrap();
    let early = a.login("alice").await;
    pass(LONG).await;
    // For a while each of the two is alone with a store of its own, and both use the same position.
    old.replace(Arc::new(FailingStore::new(cluster.lagging())));
    let here = a.revoke_subject("somebody").await;
    let there = b.revoke(revocation(Scope::Subject(subject("somebody else")))).await.unwrap();
    assert_eq!(here.seq, there.seq);
    let replica = cluster.lagging();
    a.revoke_subject("a third one").await;
    pass(ms(200)).await;
    cluster.promote(replica);
    pass(ms(500)).await;
    old.replace(Arc::new(FailingStore::new(cluster.primary())));
    pass(LONG).await;
    assert!(cluster.everything_is_cut_off().await);
    assert_eq!((a.check(&early).await, answer(&b, &early).await), (Answer::Refused, Answer::Refused));
}

#[tokio::test(start_paused = true)]
async fn a_healing_stands_in_the_store_for_as_long_as_somebody_may_come_back() {
    let loss = Loss::new().await;
    loss.a.mend();
    pass(ms(500)).await;
    let now = loss.cluster.clock.wall();
    loss.cluster.primary().sweep(now.plus(secs(24 * 60 * 60)), usize::MAX).await.unwrap();
    loss.b.mend();
    pass(secs(2)).await;
    for node in [&loss.a, &loss.b] {
        assert_eq!(loss.says(node).await, [Answer::Valid, Answer::Refused]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lift_that_is_made_again_counts_as_appended_again() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let alice = a.login("alice").await;
    let cut = a.revoke(Scope::session(alice.session_id)).await;
    pass(LONG).await;
    let replica = cluster.lagging();
    a.rescind.lift(cut.seq, text("a mistake"), text("tester")).await.unwrap();
    cluster.promote(replica);
    pass(secs(1)).await;
    assert_eq!(a.check(&alice).await, Answer::Valid);
    assert_eq!(a.rescind.stats().appended_again, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_away_is_not_believed_before_those_are_back_who_may_know_more() {
    // Which of the two asks first is left to chance.
    for seed in 0..8 {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(2 * seed).await, cluster.node(2 * seed + 1).await);
        let (live, dead) = (a.login("alice").await, a.login("bob").await);
        pass(LONG).await;
        let replica = cluster.lagging();
        a.cut();
        b.revoke(Scope::session(dead.session_id)).await;
        b.cut();
        cluster.promote(replica);
        pass(secs(3)).await;
        // To a the replica fits: it knows nothing of what b has seen.
        a.mend();
        b.mend();
        for _ in 0..200 {
            pass(ms(10)).await;
            assert_ne!(a.check(&dead).await, Answer::Valid);
        }
        assert_eq!((a.check(&live).await, a.check(&dead).await), (Answer::Valid, Answer::Refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_swept_behind_what_this_node_has_read_is_loaded_again_and_is_no_loss() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let live = a.login("alice").await;
    a.revoke_subject("somebody").await;
    pass(LONG).await;
    let store = cluster.primary();
    a.cut();
    for _ in 0..3 {
        store.append(vec![rescind::testing::cut_off(Scope::Subject(subject("x")))]).await.unwrap();
    }
    let head = store.health().await.unwrap();
    store.sweep(head.now.plus(secs(1_000_000_000)), usize::MAX).await.unwrap();
    a.mend();
    pass(LONG).await;
    assert_eq!((a.check(&live).await, a.rescind.stats().applied), (Answer::Valid, head.seq));
    assert_eq!(a.healed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_changes_while_the_view_is_loaded_again_is_judged_as_any_other() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let live = a.login("alice").await;
    a.revoke_subject("somebody").await;
    pass(LONG).await;
    // The log behind what this node has read is swept, so that it has to load a snapshot.
    let (copy, gate) = (cluster.promote(cluster.lagging()), Gate::new());
    a.cut();
    for _ in 0..3 {
        copy.append(vec![rescind::testing::cut_off(Scope::Subject(subject("x")))]).await.unwrap();
    }
    let lost = copy.health().await.unwrap();
    copy.sweep(lost.now.plus(secs(1_000_000_000)), usize::MAX).await.unwrap();
    copy.inject(Operation::Snapshot, Which::Nth(1), Fault::HangBefore(gate.clone()));
    a.mend();
    gate.reached().await;
    let (new, base) = (Incarnation::from_bytes([9; 16]), lost.seq.plus(1000));
    assert!(copy.reincarnate(lost.incarnation, new, base).await.unwrap());
    gate.release();
    pass(LONG).await;
    assert_eq!(a.check(&live).await, Answer::Refused);
    assert_eq!(a.healed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_changes_as_often_as_it_is_healed_is_left_alone_for_a_while() {
    let (logs, clock) = (Logs::new(), Arc::new(ManualClock::default()));
    let store = new_store(&clock, 1);
    let swap = Arc::new(SwapStore::new(Arc::clone(&store)));
    let rescind = builder(Arc::clone(&swap) as _, &clock, 2).build().await.unwrap();
    let house = House { rescind, store, clock };
    let early = house.login("alice").await;
    swap.set_restless(true);
    pass(ms(110)).await;
    assert_eq!(house.rescind.stats().failed_rounds, 1);
    assert_eq!(house.rescind.stats().healed, 8);
    let said = logs.at(Level::WARN).join("\n");
    assert!(said.contains("other nodes heal the store as well"), "{said}");
    swap.set_restless(false);
    house.rescind.sync().await.unwrap();
    assert!(house.check(&early.access_token).await.is_err());
    let new = house.login("alice").await;
    assert!(house.check(&new.access_token).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_stands_for_a_loss_is_not_lifted_behind_a_second_loss_of_the_claim_and_the_cut_off() {
    let (cluster, a, _, early, _) = lost().await;
    a.mend();
    pass(secs(1)).await;
    let replica = cluster.lagging();
    assert_eq!(on_everything(&cluster).await.len(), 0);
    pass(LONG).await;
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1));
    cluster.promote(replica);
    pass(LONG).await;
    assert_eq!(a.rescind.stats().appended_again, 2);
    assert_eq!((a.check(&early).await, on_everything(&cluster).await.len()), (Answer::Refused, 1), "told again");
    let later = a.revoke(Scope::All).await;
    let lifted = a.rescind.lift(later.seq, text("a mistake"), text("tester")).await;
    assert!(matches!(lifted, Err(Error::Final(_))), "{lifted:?}");
    assert_eq!(a.check(&early).await, Answer::Refused);
}
