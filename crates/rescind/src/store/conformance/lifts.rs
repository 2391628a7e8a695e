//! Cases: lifting cut-offs. A lift stands on its scope's newest entry, or it is refused.

use super::cases;
use super::stage::{Stage, of_subject};
use crate::log::{Act, Scope};
use crate::position::Seq;
use crate::testing::{cut_off, lift, sid};

cases!(
    lifts_the_newest_cut_off,
    refuses_to_lift_what_is_not_the_newest_and_names_it,
    refuses_to_lift_twice,
    refuses_to_lift_where_nothing_is,
    cuts_off_and_lifts_again_and_again,
    lifts_several_scopes_in_one_batch,
    of_two_lifts_of_one_cut_off_in_a_batch_none_is_written,
    cuts_off_and_lifts_in_one_batch,
    names_the_newest_that_is_stored_not_one_of_the_refused_batch,
);

async fn lifts_the_newest_cut_off(stage: Stage) {
    let first = stage.cut(of_subject("alice")).await;
    let other = stage.cut(of_subject("bob")).await;
    let stored = stage.append(vec![lift(of_subject("alice"), first)]).await;
    assert_eq!(stored[0].act, Act::Lift { of: first });
    assert_eq!(stored[0].seq, other.next());
    let active: Vec<_> = stage.active().await.into_iter().map(|cut_off| cut_off.seq).collect();
    assert_eq!(active, [other]);
    assert_eq!(stage.log().await.last(), stored.last(), "the log keeps both");
}

async fn refuses_to_lift_what_is_not_the_newest_and_names_it(stage: Stage) {
    let first = stage.cut(of_subject("alice")).await;
    let other = stage.cut(of_subject("bob")).await;
    let newer = stage.append(vec![cut_off(of_subject("alice"))]).await;
    for of in [first, other, newer[0].seq.next(), Seq::ZERO, Seq::MAX] {
        assert_eq!(stage.refused(vec![lift(of_subject("alice"), of)]).await.as_ref(), newer.first(), "lift of {of}");
    }
    let active: Vec<_> = stage.active().await.into_iter().map(|cut_off| cut_off.seq).collect();
    assert_eq!(active, [other, newer[0].seq]);
}

async fn refuses_to_lift_twice(stage: Stage) {
    let seq = stage.cut(Scope::All).await;
    let lifted = stage.append(vec![lift(Scope::All, seq)]).await;
    for of in [seq, lifted[0].seq] {
        assert_eq!(stage.refused(vec![lift(Scope::All, of)]).await.as_ref(), lifted.first(), "lift of {of}");
    }
}

async fn refuses_to_lift_where_nothing_is(stage: Stage) {
    for of in [Seq::ZERO, Seq::new(1)] {
        assert_eq!(stage.refused(vec![lift(Scope::session(sid(1)), of)]).await, None);
    }
    let seq = stage.cut(Scope::session(sid(2))).await;
    assert_eq!(stage.refused(vec![lift(Scope::session(sid(1)), seq)]).await, None, "another scope's cut-off");
    assert_eq!(stage.head().await.seq, seq);
}

async fn cuts_off_and_lifts_again_and_again(stage: Stage) {
    for _ in 0..5 {
        let seq = stage.cut(of_subject("alice")).await;
        assert_eq!(stage.active().await.len(), 1);
        stage.lift(of_subject("alice"), seq).await;
        assert_eq!(stage.active().await, []);
    }
    assert_eq!(stage.head().await.seq, Seq::new(10));
}

async fn lifts_several_scopes_in_one_batch(stage: Stage) {
    let alice = stage.cut(of_subject("alice")).await;
    let bob = stage.cut(of_subject("bob")).await;
    let stored = stage.append(vec![lift(of_subject("bob"), bob), lift(of_subject("alice"), alice)]).await;
    assert_eq!(
        stored.iter().map(|entry| entry.act).collect::<Vec<_>>(),
        [Act::Lift { of: bob }, Act::Lift { of: alice }]
    );
    assert_eq!(stage.active().await, []);
}

async fn of_two_lifts_of_one_cut_off_in_a_batch_none_is_written(stage: Stage) {
    let stored = stage.append(vec![cut_off(of_subject("alice"))]).await;
    let seq = stored[0].seq;
    let newest = stage.refused(vec![lift(of_subject("alice"), seq), lift(of_subject("alice"), seq)]).await;
    assert_eq!(newest.as_ref(), stored.first());
    assert_eq!(stage.active().await.len(), 1);
    assert_eq!(stage.head().await.seq, seq);
}

async fn cuts_off_and_lifts_in_one_batch(stage: Stage) {
    let base = stage.cut(of_subject("bob")).await;
    let at = |n| base.plus(n);
    let alice = || of_subject("alice");
    stage.append(vec![cut_off(alice()), lift(alice(), at(1)), cut_off(alice()), lift(alice(), at(3))]).await;
    assert_eq!(stage.active().await.len(), 1, "only the other scope's");
    stage.append(vec![lift(of_subject("bob"), base), cut_off(of_subject("bob"))]).await;
    let active: Vec<_> = stage.active().await.into_iter().map(|cut_off| (cut_off.scope, cut_off.seq)).collect();
    assert_eq!(active, [(of_subject("bob"), at(6))]);
}

async fn names_the_newest_that_is_stored_not_one_of_the_refused_batch(stage: Stage) {
    let alice = || of_subject("alice");
    assert_eq!(stage.refused(vec![cut_off(alice()), lift(alice(), Seq::ZERO)]).await, None, "nothing is stored");
    let stored = stage.append(vec![cut_off(alice())]).await;
    let newest = stage.refused(vec![cut_off(alice()), lift(alice(), stored[0].seq)]).await;
    assert_eq!(newest.as_ref(), stored.first());
    let bob = stage.append(vec![cut_off(of_subject("bob"))]).await;
    let twice = vec![lift(of_subject("bob"), Seq::ZERO), lift(alice(), Seq::ZERO)];
    assert_eq!(stage.refused(twice).await.as_ref(), bob.first(), "of the first lift that does not fit");
}
