//! Cases: opening, loading and advancing a session.

use std::time::Duration;

use super::cases;
use super::stage::{Stage, hostile_names, of_subject};
use crate::id::KeyId;
use crate::log::{ForeignName, Scope, SessionRef};
use crate::position::{Generation, Seq};
use crate::refresh_token::ClientClass;
use crate::session::{NewSession, Session};
use crate::store::{Advance, StoreErrorKind};
use crate::testing::{client, jti, new_session, sid, subject};
use crate::time::Timestamp;

cases!(
    opens_at_the_head_and_the_stores_time,
    keeps_every_field_of_a_session,
    keeps_sessions_of_hostile_names_apart,
    refuses_a_session_id_twice,
    loads_nothing_where_there_is_no_session,
    a_later_cut_off_covers_and_an_earlier_does_not,
    the_highest_cut_off_of_a_sessions_scopes_covers,
    foreign_scopes_do_not_cover,
    a_lifted_cut_off_does_not_cover,
    advances_only_from_the_generation_that_stands,
    advances_in_place_and_far_ahead,
    does_not_judge_whether_a_session_lives,
);

async fn opens_at_the_head_and_the_stores_time(stage: Stage) {
    let opened = stage.open(new_session(1, "alice")).await;
    assert_eq!(opened, Session::open(new_session(1, "alice"), Seq::ZERO, stage.now()), "in an empty store");
    let head = stage.cut(of_subject("bob")).await;
    stage.pass(7);
    let opened = stage.open(new_session(2, "alice")).await;
    assert_eq!(opened, Session::open(new_session(2, "alice"), head, stage.now()));
    stage.pass(1);
    let loaded = stage.load(sid(2)).await;
    assert_eq!((loaded.session, loaded.cut_off, loaded.now), (opened, None, stage.now()));
}

