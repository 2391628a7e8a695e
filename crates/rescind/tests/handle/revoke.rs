//! Revoking and lifting on all six scopes, and what cannot be revoked or lifted.

use crate::support::{House, opening, refused, revocation, secs, text};
use rescind::log::{Act, Scope, ScopeKind};
use rescind::position::Seq;
use rescind::store::{Operation, Store};
use rescind::testing::{client, jti, subject};
use rescind::{Error, Kind, NotFound, OpenSession, Rejection, TokenPair};

/// The scope of a kind that covers a pair.
fn scope_of(house: &House, kind: ScopeKind, pair: &TokenPair) -> Scope {
    match kind {
        ScopeKind::Token => Scope::token(house.rescind.verify(&pair.access_token).unwrap().jti()),
        ScopeKind::Session => Scope::session(pair.session_id),
        ScopeKind::Subject => Scope::Subject(subject("alice")),
        ScopeKind::Client => Scope::Client(client("app")),
        ScopeKind::Key => Scope::Key(house.current_kid()),
        ScopeKind::All => Scope::All,
    }
}

async fn other(house: &House) -> TokenPair {
    house.rescind.open_session(OpenSession::new(subject("bob"), client("tool"))).await.unwrap()
}

#[tokio::test]
async fn revoke_lift_and_revoke_again_on_every_scope_that_can_be_lifted() {
    for kind in [ScopeKind::Token, ScopeKind::Session, ScopeKind::Subject, ScopeKind::Client, ScopeKind::All] {
        let house = House::new().await;
        let (pair, other) = (house.login("alice").await, other(&house).await);
        let scope = scope_of(&house, kind, &pair);
        let covers_refresh = kind != ScopeKind::Token;
        let covers_other = kind == ScopeKind::All;
        for _ in 0..3 {
            let entry = house.revoke(scope.clone()).await;
            assert_eq!((&entry.scope, entry.act), (&scope, Act::CutOff));
            assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Revoked(kind));
            assert_eq!(house.lives(&pair).await, (false, !covers_refresh), "{kind}");
            assert_eq!(house.lives(&other).await, (!covers_other, !covers_other), "{kind}");
            let lifted = house.rescind.lift(entry.seq, text("a mistake"), text("operator")).await.unwrap();
            assert_eq!((lifted.act, lifted.seq), (Act::Lift { of: entry.seq }, entry.seq.next()));
            assert_eq!(house.lives(&pair).await, (true, true), "{kind} lifted");
            assert_eq!(house.lives(&other).await, (true, true));
        }
        house.revoke(scope).await;
        assert_eq!(house.lives(&pair).await, (false, !covers_refresh));
        let counts = house.rescind.stats().counts;
        assert_eq!((counts.revoked, counts.lifted), (4, 3));
    }
}

#[tokio::test]
async fn lifting_the_cut_off_on_a_key_brings_the_key_not_back() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let scope = scope_of(&house, ScopeKind::Key, &pair);
    let entry = house.revoke(scope.clone()).await;
    house.rescind.lift(entry.seq, text("a mistake"), text("operator")).await.unwrap();
    // The private part is gone, so there is nothing to bring back: only the log's word is lifted.
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::KeyRevoked);
    assert!(!house.rescind.jwks().contains(&scope.id()));
}

// holds: R31
#[tokio::test]
async fn a_cut_off_kills_what_was_issued_before_it_and_nothing_after() {
    let house = House::new().await;
    for kind in [ScopeKind::Subject, ScopeKind::Client, ScopeKind::All] {
        let before = house.login("alice").await;
        let scope = scope_of(&house, kind, &before);
        house.revoke(scope).await;
        let after = house.login("alice").await;
        assert_eq!(house.lives(&before).await, (false, false));
        assert_eq!(house.lives(&after).await, (true, true), "{kind}");
    }
}

#[tokio::test]
async fn only_the_newest_entry_of_a_scope_can_be_lifted_and_the_refusal_names_it() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let first = house.revoke(Scope::session(pair.session_id)).await;
    let second = house.revoke(Scope::session(pair.session_id)).await;
    let lift = |seq| house.rescind.lift(seq, text("x"), text("operator"));
    let Err(Error::Conflict { newest }) = lift(first.seq).await else { panic!("an older cut-off is not lifted") };
    assert_eq!(*newest.unwrap(), second);
    let lifted = lift(second.seq).await.unwrap();
    for seq in [first.seq, second.seq, lifted.seq] {
        let Err(Error::Conflict { newest }) = lift(seq).await else { panic!("nothing is left to lift at {seq}") };
        assert_eq!(*newest.unwrap(), lifted);
    }
    assert!(matches!(lift(Seq::new(99)).await, Err(Error::NotFound(NotFound::Entry(_)))));
    assert!(matches!(lift(Seq::ZERO).await, Err(Error::NotFound(NotFound::Entry(_)))));
    assert!(matches!(lift(Seq::new(u64::MAX)).await, Err(Error::NotFound(NotFound::Entry(_)))));
    assert_eq!(house.lives(&pair).await, (true, true));
}

