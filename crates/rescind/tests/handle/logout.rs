//! Logging out: here, the others, everywhere; with either token, an expired one, and twice.

use std::collections::BTreeSet;

use crate::support::{House, live_sessions, ms, refused, secs, text};
use rescind::log::{Scope, ScopeKind};
use rescind::refresh_token::ClientClass;
use rescind::session::NewSession;
use rescind::store::{Operation, Store};
use rescind::testing::{new_session, sid, subject};
use rescind::{Error, LogoutScope, Rejection, TokenPair};

async fn logout(house: &House, token: &str, scope: LogoutScope) -> rescind::LoggedOut {
    house.rescind.logout(token, scope, text("alice")).await.unwrap()
}

async fn four(house: &House) -> [TokenPair; 4] {
    [house.login("alice").await, house.login("alice").await, house.login("alice").await, house.login("bob").await]
}

// holds: R32
#[tokio::test]
async fn each_scope_ends_exactly_its_sessions_with_either_token() {
    for with_refresh in [false, true] {
        for (scope, ended) in [
            (LogoutScope::Session, [false, true, false, false]),
            (LogoutScope::Others, [true, false, true, false]),
            (LogoutScope::All, [true, true, true, false]),
        ] {
            let house = House::new().await;
            let pairs = four(&house).await;
            let token = if with_refresh { &pairs[1].refresh_token } else { &pairs[1].access_token };
            let answer = logout(&house, token, scope).await;
            let expected: BTreeSet<_> =
                pairs.iter().zip(ended).filter(|(_, ended)| *ended).map(|(pair, _)| pair.session_id).collect();
            assert_eq!(answer.ended.iter().copied().collect::<BTreeSet<_>>(), expected, "{scope:?}");
            assert!(answer.seq.is_some());
            for (pair, ended) in pairs.iter().zip(ended) {
                assert_eq!(house.lives(pair).await, (!ended, !ended), "{scope:?}, with refresh {with_refresh}");
            }
        }
    }
}

#[tokio::test]
async fn an_expired_access_token_still_ends_its_session() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.pass(secs(24 * 3600)).await;
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::Expired);
    assert_eq!(logout(&house, &pair.access_token, LogoutScope::Session).await.ended, [pair.session_id]);
    assert_eq!(house.lives(&pair).await, (false, false));
}

#[tokio::test]
async fn the_second_logout_finds_nothing_and_writes_nothing() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let other = house.login("alice").await;
    logout(&house, &pair.access_token, LogoutScope::Session).await;
    let appends = house.store.calls(Operation::Append);
    for scope in [LogoutScope::Session, LogoutScope::Others, LogoutScope::All] {
        for token in [&pair.access_token, &pair.refresh_token] {
            let again = logout(&house, token, scope).await;
            assert_eq!((again.ended, again.seq), (Vec::new(), None), "a dead session has no say over others");
        }
    }
    assert_eq!(house.store.calls(Operation::Append), appends);
    assert_eq!(house.lives(&other).await, (true, true));
}

#[tokio::test]
async fn a_spent_refresh_token_may_log_out_and_does_not_count_as_reuse() {
    let house = House::new().await;
    let first = house.login("alice").await;
    let second = house.refreshed(&first.refresh_token).await;
    house.pass(secs(60)).await;
    assert_eq!(logout(&house, &first.refresh_token, LogoutScope::Session).await.ended, [first.session_id]);
    assert_eq!(house.lives(&second).await, (false, false));
    assert_eq!(house.rescind.stats().counts.reused, 0);
}

#[tokio::test]
async fn others_leaves_this_one_whatever_there_is_and_twice_is_once() {
    let house = House::new().await;
    let alone = house.login("alice").await;
    let answer = logout(&house, &alone.access_token, LogoutScope::Others).await;
    assert_eq!((answer.ended.len(), answer.seq), (0, None));
    house.login("alice").await;
    assert_eq!(logout(&house, &alone.access_token, LogoutScope::Others).await.ended.len(), 1);
    assert_eq!(logout(&house, &alone.access_token, LogoutScope::Others).await.ended.len(), 0);
    assert_eq!(house.lives(&alone).await, (true, true));
}

#[tokio::test]
async fn others_ends_more_sessions_than_one_page_holds() {
    let house = House::new().await;
    // As many again are dead already: they are not ended twice.
    for n in 0..2500 {
        house.store.open(new_session(n, "alice")).await.unwrap();
    }
    house.revoke(Scope::Subject(subject("alice"))).await;
    for n in 2500..5000 {
        house.store.open(new_session(n, "alice")).await.unwrap();
    }
    house.clock.advance(secs(10));
    house.rescind.sync().await.unwrap();
    let this = house.login("alice").await;
    let answer = logout(&house, &this.access_token, LogoutScope::Others).await;
    assert_eq!(answer.ended.len(), 2500);
    assert_eq!(live_sessions(&house, "alice").await, [this.session_id]);
}

#[tokio::test]
async fn dead_sessions_make_no_list_dear_and_hide_none_from_a_logout_of_the_others() {
    let house = House::new().await;
    house.store.open(new_session(0, "alice")).await.unwrap();
    for n in 1..11_000 {
        house.store.open(NewSession { idle: secs(0), ..new_session(n, "alice") }).await.unwrap();
    }
    house.pass(secs(1)).await;
    let this = house.login("alice").await;
    let before = house.store.calls(Operation::SessionsOf);
    assert_eq!(live_sessions(&house, "alice").await, [this.session_id]);
    assert_eq!(house.store.calls(Operation::SessionsOf) - before, 50);
    assert_eq!(logout(&house, &this.access_token, LogoutScope::Others).await.ended.last(), Some(&sid(0)));
}

