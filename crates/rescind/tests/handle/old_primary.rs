//! A node that is still connected to an old primary while the others work on the new one. What the old one does not have
//! may be there, so nobody is refused by it: a refusal waits until this node has written durably, which the old one
//! cannot, and a fault is never a refusal. What it still has is believed within the bound.

use std::sync::Arc;

use crate::support::cluster::{Cluster, pass};
use crate::support::split::{Split, failed};
use crate::support::{ms, refused, secs, text};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{FailingStore, Fault, Gate, Operation, StoreErrorKind, Which};
use rescind::{Error, Introspection, Refresh, Rejection, Settings, TokenPair, Verdict};
use tokio::time::timeout;

#[tokio::test(start_paused = true)]
async fn a_session_that_the_old_primary_does_not_have_is_not_refused_by_it() {
    let split = Split::new(Settings::default()).await;
    let old = split.fail_over();
    let pair = split.a.login("alice").await;
    failed(&split.refresh(&pair).await);
    failed(&split.b.introspect(&pair.refresh_token).await);
    failed(&split.b.client_of(&pair.refresh_token).await);
    // Where the store takes writes it is the one that all write to, and the same answer is the truth.
    old.clear();
    pass(secs(1)).await;
    assert_eq!(refused(split.refresh(&pair).await), Rejection::SessionUnknown);
    let answer = split.b.introspect(&pair.refresh_token).await.unwrap();
    assert!(matches!(answer, rescind::Introspection::Inactive));
    split.reconnect();
    pass(secs(1)).await;
    split.refresh(&pair).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_used_or_let_in_again_elsewhere_is_not_refused_by_the_old_primary() {
    let split = Split::new(Settings { idle: secs(60), ..Settings::default() }).await;
    let (used, lifted) =
        (split.b.open_session(crate::support::opening("alice")).await.unwrap(), split.a.login("bob").await);
    let entry = split.a.revoke(Scope::session(lifted.session_id)).await;
    pass(secs(59)).await;
    let _old = split.fail_over();
    split.a.rescind.refresh(&used.refresh_token, Refresh::default()).await.unwrap();
    split.a.rescind.lift(entry.seq, text("a mistake"), text("tester")).await.unwrap();
    pass(ms(1001)).await;
    failed(&split.refresh(&used).await);
    split.reconnect();
    pass(secs(1)).await;
    split.refresh(&lifted).await.unwrap();
    // Once more, this time asked by the cut-off.
    let entry = split.a.revoke(Scope::session(lifted.session_id)).await;
    pass(secs(1)).await;
    let _old = split.fail_over();
    split.a.rescind.lift(entry.seq, text("a mistake"), text("tester")).await.unwrap();
    failed(&split.refresh(&lifted).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_refused_while_the_node_changes_over_is_asked_for_at_the_new_primary() {
    let split = Split::new(Settings::default()).await;
    let (old, gate) = (split.fail_over(), Gate::new());
    let pair = split.a.login("alice").await;
    old.inject(Operation::Load, Which::Nth(1), Fault::HangAfter(gate.clone()));
    let (b, token) = (split.b.clone(), pair.refresh_token.clone());
    let refreshing = tokio::spawn(async move { b.refresh(&token, Refresh::default()).await });
    gate.reached().await;
    // "Unknown" is on its way from the old one, and every write from now on goes to the new one.
    split.reconnect();
    pass(secs(1)).await;
    gate.release();
    refreshing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_refusals_cost_a_write_and_not_a_thousand() {
    let split = Split::new(Settings::default()).await;
    let old = split.fail_over();
    let pair = split.a.login("alice").await;
    old.clear();
    pass(secs(1)).await;
    let before = old.calls(Operation::PutRecord);
    let refreshes: Vec<_> = (0..1000)
        .map(|_| {
            let (b, token) = (split.b.clone(), pair.refresh_token.clone());
            tokio::spawn(async move { b.refresh(&token, Refresh::default()).await })
        })
        .collect();
    for refresh in refreshes {
        assert_eq!(refused(refresh.await.unwrap()), Rejection::SessionUnknown);
    }
    let writes = old.calls(Operation::PutRecord) - before;
    assert!((1..=3).contains(&writes), "{writes} writes");
}

#[tokio::test(start_paused = true)]
async fn a_forged_token_waits_for_nothing() {
    let split = Split::new(Settings::default()).await;
    let pair = split.a.login("alice").await;
    let old = split.fail_over();
    let (head, tail) = pair.refresh_token.split_at(20);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}{other}{}", tail.get(1..).unwrap());
    assert_eq!(refused(split.b.refresh(&forged, Refresh::default()).await), Rejection::BadMac);
    assert_eq!(old.calls(Operation::Load), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_good_by_the_old_primary_within_the_bound_alone() {
    let split = Split::new(Settings { idle: secs(60), ..Settings::default() }).await;
    let (retried, ended) = (split.a.login("alice").await, split.a.login("bob").await);
    split.b.refresh(&retried.refresh_token, Refresh::default()).await.unwrap();
    pass(secs(1)).await;
    let old = split.fail_over();
    split.a.revoke_subject("alice").await;
    split.a.revoke(Scope::session(ended.session_id)).await;
    assert_eq!(split.refresh(&retried).await.unwrap().verdict, Verdict::Retried, "within the bound");
    assert!(
        matches!(split.b.introspect(&ended.refresh_token).await, Ok(Introspection::Refresh(_))),
        "within the bound"
    );
    pass(Settings::default().staleness_bound + ms(100)).await;
    failed(&split.refresh(&retried).await);
    let answer = split.b.introspect(&ended.refresh_token).await;
    assert!(matches!(answer, Err(Error::Stale { .. })), "{answer:?}");
    assert!(split.b.inspect(&ended.refresh_token).await.fault.is_some());
    // What it does not know of, the old one may forget where it is the one that all write to.
    old.clear();
    pass(secs(1)).await;
    assert_eq!(split.refresh(&retried).await.unwrap().verdict, Verdict::Retried);
    assert!(matches!(split.b.introspect(&ended.refresh_token).await, Ok(Introspection::Refresh(_))));
    split.reconnect();
    pass(secs(1)).await;
    assert_eq!(refused(split.refresh(&retried).await), Rejection::Revoked(ScopeKind::Subject));
    assert!(matches!(split.b.introspect(&ended.refresh_token).await, Ok(Introspection::Inactive)));
}

/// The rows of an older copy are there, with sessions that were ended since.
#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_not_called_good_by_a_row_when_this_node_knows_better() {
    let cluster = Cluster::new();
    let node = cluster.node(1).await;
    pass(secs(4)).await;
    let pair = node.login("alice").await;
    let older = cluster.lagging();
    node.revoke(Scope::session(pair.session_id)).await;
    cluster.promote(older);
    let answer = node.rescind.introspect(&pair.refresh_token).await;
    assert!(matches!(answer, Ok(Introspection::Inactive) | Err(Error::Store(_) | Error::Stale { .. })), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_made_elsewhere_is_not_unknown_to_the_old_primary() {
    let split = Split::new(Settings::default()).await;
    let old = split.fail_over();
    // The second one was published nowhere before.
    split.a.rescind.rotate_keys().await.unwrap();
    split.a.rescind.rotate_keys().await.unwrap();
    let pair = split.a.login("alice").await;
    failed(&split.b.check(&pair.access_token).await);
    old.clear();
    pass(secs(1)).await;
    assert_eq!(refused(split.b.check(&pair.access_token).await), Rejection::UnknownKey);
    split.reconnect();
    pass(secs(1)).await;
    split.b.check(&pair.access_token).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_writes_and_lost_what_this_node_knows_refuses_nobody() {
    let split = Split::new(Settings::default()).await;
    let replica = Arc::new(FailingStore::new(split.cluster.lagging()));
    let pair = split.a.login("alice").await;
    split.a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    // It may be read once before its log is found not to fit.
    let gate = Gate::new();
    replica.inject(Operation::After, Which::Every, Fault::HangBefore(gate.clone()));
    replica.inject(Operation::Reincarnate, Which::Every, Fault::Refuse(StoreErrorKind::Full));
    split.connection.replace(Arc::clone(&replica));
    let (b, token) = (split.b.clone(), pair.refresh_token.clone());
    let refreshing = tokio::spawn(async move { b.refresh(&token, Refresh::default()).await });
    pass(ms(200)).await;
    assert!(replica.calls(Operation::Load) > 0, "it was asked");
    gate.release();
    failed(&refreshing.await.unwrap());
}

/// The connection moves to a store that lost what this node has acknowledged, and the log was not read since.
#[tokio::test(start_paused = true)]
async fn a_session_whose_end_the_store_has_lost_is_not_refreshed_before_that_is_found() {
    for scope_of in [|pair: &TokenPair| Scope::session(pair.session_id), |_: &TokenPair| Scope::All] {
        let cluster = Cluster::new();
        let node = cluster.node(1).await;
        pass(secs(4)).await;
        let pair = node.login("alice").await;
        let replica = cluster.lagging();
        node.revoke(scope_of(&pair)).await;
        cluster.promote(replica);
        // It looks, finds the loss, and may have healed it by then.
        let answer = node.rescind.refresh(&pair.refresh_token, Refresh::default()).await;
        assert!(matches!(answer, Err(Error::Store(_) | Error::Rejected(Rejection::Revoked(_)))), "{answer:?}");
        pass(secs(10)).await;
        refused(node.rescind.refresh(&pair.refresh_token, Refresh::default()).await);
    }
}

// Found by the simulation, seed 98056.
#[tokio::test(start_paused = true)]
async fn a_session_whose_end_is_told_again_while_a_refresh_waits_is_not_refreshed() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let pair = a.login("alice").await;
    pass(secs(4)).await;
    let replica = cluster.lagging();
    a.revoke_subject("somebody").await;
    pass(ms(200)).await;
    let (round, row, healing) = (Gate::new(), Gate::new(), Gate::new());
    b.fail(Operation::After, Fault::HangBefore(round.clone()));
    round.reached().await;
    a.revoke(Scope::session(pair.session_id)).await;
    cluster.promote(replica);
    b.fail(Operation::Load, Fault::HangAfter(row.clone()));
    b.fail(Operation::Snapshot, Fault::HangBefore(healing.clone()));
    let refreshing = {
        let (rescind, token) = (b.rescind.clone(), pair.refresh_token.clone());
        tokio::spawn(async move { rescind.refresh(&token, Refresh::default()).await })
    };
    timeout(secs(5), row.reached()).await.unwrap();
    round.release();
    // The other node has told what it knows, and this one is in the middle of finding that.
    pass(ms(1500)).await;
    row.release();
    pass(ms(10)).await;
    assert!(!refreshing.is_finished());
    b.mend();
    healing.release();
    let answer = refreshing.await.unwrap();
    assert!(matches!(answer, Err(Error::Store(_) | Error::Rejected(Rejection::Revoked(_)))), "{answer:?}");
}

/// A lift elsewhere, of which this node has not heard.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_given_back_elsewhere_is_refreshed_at_once() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    pass(secs(4)).await;
    let pair = a.login("alice").await;
    let entry = b.revoke(Scope::session(pair.session_id)).await;
    pass(secs(1)).await;
    a.rescind.lift(entry.seq, text("a mistake"), text("tester")).await.unwrap();
    b.rescind.refresh(&pair.refresh_token, Refresh::default()).await.unwrap();
}