#[tokio::test]
async fn a_lift_on_one_scope_leaves_the_others() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let session = house.revoke(Scope::session(pair.session_id)).await;
    let user = house.revoke(Scope::Subject(subject("alice"))).await;
    house.rescind.lift(user.seq, text("x"), text("o")).await.unwrap();
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Revoked(ScopeKind::Session));
    house.rescind.lift(session.seq, text("x"), text("o")).await.unwrap();
    assert_eq!(house.lives(&pair).await, (true, true));
}

/// A session of which no token can live. A younger one that is not in the store may be lost there.
fn long_ago() -> rescind::id::SessionId {
    "0198c0de-0000-7000-8000-00000000abcd".parse().unwrap()
}

#[tokio::test]
async fn what_is_not_there_cannot_be_revoked() {
    let house = House::new().await;
    let session = house.rescind.revoke(revocation(Scope::session(long_ago()))).await;
    assert!(matches!(session, Err(Error::NotFound(NotFound::Session(_)))));
    let key = house.rescind.revoke(revocation(Scope::parse(ScopeKind::Key, "nope").unwrap())).await;
    assert!(matches!(key, Err(Error::NotFound(NotFound::Key(_)))));
    // Token names are not kept, and a subject may sign in later: both are taken at their word.
    house.revoke(Scope::token(jti(5))).await;
    house.revoke(Scope::Subject(subject("nobody"))).await;
    assert_eq!(house.rescind.stats().applied, Seq::new(2));
}

#[tokio::test]
async fn several_scopes_are_cut_off_together_or_not_at_all() {
    let house = House::new().await;
    let (one, two) = (house.login("alice").await, house.login("bob").await);
    let both = |a, b| vec![revocation(a), revocation(b)];
    let failed = house.rescind.revoke_all(both(Scope::session(one.session_id), Scope::session(long_ago()))).await;
    assert!(matches!(failed, Err(Error::NotFound(_))));
    assert_eq!(house.lives(&one).await, (true, true));
    let kid = house.current_kid();
    for unknown in [Scope::session(long_ago()), Scope::parse(ScopeKind::Key, "nope").unwrap()] {
        let failed = house.rescind.revoke_all(both(Scope::Key(kid.clone()), unknown)).await;
        assert!(matches!(failed, Err(Error::NotFound(_))));
        assert_eq!((house.lives(&one).await, house.current_kid()), ((true, true), kid.clone()), "the key stays");
    }
    let done = house.rescind.revoke_all(both(Scope::session(one.session_id), Scope::Subject(subject("bob")))).await;
    assert_eq!(done.unwrap().len(), 2);
    assert_eq!((house.lives(&one).await, house.lives(&two).await), ((false, false), (false, false)));
    assert!(house.rescind.revoke_all(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_presented_access_token_is_revoked_alone_and_a_refresh_token_with_its_session() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    let present = |token: String| {
        let rescind = house.rescind.clone();
        async move { rescind.revoke_presented(&token, text("revoked"), text("app")).await }
    };
    assert_eq!(present(first.access_token.clone()).await.unwrap().scope.kind(), ScopeKind::Token);
    assert_eq!(house.lives(&second).await, (true, true));
    assert_eq!(refused(house.check(&first.access_token).await), Rejection::Revoked(ScopeKind::Token));
    house.pass(secs(3600)).await;
    assert!(present(second.access_token.clone()).await.is_ok(), "an expired one is taken, too");
    assert_eq!(present(first.refresh_token).await.unwrap().scope, Scope::session(second.session_id));
    refused(house.refresh(&second.refresh_token).await);
    for junk in ["", "rrt_x", "a.b.c"] {
        refused(present(junk.to_owned()).await);
    }
}

#[tokio::test]
async fn the_client_of_an_authentic_token_is_told_whatever_its_age() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    house.refreshed(&second.refresh_token).await;
    house.pass(secs(3600)).await;
    house.revoke(Scope::All).await;
    for token in [&first.access_token, &first.refresh_token, &second.access_token, &second.refresh_token] {
        assert_eq!(house.rescind.client_of(token).await.unwrap(), Some(client("app")));
    }
    let (head, _) = first.access_token.rsplit_once('.').unwrap();
    for forged in ["", "rrt_x", "a.b.c", &format!("{head}.AAAA"), &second.refresh_token.to_lowercase()] {
        assert_eq!(house.rescind.client_of(forged).await.unwrap(), None, "{forged}");
    }
}

#[tokio::test]
async fn one_token_revoked_again_and_again_writes_one_entry() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let once = async |token: &str| house.rescind.revoke_once(token, text("revoked"), text("app")).await.unwrap();
    for (token, lives) in [(&pair.access_token, (false, true)), (&pair.refresh_token, (false, false))] {
        let entry = once(token).await.unwrap();
        assert_eq!(house.lives(&pair).await, lives);
        for _ in 0..3 {
            assert_eq!(once(token).await, None);
        }
        // Once it was lifted there is something to cut off again.
        house.rescind.lift(entry.seq, text("a mistake"), text("operator")).await.unwrap();
        assert!(once(token).await.is_some());
    }
    assert_eq!(house.rescind.stats().applied, Seq::new(6));
}

