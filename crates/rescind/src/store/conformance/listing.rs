//! Cases: listing a subject's sessions.

use super::cases;
use super::stage::{Stage, of_subject};
use crate::id::SessionId;
use crate::log::Scope;
use crate::store::{Page, SessionPage};
use crate::testing::{new_session, sid, subject};

cases!(
    lists_a_subjects_sessions_newest_first,
    pages_through_all_sessions_once,
    a_page_continues_behind_a_session_that_is_gone,
    lists_dead_sessions_with_what_killed_them,
);

async fn page(stage: &Stage, name: &str, after: Option<SessionId>, limit: usize) -> SessionPage {
    stage.store.sessions_of(&subject(name), Page { after, limit }).await.unwrap()
}

fn ids(page: &SessionPage) -> Vec<SessionId> {
    page.sessions.iter().map(|loaded| loaded.session.id).collect()
}

async fn lists_a_subjects_sessions_newest_first(stage: Stage) {
    let nobody = page(&stage, "alice", None, 10).await;
    assert_eq!(nobody, SessionPage { sessions: Vec::new(), next: None });
    for n in [2, 5, 1, 4] {
        stage.open(new_session(n, "alice")).await;
    }
    stage.open(new_session(3, "Alice")).await;
    stage.open(new_session(6, "bob")).await;
    let all = page(&stage, "alice", None, usize::MAX).await;
    assert_eq!(ids(&all), [sid(5), sid(4), sid(2), sid(1)], "by id, not by the order of opening");
    assert_eq!(all.next, None);
    for loaded in &all.sessions {
        assert_eq!(*loaded, stage.load(loaded.session.id).await, "a listed session is as a loaded one");
    }
}

async fn pages_through_all_sessions_once(stage: Stage) {
    for n in 1..=9 {
        stage.open(new_session(n, if n % 4 == 0 { "bob" } else { "alice" })).await;
    }
    let every = [9, 7, 6, 5, 3, 2, 1].map(sid);
    for limit in 1..=8 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = page(&stage, "alice", after, limit).await;
            assert!(part.sessions.len() <= limit);
            seen.extend(ids(&part));
            if part.next.is_none() {
                break;
            }
            assert_eq!(part.next, seen.last().copied(), "a full page continues behind its last session");
            assert!(seen.len() < every.len(), "at the end there is no next page");
            after = part.next;
        }
        assert_eq!(seen, every, "in pages of {limit}");
    }
}

async fn a_page_continues_behind_a_session_that_is_gone(stage: Stage) {
    for n in [1, 2, 4, 5] {
        stage.open(new_session(n, "alice")).await;
    }
    stage.open(new_session(6, "bob")).await;
    assert_eq!(ids(&page(&stage, "alice", Some(sid(3)), 1).await), [sid(2)]);
    assert_eq!(ids(&page(&stage, "alice", Some(sid(6)), 1).await), [sid(5)], "behind a session of somebody else");
    assert_eq!(page(&stage, "alice", Some(sid(1)), 1).await, SessionPage { sessions: Vec::new(), next: None });
}

async fn lists_dead_sessions_with_what_killed_them(stage: Stage) {
    for n in 1..=3 {
        stage.open(new_session(n, "alice")).await;
    }
    let narrow = stage.cut(Scope::session(sid(2))).await;
    let wide = stage.cut(of_subject("alice")).await;
    let lifted = stage.cut(Scope::session(sid(1))).await;
    stage.lift(Scope::session(sid(1)), lifted).await;
    stage.open(new_session(4, "alice")).await;
    let last = stage.cut(Scope::session(sid(3))).await;
    stage.pass(60 * 60 * 24 * 2);
    let every = page(&stage, "alice", None, 10).await;
    assert_eq!(ids(&every), [4, 3, 2, 1].map(sid), "lapsed ones too");
    let covered: Vec<_> = every.sessions.iter().map(|loaded| loaded.cut_off.as_ref().map(|by| by.seq)).collect();
    assert!(narrow < wide);
    assert_eq!(covered, [None, Some(last), Some(wide), Some(wide)]);
}