// holds: R17
#[tokio::test]
async fn a_login_after_everywhere_lives_in_the_same_millisecond() {
    let house = House::new().await;
    let mut before = house.login("alice").await;
    for _ in 0..20 {
        logout(&house, &before.access_token, LogoutScope::All).await;
        let after = house.login("alice").await;
        assert_eq!(house.lives(&before).await, (false, false));
        assert_eq!(house.lives(&after).await, (true, true));
        before = after;
    }
}

#[tokio::test]
async fn an_access_token_that_outlives_the_idle_time_of_its_session_is_still_taken_back() {
    let house = House::set(|settings| (settings.idle, settings.access_jitter) = (secs(300), 0)).await;
    for scope in [LogoutScope::Session, LogoutScope::All] {
        let pair = house.login("alice").await;
        house.pass(secs(400)).await;
        assert_eq!(house.lives(&pair).await, (true, false));
        logout(&house, &pair.access_token, scope).await;
        assert_eq!(house.lives(&pair).await, (false, false), "{scope:?}");
    }
    let idle = house.login("alice").await;
    house.pass(secs(400)).await;
    let this = house.login("alice").await;
    logout(&house, &this.access_token, LogoutScope::Others).await;
    assert_eq!(house.lives(&idle).await, (false, false));
    assert_eq!(house.lives(&this).await, (true, true));
}

// holds: R18
#[tokio::test]
async fn a_token_within_its_leeway_after_the_absolute_end_is_still_taken_back() {
    let house = House::set(|settings| {
        (settings.absolute, settings.leeway, settings.access_jitter) = (secs(900), secs(60), 0);
    })
    .await;
    let pair = house.login("alice").await;
    house.pass(secs(930)).await;
    assert_eq!(house.lives(&pair).await, (true, false));
    logout(&house, &pair.access_token, LogoutScope::Session).await;
    assert_eq!(house.lives(&pair).await, (false, false));
}

#[tokio::test]
async fn a_session_long_over_has_nothing_to_end_and_no_say() {
    let house = House::set(|settings| settings.idle = secs(3600)).await;
    let old = house.login("alice").await;
    house.pass(secs(3 * 3600)).await;
    let this = house.login("alice").await;
    for scope in [LogoutScope::Session, LogoutScope::Others, LogoutScope::All] {
        let answer = logout(&house, &old.access_token, scope).await;
        assert_eq!((answer.ended, answer.seq), (Vec::new(), None));
    }
    assert_eq!(house.lives(&this).await, (true, true));
}

#[tokio::test]
async fn a_token_revoked_by_its_name_ends_its_session_but_not_the_others() {
    let house = House::new().await;
    let (stolen, other) = (house.login("alice").await, house.login("alice").await);
    house.rescind.revoke_presented(&stolen.access_token, text("stolen"), text("operator")).await.unwrap();
    for scope in [LogoutScope::Others, LogoutScope::All] {
        let answer = house.rescind.logout(&stolen.access_token, scope, text("thief")).await;
        assert_eq!(refused(answer), Rejection::Revoked(ScopeKind::Token), "{scope:?}");
    }
    assert_eq!((house.lives(&other).await, house.lives(&stolen).await), ((true, true), (false, true)));
    assert_eq!(logout(&house, &stolen.access_token, LogoutScope::Session).await.ended, [stolen.session_id]);
    assert_eq!(house.lives(&stolen).await, (false, false));
}

#[tokio::test]
async fn a_session_that_the_store_does_not_know_has_nothing_to_end() {
    let house = House::new().await;
    let answer = house.rescind.end(sid(9), LogoutScope::All, text("t")).await.unwrap();
    assert_eq!((answer.ended, answer.seq), (Vec::new(), None));
}

#[tokio::test]
async fn a_forged_token_ends_nothing() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    let mut forged = pair.access_token.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    assert_eq!(refused(house.rescind.logout(&forged, LogoutScope::All, text("t")).await), Rejection::BadSignature);
    assert_eq!(house.lives(&pair).await, (true, true));
}

// holds: 33, R23
#[tokio::test]
async fn a_logout_that_the_store_did_not_take_is_no_logout() {
    let house = House::new().await;
    let pair = house.login("alice").await;
    house.store.down();
    for scope in [LogoutScope::Session, LogoutScope::Others, LogoutScope::All] {
        let failed = house.rescind.logout(&pair.access_token, scope, text("t")).await;
        assert!(matches!(failed, Err(Error::Store(_))), "{scope:?}");
    }
    house.store.up();
    house.pass(ms(1)).await;
    assert_eq!(house.lives(&pair).await, (true, true));
}

#[tokio::test]
async fn a_fixed_class_logs_out_like_any_other() {
    let house = House::new().await;
    let pair = house.login_as("alice", ClientClass::Fixed).await;
    logout(&house, &pair.refresh_token, LogoutScope::Session).await;
    assert_eq!(house.lives(&pair).await, (false, false));
}
