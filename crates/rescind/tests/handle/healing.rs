//! Nodes whose store lost history that some of them know: it is healed from their views, nobody revoked comes back, and
//! nobody else signs in again.

use std::sync::Arc;

use crate::support::cluster::{Answer, Cluster, Node, pass};
use crate::support::{ms, secs, text};
use rescind::log::{Scope, Text};
use rescind::store::{Fault, Operation, Store, StoreErrorKind, Which};
use rescind::time::Clock;

const LONG: std::time::Duration = secs(4);

async fn answers(nodes: &[&Node], pair: &rescind::TokenPair) -> Vec<Answer> {
    let mut answers = Vec::new();
    for node in nodes {
        answers.push(node.check(pair).await);
    }
    answers
}

// holds: R24
#[tokio::test(start_paused = true)]
async fn what_a_store_lost_is_appended_again_and_nobody_signs_in_again() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke(Scope::session(dead.session_id)).await;
    pass(ms(200)).await;
    cluster.promote(replica);
    pass(secs(1)).await;
    for node in [&a, &b] {
        assert_eq!(answers(&[node], &live).await, [Answer::Valid]);
        assert_eq!(answers(&[node], &dead).await, [Answer::Refused]);
        assert!(node.rescind.readiness().ready);
    }
    assert_eq!(a.healed() + b.healed(), 1);
    assert!(a.rescind.stats().appended_again + b.rescind.stats().appended_again >= 1);
    assert!(!cluster.everything_is_cut_off().await);
    let refreshed = b.rescind.refresh(&live.refresh_token, rescind::Refresh::default()).await.unwrap();
    assert_eq!(answers(&[&a, &b], &refreshed.pair).await, [Answer::Valid; 2]);
    assert!(a.rescind.refresh(&dead.refresh_token, rescind::Refresh::default()).await.is_err());
    // After it, everything goes on as before.
    let new = b.login("carol").await;
    a.revoke(Scope::session(new.session_id)).await;
    pass(ms(200)).await;
    assert_eq!(answers(&[&a, &b], &new).await, [Answer::Refused; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_made_between_the_loss_and_its_healing_covers_tokens_of_the_lost_time() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(LONG).await;
    let replica = cluster.lagging();
    b.cut();
    for n in 0..5 {
        a.revoke_subject(&format!("somebody {n}")).await;
    }
    let late = a.login("alice").await;
    a.cut();
    cluster.promote(replica);
    b.mend();
    pass(secs(1)).await;
    // To b the store fits: it knows nothing of the five. Its cut-off stands below the position of the token.
    let entry = b.revoke_subject("alice").await;
    assert!(entry.seq.get() <= 5);
    // b would append it again by itself; that it has gone leaves it to whoever heals.
    b.rescind.shutdown().await;
    drop(b);
    a.mend();
    pass(secs(1)).await;
    assert_eq!(a.healed(), 1);
    assert_eq!(answers(&[&a], &late).await, [Answer::Refused]);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn until_every_peer_has_added_what_it_knew_nothing_is_answered() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    let replica = cluster.lagging();
    // Each of the two knows one that the other does not.
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    b.cut();
    c.revoke(Scope::session(dead.session_id)).await;
    c.cut();
    cluster.promote(replica);
    a.mend();
    b.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b], &live).await, [Answer::Nothing; 2]);
    assert_eq!(answers(&[&a, &b], &dead).await, [Answer::Nothing; 2]);
    c.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b, &c], &live).await, [Answer::Valid; 3]);
    assert_eq!(answers(&[&a, &b, &c], &dead).await, [Answer::Refused; 3]);
    assert!(!cluster.everything_is_cut_off().await);
}