#[tokio::test]
async fn what_a_wider_cut_off_covers_is_revoked_by_its_own_name_since_that_may_be_lifted() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let wide = house.revoke(Scope::Subject(subject("alice"))).await;
    for token in [&pair.access_token, &pair.refresh_token] {
        assert!(house.rescind.revoke_once(token, text("revoked"), text("app")).await.unwrap().is_some());
    }
    house.rescind.lift(wide.seq, text("a mistake"), text("operator")).await.unwrap();
    assert_eq!(house.lives(&pair).await, (false, false));
}

#[tokio::test]
async fn of_a_token_that_passes_nowhere_any_more_nothing_is_left_to_revoke() {
    let house = House::set(|settings| settings.idle = secs(3600)).await;
    let pair = house.login("alice").await;
    let once = async |token: &str| house.rescind.revoke_once(token, text("revoked"), text("app")).await.unwrap();
    house.pass(secs(24 * 3600)).await;
    assert_eq!(once(&pair.access_token).await, None);
    assert_eq!(once(&pair.refresh_token).await, None, "long over");
    house.clock.advance(secs(60 * 24 * 3600));
    let now = house.store.health().await.unwrap().now;
    assert_eq!(house.store.sweep(now, 10).await.unwrap().sessions, 1);
    assert_eq!(once(&pair.refresh_token).await, None, "swept");
    assert_eq!(house.store.calls(Operation::Append), 0);
}

#[tokio::test]
async fn inspect_says_why_a_token_would_be_refused_now() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let good = house.rescind.inspect(&pair.access_token).await;
    assert_eq!((good.kind, good.refused, good.fault), (Kind::Access, None, None));
    assert_eq!(good.claims.unwrap()["sub"], "alice");
    let entry = house.revoke(Scope::Subject(subject("alice"))).await;
    for token in [&pair.access_token, &pair.refresh_token] {
        let bad = house.rescind.inspect(token).await;
        assert_eq!(bad.refused, Some(Rejection::Revoked(ScopeKind::Subject)));
        assert_eq!(bad.cut_off.as_ref(), Some(&entry));
        assert!(bad.explanation.contains("subject alice") && bad.explanation.contains("tester"), "{}", bad.explanation);
    }
    for junk in ["", "abc", "rrt_", &".".repeat(20_000)] {
        assert!(house.rescind.inspect(junk).await.refused.is_some(), "{junk:?}");
    }
}

// holds: 38, 39
#[tokio::test]
async fn introspection_tells_only_of_good_tokens_and_spends_nothing() {
    use rescind::Introspection::{Access, Inactive, Refresh};
    let house = House::new().await;
    let pair = house.rescind.open_session(opening("alice")).await.unwrap();
    let look = async |token: &str| house.rescind.introspect(token).await.unwrap();
    assert!(matches!(look(&pair.access_token).await, Access(live) if live.subject() == &subject("alice")));
    assert!(matches!(look(&pair.refresh_token).await, Refresh(session) if session.id == pair.session_id));
    house.refreshed(&pair.refresh_token).await;
    house.pass(secs(11)).await;
    assert!(matches!(look(&pair.refresh_token).await, Inactive), "spent");
    assert_eq!(house.lives(&pair).await, (true, false), "looking is not reuse");
    house.revoke(Scope::All).await;
    for token in [pair.access_token.as_str(), "", "junk", "rrt_"] {
        assert!(matches!(look(token).await, Inactive));
    }
}
