//! A node that is still connected to an old primary, asked to sign in, to end, to take back and to lift: what the old one
//! does not have may be there, so that there is nothing to do is not said by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::cluster::{Cluster, pass};
use crate::support::split::{Split, failed};
use crate::support::{refused, secs, text};
use rescind::log::{Scope, ScopeKind};
use rescind::store::{FailingStore, Fault, Gate, Operation, StoreErrorKind, Which};
use rescind::{Error, Invalid, LogoutScope, NotFound, Rejection, Settings};

#[tokio::test(start_paused = true)]
async fn who_was_let_in_elsewhere_is_not_turned_away_by_the_old_primary() {
    let cluster = Cluster::new();
    let connection = Arc::new(FailingStore::new(cluster.primary()));
    let is_welcome = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_welcome);
    let welcome = move |_| std::future::ready(Ok(asked.load(Ordering::Relaxed)));
    let node = cluster.over(Arc::clone(&connection) as _, 1).welcome(welcome).build().await.unwrap();
    pass(secs(4)).await;
    let open = || node.open_session(crate::support::opening("alice"));
    connection.inject(Operation::PutRecord, Which::Every, Fault::Refuse(StoreErrorKind::Unavailable));
    failed(&open().await);
    connection.clear();
    pass(secs(1)).await;
    assert!(matches!(open().await, Err(Error::Invalid(Invalid::Unwelcome))));
    is_welcome.store(true, Ordering::Relaxed);
    open().await.unwrap();
}

// Found by the tests of many nodes, under load.
#[tokio::test(start_paused = true)]
async fn nothing_to_lift_is_not_said_by_the_old_primary() {
    let split = Split::new(Settings::default()).await;
    let old = split.fail_over();
    let entry = split.a.revoke_subject("bob").await;
    let lift = async || split.b.lift(entry.seq, text("a mistake"), text("tester")).await;
    failed(&lift().await);
    old.clear();
    pass(secs(1)).await;
    let answer = lift().await;
    assert!(matches!(answer, Err(Error::NotFound(NotFound::Entry(seq))) if seq == entry.seq), "{answer:?}");
    split.reconnect();
    pass(secs(1)).await;
    lift().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_to_revoke_that_was_made_elsewhere_is_not_unknown_to_the_old_primary() {
    let split = Split::new(Settings::default()).await;
    let old = split.fail_over();
    split.a.rescind.rotate_keys().await.unwrap();
    let kid = split.a.rescind.rotate_keys().await.unwrap();
    let revoke = async || split.b.revoke_key(&kid, text("lost"), text("tester")).await;
    failed(&revoke().await);
    old.clear();
    pass(secs(1)).await;
    let answer = revoke().await;
    assert!(matches!(&answer, Err(Error::NotFound(NotFound::Key(unknown))) if *unknown == kid), "{answer:?}");
    split.reconnect();
    pass(secs(1)).await;
    revoke().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_to_revoke_is_not_said_by_the_old_primary() {
    let split = Split::new(Settings::default()).await;
    let lifted = split.a.login("bob").await;
    let entry = split.a.revoke(Scope::session(lifted.session_id)).await;
    pass(secs(4)).await;
    let old = split.fail_over();
    split.a.rescind.lift(entry.seq, text("a mistake"), text("tester")).await.unwrap();
    failed(&split.b.revoke_once(&lifted.refresh_token, text("x"), text("bob")).await);
    old.clear();
    pass(secs(1)).await;
    assert_eq!(split.b.revoke_once(&lifted.refresh_token, text("x"), text("bob")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_to_end_is_not_said_by_the_old_primary() {
    let split = Split::new(Settings { idle: secs(60), ..Settings::default() }).await;
    let used = split.b.open_session(crate::support::opening("alice")).await.unwrap();
    let lifted = split.a.login("bob").await;
    let entry = split.a.revoke(Scope::session(lifted.session_id)).await;
    pass(secs(4)).await;
    let _old = split.fail_over();
    split.a.rescind.lift(entry.seq, text("a mistake"), text("tester")).await.unwrap();
    let other = split.a.login("alice").await;
    failed(&split.b.logout(&lifted.refresh_token, LogoutScope::Session, text("bob")).await);
    split.reconnect();
    pass(secs(1)).await;
    let _old = split.fail_over();
    let late = split.a.login("carol").await;
    failed(&split.b.session(late.session_id).await);
    split.reconnect();
    pass(secs(1)).await;
    let _old = split.fail_over();
    let late = split.a.login("carol").await;
    failed(&split.b.end(late.session_id, LogoutScope::Session, text("carol")).await);
    split.reconnect();
    pass(secs(1)).await;
    let ended = split.b.logout(&used.refresh_token, LogoutScope::Others, text("alice")).await.unwrap();
    assert_eq!(ended.ended, [other.session_id]);
}

#[tokio::test(start_paused = true)]
async fn which_others_there_are_is_not_said_by_the_old_primary() {
    let split = Split::new(Settings::default()).await;
    let (this, early) = (split.a.login("alice").await, split.a.login("alice").await);
    pass(secs(1)).await;
    let (old, gate) = (split.fail_over(), Gate::new());
    let late = split.a.login("alice").await;
    old.inject(Operation::SessionsOf, Which::Nth(1), Fault::HangAfter(gate.clone()));
    let (b, token) = (split.b.clone(), this.refresh_token.clone());
    let ending = tokio::spawn(async move { b.logout(&token, LogoutScope::Others, text("alice")).await });
    gate.reached().await;
    // The list is on its way from the old one, and every write from now on goes to the new one.
    split.reconnect();
    pass(secs(1)).await;
    gate.release();
    let ended = ending.await.unwrap().unwrap();
    assert_eq!(ended.ended, [early.session_id, late.session_id]);
    assert_eq!(refused(split.refresh(&late).await), Rejection::Revoked(ScopeKind::Session));
    split.refresh(&this).await.unwrap();
}