// holds: R24
#[tokio::test(start_paused = true)]
async fn what_only_a_dead_node_may_have_known_cuts_everything_off_behind_the_bound() {
    let cluster = Cluster::new();
    let (a, b, c) = (cluster.node(1).await, cluster.node(2).await, cluster.node(3).await);
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    b.cut();
    c.revoke(Scope::session(dead.session_id)).await;
    drop(c);
    cluster.promote(replica);
    a.mend();
    b.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b], &live).await, [Answer::Nothing; 2]);
    pass(secs(3)).await;
    assert_eq!(answers(&[&a, &b], &dead).await, [Answer::Refused; 2]);
    assert!(cluster.everything_is_cut_off().await);
    let new = a.login("alice").await;
    assert_eq!(answers(&[&a, &b], &new).await, [Answer::Valid; 2]);
    // Started again, it finds that everything it knew is covered.
    let c = cluster.node(3).await;
    assert_eq!(answers(&[&a, &b, &c], &new).await, [Answer::Valid; 3]);
    assert_eq!(c.healed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_started_a_moment_ago_waits_for_those_that_it_found() {
    let cluster = Cluster::new();
    let c = cluster.node(3).await;
    let dead = c.login("bob").await;
    pass(LONG).await;
    let a = cluster.node(1).await;
    pass(ms(500)).await;
    let replica = cluster.lagging();
    c.revoke_subject("somebody").await;
    pass(ms(200)).await;
    a.cut();
    c.revoke(Scope::session(dead.session_id)).await;
    drop(c);
    cluster.promote(replica);
    a.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a], &dead).await, [Answer::Nothing]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_started_waits_for_those_who_live_when_it_finds_the_loss() {
    let cluster = Cluster::new();
    let c = cluster.node(3).await;
    let dead = c.login("bob").await;
    pass(LONG).await;
    let a = cluster.node(1).await;
    let replica = cluster.lagging();
    c.revoke_subject("somebody").await;
    // No listing of the nodes counts yet.
    pass(ms(30)).await;
    assert!(a.rescind.stats().applied.get() > 0, "it has read what is about to be lost");
    a.cut();
    c.revoke(Scope::session(dead.session_id)).await;
    c.cut();
    cluster.promote(replica);
    a.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a], &dead).await, [Answer::Nothing]);
    c.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &c], &dead).await, [Answer::Refused; 2]);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_left_in_order_is_not_waited_for() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let live = a.login("alice").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    b.rescind.shutdown().await;
    pass(LONG).await;
    cluster.promote(replica);
    pass(secs(1)).await;
    assert_eq!(answers(&[&a], &live).await, [Answer::Valid]);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn a_node_started_again_with_a_mark_above_the_fork_cuts_everything_off_and_one_below_it_goes_on() {
    for knows_more in [true, false] {
        let cluster = Cluster::new();
        let (a, b) = (cluster.node(1).await, cluster.node(2).await);
        let live = a.login("alice").await;
        pass(LONG).await;
        let replica = cluster.lagging();
        if knows_more {
            b.revoke_subject("somebody").await;
        }
        pass(ms(200)).await;
        b.rescind.shutdown().await;
        a.revoke_subject("somebody else").await;
        pass(LONG).await;
        // Where the first one knows nothing of the loss, the second is alone with its mark.
        let a = if knows_more {
            a.rescind.shutdown().await;
            None
        } else {
            Some(a)
        };
        cluster.promote(replica);
        pass(secs(1)).await;
        let b = cluster.node(2).await;
        pass(secs(3)).await;
        let expected = if knows_more { Answer::Refused } else { Answer::Valid };
        assert_eq!(answers(&[&b], &live).await, [expected]);
        assert_eq!(cluster.everything_is_cut_off().await, knows_more);
        drop(a);
    }
}

