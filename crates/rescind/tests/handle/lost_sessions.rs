//! Sessions that the store has lost, as a replica does that lagged: their access tokens are as good as before, so it must
//! be possible to take them back.

use crate::support::cluster::{Answer, Cluster, Node, pass};
use crate::support::{House, ms, revocation, secs, text};
use rescind::id::SessionId;
use rescind::log::Scope;
use rescind::testing::{sid, subject};
use rescind::time::{Clock, Timestamp};
use rescind::{Error, LogoutScope, NotFound, TokenPair};

/// Two nodes, a session that the store has and one of the same user's that it lost.
async fn lost() -> (Node, Node, TokenPair, TokenPair) {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let kept = a.login("alice").await;
    pass(secs(4)).await;
    let replica = cluster.lagging();
    let lost = a.login("alice").await;
    a.revoke_subject("somebody").await;
    pass(secs(1)).await;
    cluster.promote(replica);
    pass(secs(1)).await;
    assert_eq!(both(&a, &b, &lost).await, [Answer::Valid; 2], "nobody is signed out");
    (a, b, kept, lost)
}

async fn both(a: &Node, b: &Node, pair: &TokenPair) -> [Answer; 2] {
    [a.check(pair).await, b.check(pair).await]
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_can_be_revoked_and_one_that_never_was_cannot() {
    let (a, b, kept, lost) = lost().await;
    b.revoke(Scope::session(lost.session_id)).await;
    pass(secs(1)).await;
    assert_eq!(both(&a, &b, &lost).await, [Answer::Refused; 2]);
    assert_eq!(both(&a, &b, &kept).await, [Answer::Valid; 2]);
    let never = a.rescind.revoke(revocation(Scope::session(sid(5)))).await;
    assert!(matches!(never, Err(Error::NotFound(NotFound::Session(_)))), "no token of it can live");
}

#[tokio::test(start_paused = true)]
async fn a_lost_session_logs_out_with_either_token_and_once() {
    for with_refresh in [false, true] {
        let (a, b, kept, lost) = lost().await;
        let token = if with_refresh { &lost.refresh_token } else { &lost.access_token };
        let first = a.rescind.logout(token, LogoutScope::Session, text("alice")).await.unwrap();
        assert_eq!(first.ended, [lost.session_id]);
        pass(secs(1)).await;
        assert_eq!(both(&a, &b, &lost).await, [Answer::Refused; 2]);
        assert_eq!(both(&a, &b, &kept).await, [Answer::Valid; 2]);
        let again = b.rescind.logout(token, LogoutScope::All, text("alice")).await.unwrap();
        assert_eq!((again.ended, again.seq), (Vec::new(), None), "it is dead, and has no say over the others");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_shows_an_access_token_of_a_lost_session_may_end_the_others() {
    for (scope, answer) in [(LogoutScope::Others, Answer::Valid), (LogoutScope::All, Answer::Refused)] {
        let (a, b, kept, lost) = lost().await;
        a.rescind.logout(&lost.access_token, scope, text("alice")).await.unwrap();
        pass(secs(1)).await;
        assert_eq!(both(&a, &b, &kept).await, [Answer::Refused; 2]);
        assert_eq!(both(&a, &b, &lost).await, [answer; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_of_a_lost_session_is_revoked_once() {
    let (a, b, _, lost) = lost().await;
    let revoke = || a.rescind.revoke_once(&lost.refresh_token, text("x"), text("alice"));
    assert!(revoke().await.unwrap().is_some());
    pass(secs(1)).await;
    assert_eq!(both(&a, &b, &lost).await, [Answer::Refused; 2]);
    assert_eq!(revoke().await.unwrap(), None);
}

#[tokio::test]
async fn a_session_that_the_store_does_not_have_may_be_lost_for_as_long_as_a_token_of_it_can_live() {
    let house = House::new().await;
    let now = house.clock.wall();
    // As long as a cut-off on all sessions of a user is remembered, which covers the oldest of them.
    let longest = house.revoke(Scope::Subject(subject("alice"))).await.remember_until.since(now);
    let of = |opened: Timestamp| {
        let version = 7_u128 << 76;
        SessionId::from_bytes((u128::from(opened.as_millis()) << 80 | version).to_be_bytes())
    };
    let day = secs(24 * 60 * 60);
    let known = [now.minus(longest), now.minus(longest).plus(ms(1)), now.plus(day), now.plus(day).plus(ms(1))];
    for (opened, may_be_lost) in known.into_iter().zip([false, true, true, false]) {
        let revoked = house.rescind.revoke(revocation(Scope::session(of(opened)))).await;
        assert_eq!(revoked.is_ok(), may_be_lost, "{opened:?} at {now:?}: {revoked:?}");
    }
}
