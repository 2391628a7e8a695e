//! Cases: appending to the log.

use std::time::Duration;

use super::cases;
use super::stage::{Stage, assert_chained, hostile_names, of_subject};
use crate::id::KeyId;
use crate::log::{Act, ChainTag, Entry, ForeignName, NewEntry, Scope, SessionRef, Text, TokenRef};
use crate::position::Seq;
use crate::store::Appended;
use crate::testing::{client, cut_off, jti, lift, new_session, sid, subject};
use crate::time::Timestamp;

cases!(
    an_empty_log_stands_before_position_one,
    positions_are_contiguous_across_batches,
    an_empty_append_changes_nothing,
    keeps_every_field_of_an_entry,
    keeps_scopes_of_hostile_names_apart,
    a_conflict_inside_a_batch_writes_nothing_of_it,
    a_large_batch_is_one_batch,
    an_entry_is_never_before_its_predecessor_though_the_clock_stepped_back,
    an_entry_is_remembered_no_shorter_than_the_one_that_it_supersedes,
);

async fn an_empty_log_stands_before_position_one(stage: Stage) {
    let head = stage.head().await;
    assert_eq!((head.seq, head.tag, head.now), (Seq::ZERO, ChainTag::genesis(head.incarnation), stage.now()));
    assert_eq!(stage.log().await, []);
    assert_eq!(stage.active().await, []);
}

async fn positions_are_contiguous_across_batches(stage: Stage) {
    let mut expected = Vec::new();
    let mut seq = Seq::ZERO;
    for size in [1, 3, 1, 20, 2] {
        let new: Vec<_> = (0..size).map(|n| cut_off(of_subject(&format!("user {n}")))).collect();
        let stored = stage.append(new.clone()).await;
        let placed: Vec<_> = new
            .into_iter()
            .map(|new| {
                seq = seq.next();
                Entry::new(seq, stage.now(), Timestamp::EPOCH, new)
            })
            .collect();
        assert_eq!(stored, placed, "as stored: in the order given, at the next positions, at the store's time");
        expected.extend(placed);
        stage.pass(1);
    }
    assert_eq!(stage.log().await, expected);
    assert_eq!(stage.head().await.seq, seq);
}

async fn an_empty_append_changes_nothing(stage: Stage) {
    stage.cut(Scope::All).await;
    let before = stage.head().await;
    assert_eq!(stage.store.append(Vec::new()).await.unwrap(), Appended::Done(Vec::new()));
    assert_eq!(stage.head().await, before);
}

async fn keeps_every_field_of_an_entry(stage: Stage) {
    let text = |text: &str| Text::new(text).unwrap();
    let entries: Vec<_> = [
        ("x", "y", 0),
        ("lost 'phone'; --", "admin \"root\"", 1),
        ("🦀 é e\u{301}", "日本", LAST_MILLI),
        (&"r".repeat(200), &"🦀".repeat(200), 1_800_000_000_123),
    ]
    .into_iter()
    .zip(scopes("it's"))
    .map(|((reason, actor, until), scope)| NewEntry {
        scope,
        act: Act::CutOff,
        reason: text(reason),
        actor: text(actor),
        remember_until: Timestamp::from_millis(until),
    })
    .collect();
    let stored = stage.append(entries.clone()).await;
    assert_eq!(stage.log().await, stored);
    for (stored, new) in stored.into_iter().zip(entries) {
        assert_eq!(stored, Entry::new(stored.seq, stage.now(), Timestamp::EPOCH, new));
    }
}

/// The last millisecond that a signed 64-bit column can hold: "for ever".
const LAST_MILLI: u64 = i64::MAX.unsigned_abs();

/// One scope of every kind that takes a name, each with this one, and those of foreign issuers.
fn scopes(name: &str) -> Vec<Scope> {
    let foreign = ForeignName::new("https://idp.example", name).unwrap();
    vec![
        Scope::Subject(subject(name)),
        Scope::Client(client(name)),
        Scope::Key(KeyId::new(name).unwrap()),
        Scope::Token(TokenRef::Foreign(foreign.clone())),
        Scope::Session(SessionRef::Foreign(foreign)),
    ]
}