#[tokio::test(start_paused = true)]
async fn a_healing_that_stopped_half_way_is_gone_on_with_by_the_next_node() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (live, dead) = (a.login("alice").await, a.login("bob").await);
    pass(LONG).await;
    let replica = cluster.lagging();
    a.revoke(Scope::session(dead.session_id)).await;
    pass(ms(200)).await;
    b.cut();
    let promoted = cluster.promote(replica);
    promoted.inject(Operation::Append, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    pass(secs(1)).await;
    assert_eq!(a.healed(), 1, "the new incarnation is there, and nothing in it");
    a.rescind.shutdown().await;
    promoted.clear();
    b.mend();
    pass(secs(1)).await;
    assert_eq!(answers(&[&b], &dead).await, [Answer::Refused]);
    assert_eq!(answers(&[&b], &live).await, [Answer::Valid]);
    assert_eq!(b.healed(), 0);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn a_lift_that_was_lost_is_made_again_and_one_of_a_later_cut_off_is_not() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (alice, bob) = (a.login("alice").await, a.login("bob").await);
    let cut = a.revoke(Scope::session(alice.session_id)).await;
    let other = a.revoke(Scope::session(bob.session_id)).await;
    pass(LONG).await;
    let replica = cluster.lagging();
    a.rescind.lift(cut.seq, text("a mistake"), text("tester")).await.unwrap();
    a.rescind.lift(other.seq, text("a mistake"), text("tester")).await.unwrap();
    a.revoke(Scope::session(bob.session_id)).await;
    pass(ms(200)).await;
    cluster.promote(replica);
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b], &alice).await, [Answer::Valid; 2]);
    assert_eq!(answers(&[&a, &b], &bob).await, [Answer::Refused; 2]);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn losses_after_each_other_are_followed_through_their_records() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let (live, dead, last) = (a.login("alice").await, a.login("bob").await, a.login("carol").await);
    pass(LONG).await;
    let first = cluster.lagging();
    a.revoke(Scope::session(dead.session_id)).await;
    pass(ms(200)).await;
    b.cut();
    let waiting = cluster.promote(first);
    pass(ms(500)).await;
    let second = cluster.lagging();
    // The first healing waits for b; what it is told meanwhile is lost in turn.
    drop(waiting);
    cluster.promote(second);
    pass(ms(500)).await;
    b.mend();
    pass(secs(1)).await;
    a.revoke(Scope::session(last.session_id)).await;
    pass(ms(200)).await;
    let third = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(LONG).await;
    cluster.promote(third);
    pass(secs(1)).await;
    assert_eq!(answers(&[&a, &b], &dead).await, [Answer::Refused; 2]);
    assert_eq!(answers(&[&a, &b], &last).await, [Answer::Refused; 2]);
    assert_eq!(answers(&[&a, &b], &live).await, [Answer::Valid; 2]);
    assert!(!cluster.everything_is_cut_off().await);
}

#[tokio::test(start_paused = true)]
async fn a_reason_and_an_actor_come_back_with_their_cut_off() {
    let cluster = Cluster::new();
    let a = cluster.node(1).await;
    let dead = a.login("bob").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    let scope = Scope::session(dead.session_id);
    let (reason, actor) = (Text::new("stolen laptop").unwrap(), Text::new("the help desk").unwrap());
    a.rescind
        .revoke(rescind::Revoke { scope: scope.clone(), reason: reason.clone(), actor: actor.clone() })
        .await
        .unwrap();
    cluster.promote(replica);
    pass(secs(1)).await;
    let listed = a.rescind.stats().applied;
    let again = a.rescind.entry(listed).await.unwrap().unwrap();
    assert_eq!((again.scope, again.reason, again.actor), (scope, reason, actor));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_calls_its_readers_has_them_refuse_long_before_they_would_have_asked() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(ms(17)).await;
    for _ in 0..20 {
        let pair = a.login("alice").await;
        a.revoke(Scope::session(pair.session_id)).await;
        pass(ms(5)).await;
        assert_eq!(answers(&[&a, &b], &pair).await, [Answer::Refused; 2]);
        pass(ms(7)).await;
    }
}

// holds: R33
#[tokio::test(start_paused = true)]
async fn a_revocation_whose_place_another_entry_took_is_not_acknowledged() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(LONG).await;
    // Between two rounds: one that failed before it is asked would have it refuse for that.
    a.rescind.sync().await.unwrap();
    let replica = cluster.lagging();
    // The store takes the entry and is gone before a reads it; in its place, the replica gets another one from b.
    a.cut_reads();
    let (name, other) = (rescind::testing::subject("alice"), rescind::testing::subject("bob"));
    let rescind = a.rescind.clone();
    let revoking = tokio::spawn(async move { rescind.revoke(crate::support::revocation(Scope::Subject(name))).await });
    pass(ms(20)).await;
    b.cut();
    cluster.promote(Arc::clone(&replica));
    let new = rescind::log::NewEntry {
        scope: Scope::Subject(other),
        act: rescind::log::Act::CutOff,
        reason: text("test"),
        actor: text("tester"),
        remember_until: cluster.clock.wall().plus(secs(100_000)),
    };
    replica.append(vec![new]).await.unwrap();
    a.mend();
    let answer = revoking.await.unwrap();
    let refused = format!("{:?}", answer.unwrap_err());
    assert!(refused.contains("lost the cut-off as soon as it was made"), "{refused}");
}