async fn keeps_every_field_of_a_session(stage: Stage) {
    for (n, class) in (1..).zip(ClientClass::EVERY) {
        let new = NewSession {
            class,
            auth_time: Some(stage.now().minus(Duration::from_millis(1))),
            idle: Duration::from_millis(1),
            absolute: Duration::from_hours(24 * 365 * 100),
            device: Some("Ada’s 🦀 'phone' \"x\"\n".to_owned()),
            scope: Some("read write".to_owned()),
            claims: Some(r#"{"a":"\u0000 ü","b":[1e400,{}]}"#.to_owned()),
            ..new_session(n, "alice")
        };
        let opened = stage.open(new.clone()).await;
        assert_eq!(opened, Session::open(new, Seq::ZERO, stage.now()));
        assert_eq!(stage.load(sid(n)).await.session, opened);
    }
    let empty = NewSession {
        auth_time: Some(Timestamp::EPOCH),
        device: Some(String::new()),
        scope: Some(String::new()),
        claims: Some(String::new()),
        ..new_session(9, "alice")
    };
    let opened = stage.open(empty).await;
    assert_eq!(opened.device.as_deref(), Some(""), "an empty text is not an absent one");
    assert_eq!(stage.load(sid(9)).await.session, opened);
}

async fn keeps_sessions_of_hostile_names_apart(stage: Stage) {
    let names = hostile_names();
    for (n, name) in (1..).zip(&names) {
        stage.open(NewSession { client: client(name), ..new_session(n, name) }).await;
    }
    for (n, name) in (1..).zip(&names) {
        let session = stage.load(sid(n)).await.session;
        assert_eq!((session.subject, session.client), (subject(name), client(name)));
    }
    for (n, name) in (1..).zip(&names) {
        let seq = stage.cut(of_subject(name)).await;
        assert_eq!(stage.covered(sid(n)).await, Some(seq), "{name:?}");
        // The names that come later in the list are not cut yet: one that is covered was mistaken for this one.
        for (later, other) in (1..).zip(&names).skip(usize::try_from(n).unwrap()) {
            assert_eq!(stage.covered(sid(later)).await, None, "a cut-off on {name:?} covers {other:?}");
        }
    }
}

// holds: R27
async fn refuses_a_session_id_twice(stage: Stage) {
    let first = stage.open(new_session(1, "alice")).await;
    stage.pass(1);
    let error = stage.store.open(new_session(1, "mallory")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    assert_eq!(stage.load(sid(1)).await.session, first, "the first row stays");
    stage.open(new_session(2, "alice")).await;
}

async fn loads_nothing_where_there_is_no_session(stage: Stage) {
    assert_eq!(stage.store.load(sid(1)).await.unwrap(), None);
    stage.open(new_session(1, "alice")).await;
    stage.cut(Scope::session(sid(2))).await;
    assert_eq!(stage.store.load(sid(2)).await.unwrap(), None, "a cut-off makes no session");
}

async fn a_later_cut_off_covers_and_an_earlier_does_not(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    stage.pass(1);
    let seq = stage.cut(of_subject("alice")).await;
    let at = stage.now();
    stage.pass(1);
    let reopened = stage.open(new_session(2, "alice")).await;
    assert_eq!(reopened.position, seq, "opened at the cut-off's own position, it is after it");
    let cut_off = stage.load(sid(1)).await.cut_off.expect("the earlier session is covered");
    assert_eq!((cut_off.scope, cut_off.seq, cut_off.at), (of_subject("alice"), seq, at));
    assert_eq!(stage.covered(sid(2)).await, None);
    let seq = stage.cut(of_subject("alice")).await;
    assert_eq!((stage.covered(sid(1)).await, stage.covered(sid(2)).await), (Some(seq), Some(seq)));
}

async fn the_highest_cut_off_of_a_sessions_scopes_covers(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let scopes = [Scope::session(sid(1)), of_subject("alice"), Scope::Client(client("app")), Scope::All];
    for scope in scopes.iter().chain(scopes.iter().rev()) {
        let seq = stage.cut(scope.clone()).await;
        let cut_off = stage.load(sid(1)).await.cut_off.expect("covered");
        assert_eq!((&cut_off.scope, cut_off.seq), (scope, seq), "the newest of several");
    }
    let late = stage.open(new_session(2, "alice")).await;
    assert_eq!(stage.covered(late.id).await, None);
}

async fn foreign_scopes_do_not_cover(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let foreign = ForeignName::new("https://idp.example", &sid(1).to_string()).unwrap();
    for scope in [
        Scope::session(sid(2)),
        Scope::Session(SessionRef::Foreign(foreign)),
        Scope::token(jti(1)),
        of_subject("app"),
        of_subject(&sid(1).to_string()),
        Scope::Client(client("alice")),
        Scope::Key(KeyId::new("alice").unwrap()),
        Scope::Key(KeyId::new("app").unwrap()),
    ] {
        stage.cut(scope.clone()).await;
        assert_eq!(stage.covered(sid(1)).await, None, "{scope}");
    }
}

async fn a_lifted_cut_off_does_not_cover(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let wide = stage.cut(Scope::All).await;
    let first = stage.cut(of_subject("alice")).await;
    let second = stage.cut(of_subject("alice")).await;
    assert!(first < second);
    stage.lift(of_subject("alice"), second).await;
    assert_eq!(stage.covered(sid(1)).await, Some(wide), "a lift ends all earlier ones on its scope, and no other");
    stage.lift(Scope::All, wide).await;
    assert_eq!(stage.covered(sid(1)).await, None);
    let again = stage.cut(of_subject("alice")).await;
    assert_eq!(stage.covered(sid(1)).await, Some(again));
}

async fn advances_only_from_the_generation_that_stands(stage: Stage) {
    assert_eq!(stage.advance(sid(1), 0, 1).await, Advance::Stale, "no such session");
    let opened = stage.open(new_session(1, "alice")).await;
    stage.open(new_session(2, "alice")).await;
    stage.pass(5);
    assert_eq!(stage.advance(sid(1), 0, 1).await, Advance::Advanced(stage.now()));
    let moved = Session { generation: Generation::new(1), rotated_at: stage.now(), ..opened };
    assert_eq!(stage.load(sid(1)).await.session, moved);
    stage.pass(5);
    for (from, to) in [(0, 1), (0, 2), (2, 3), (0, 0), (u64::from(u32::MAX), 2)] {
        assert_eq!(stage.advance(sid(1), from, to).await, Advance::Stale, "{from} to {to}");
    }
    assert_eq!(stage.load(sid(1)).await.session, moved, "a stale one writes nothing");
    assert_eq!(stage.load(sid(2)).await.session.generation, Generation::FIRST, "nor does it touch another");
}

async fn advances_in_place_and_far_ahead(stage: Stage) {
    let opened = stage.open(new_session(1, "alice")).await;
    stage.pass(3);
    assert_eq!(stage.advance(sid(1), 0, 0).await, Advance::Advanced(stage.now()));
    let used = stage.load(sid(1)).await.session;
    assert_eq!(used, Session { rotated_at: stage.now(), ..opened }, "used without a rotation");
    let far = 1 << 40;
    assert_eq!(stage.advance(sid(1), 0, far).await, Advance::Advanced(stage.now()));
    assert_eq!(stage.advance(sid(1), far, far + 1).await, Advance::Advanced(stage.now()));
    assert_eq!(stage.load(sid(1)).await.session.generation, Generation::new(far + 1));
}

async fn does_not_judge_whether_a_session_lives(stage: Stage) {
    let opened = stage.open(new_session(1, "alice")).await;
    stage.cut(Scope::session(sid(1))).await;
    stage.pass(60 * 60 * 24 * 7);
    assert!(opened.lapsed(stage.now()).is_some());
    assert_eq!(stage.advance(sid(1), 0, 1).await, Advance::Advanced(stage.now()), "policy is the engine's");
    assert!(stage.load(sid(1)).await.cut_off.is_some());
}