async fn keeps_scopes_of_hostile_names_apart(stage: Stage) {
    let mut every: Vec<_> = hostile_names().iter().flat_map(|name| scopes(name)).collect();
    every.extend([Scope::token(jti(1)), Scope::session(sid(1)), Scope::All]);
    let issuer = format!("https://{}.example", "i".repeat(500));
    let longest = ForeignName::new(&issuer, &"n".repeat(1023 - issuer.len())).unwrap();
    every.push(Scope::Token(TokenRef::Foreign(longest)));
    stage.append(every.iter().cloned().map(cut_off).collect()).await;
    let log: Vec<_> = stage.log().await.into_iter().map(|entry| entry.scope).collect();
    assert_eq!(log, every);
    let active: Vec<_> = stage.active().await.into_iter().map(|cut_off| cut_off.scope).collect();
    assert_eq!(active, every, "each scope has a state of its own");
    for (seq, scope) in (1..).map(Seq::new).zip(every) {
        stage.lift(scope, seq).await;
    }
    assert_eq!(stage.active().await, []);
}

async fn a_conflict_inside_a_batch_writes_nothing_of_it(stage: Stage) {
    stage.open(new_session(1, "alice")).await;
    let seq = stage.cut(of_subject("bob")).await;
    let before = (stage.head().await, stage.log().await, stage.active().await);
    let batch = |wrong| vec![cut_off(of_subject("alice")), wrong, cut_off(Scope::All)];
    stage.refused(batch(lift(of_subject("carol"), seq))).await;
    stage.refused(batch(lift(of_subject("bob"), seq.next()))).await;
    stage.refused(vec![cut_off(Scope::All), cut_off(of_subject("alice")), lift(of_subject("bob"), Seq::ZERO)]).await;
    assert_eq!((stage.head().await, stage.log().await, stage.active().await), before);
    assert_eq!(stage.covered(sid(1)).await, None);
    let next = stage.append(batch(lift(of_subject("bob"), seq))).await;
    assert_eq!(next.first().map(|entry| entry.seq), Some(seq.next()), "a refused batch uses no position up");
}

async fn a_large_batch_is_one_batch(stage: Stage) {
    let stored = stage.append((0..2_500).map(|n| cut_off(Scope::token(jti(n)))).collect()).await;
    assert_eq!(stored.len(), 2_500);
    let batch = stage.batch(Seq::ZERO, 3_000).await;
    assert_chained(&batch, Seq::ZERO);
    assert_eq!(batch.entries, stored);
}

async fn an_entry_is_never_before_its_predecessor_though_the_clock_stepped_back(stage: Stage) {
    let [first] = stage.append(vec![cut_off(of_subject("before"))]).await.try_into().unwrap();
    stage.clock.step_wall(first.at.minus(Duration::from_hours(24)));
    let new = cut_off(of_subject("after"));
    let [second] = stage.append(vec![new.clone()]).await.try_into().unwrap();
    assert_eq!(second.at, first.at);
    let longer = new.remember_until.plus(Duration::from_hours(24));
    assert_eq!(second.remember_until, longer, "remembered longer by as much as the clock was behind");
    let found = stage.store.snapshot(first.at).await.unwrap().cut_offs;
    assert_eq!(found.len(), 2, "whoever asks from the first on gets the second");
}

async fn an_entry_is_remembered_no_shorter_than_the_one_that_it_supersedes(stage: Stage) {
    let until = |hours| stage.now().plus(Duration::from_hours(hours));
    let on = |hours| NewEntry { remember_until: until(hours), ..cut_off(of_subject("alice")) };
    stage.append(vec![on(9)]).await;
    let stored = stage.append(vec![on(1), on(2), NewEntry { remember_until: until(3), ..cut_off(Scope::All) }]).await;
    let kept: Vec<_> = stored.iter().map(|entry| entry.remember_until).collect();
    assert_eq!(kept, [until(9), until(9), until(3)]);
}
