//! The judge, judged: histories that break each sentence of the contract, and ones that look like it.

use crate::asked::{Answer, Asked, At, Credential, Outage, Scope, What};
use crate::history::Past;
use crate::judge::{Sentence, judge, judge_since};

const SESSION: fn() -> Scope = || Scope::new("session", "s");

fn at(seconds: f64) -> At {
    At::from_secs_f64(seconds)
}

fn asked(what: What, node: usize, sent: f64, answer: Answer) -> Asked {
    let (about, scope) = match what {
        What::Check | What::Refresh => (Some(0), None),
        _ => (None, Some(SESSION())),
    };
    Asked { what, node, sent: at(sent), done: at(sent + 0.1), answer, fault: None, about, scope }
}

fn judged(asked: impl Into<Vec<Asked>>, change: impl FnOnce(&mut Past)) -> Vec<String> {
    judge(&past(asked, change)).iter().map(ToString::to_string).collect()
}

fn past(asked: impl Into<Vec<Asked>>, change: impl FnOnce(&mut Past)) -> Past {
    let credentials = vec![Credential { scopes: vec![SESSION()], issued: At::ZERO, opened: (At::ZERO, At::ZERO) }];
    let mut past = Past::default();
    past.credentials = credentials;
    asked.into().into_iter().for_each(|asked| past.note(asked));
    change(&mut past);
    past
}

fn outage(still: bool) -> Outage {
    let (still, moved_on) = if still { (Some(at(1.0)), Some(at(5.0))) } else { (None, None) };
    Outage { node: 1, from: at(1.0), still, moved_on, until: Some(at(5.0)) }
}

#[test]
fn each_way_to_break_the_contract_has_its_name() {
    let sentence = |asked: &[Asked]| judge(&past(asked, |_| {})).first().map(|broken| broken.sentence);
    let revoked = asked(What::Revoke, 0, 1.0, Answer::Yes);
    let (good, bad) = (asked(What::Check, 0, 2.0, Answer::Yes), asked(What::Check, 0, 1.5, Answer::Refused));
    let unknown = asked(What::Revoke, 0, 1.0, Answer::Unavailable);
    assert_eq!(sentence(&[revoked, good.clone()]), Some(Sentence::Lost));
    assert_eq!(sentence(&[unknown, bad.clone(), good.clone()]), Some(Sentence::ValidAgain));
    assert_eq!(sentence(&[bad]), Some(Sentence::EndedFalsely));
    assert_eq!(sentence(&[asked(What::Check, 0, 1.5, Answer::Silent)]), Some(Sentence::AnsweredOtherwise));
    assert_eq!(sentence(&[good]), None);
}

#[test]
fn what_was_judged_before_is_known_and_not_told_again() {
    let all = [asked(What::Revoke, 0, 1.0, Answer::Yes), asked(What::Check, 0, 2.0, Answer::Yes)];
    let past = past([&all[..], &[asked(What::Check, 0, 3.0, Answer::Yes)]].concat(), |_| {});
    assert_eq!([0, 1, 2, 3].map(|first| judge_since(&past, first).len()), [2, 2, 1, 0]);
}

/// A session that was asked for at second 5 and open at 6, and a cut-off on this scope over it at `sent`.
fn opened_beside(kind: &'static str, sent: f64, then: Asked) -> usize {
    let wide = Scope::new(kind, "");
    let cut = Asked { scope: Some(wide.clone()), ..asked(What::Revoke, 0, sent, Answer::Yes) };
    judged([cut, then], |past| {
        past.credentials[0].opened = (at(5.0), at(6.0));
        past.credentials[0].scopes.push(wide);
    })
    .len()
}

#[test]
fn a_cut_off_ends_what_was_opened_before_it_and_nothing_that_was_asked_for_after_it() {
    let then = |sent, answer| opened_beside("all", sent, asked(What::Check, 0, 9.0, answer));
    assert_eq!((then(4.0, Answer::Yes), then(4.0, Answer::Refused)), (0, 1), "the sign-in came after it");
    assert_eq!((then(5.5, Answer::Yes), then(5.5, Answer::Refused)), (0, 0), "meanwhile it is either");
    assert_eq!((then(6.5, Answer::Yes), then(6.5, Answer::Refused)), (1, 0));
}

#[test]
fn a_cut_off_that_the_store_lost_and_got_back_ends_what_was_opened_since() {
    let wide = Scope::new("client", "c");
    let then = |copied: f64| {
        let cut = Asked { scope: Some(wide.clone()), ..asked(What::Revoke, 0, 4.0, Answer::Yes) };
        let refused = judged([cut, asked(What::Check, 0, 9.0, Answer::Refused)], |past| {
            past.credentials[0].opened = (at(5.0), at(6.0));
            past.credentials[0].scopes.push(wide.clone());
            past.sessions_lost = Some((at(copied), at(7.0)));
        });
        refused.len()
    };
    assert_eq!((then(3.0), then(4.5)), (0, 1), "the copy may have had it, or surely did");
}

#[test]
fn a_revoked_key_ends_what_it_signed_whenever_that_was() {
    let then = |answer| opened_beside("key", 4.0, asked(What::Check, 0, 9.0, answer));
    assert_eq!((then(Answer::Yes), then(Answer::Refused)), (1, 0));
}

#[test]
fn what_a_node_acknowledged_it_may_never_call_good_and_the_others_not_past_the_bound() {
    let revoked = asked(What::Revoke, 0, 1.0, Answer::Yes);
    let then = |node, sent| judged([revoked.clone(), asked(What::Check, node, sent, Answer::Yes)], |_| {});
    assert_eq!(then(0, 0.9), Vec::<String>::new());
    assert_eq!(then(0, 1.2).len(), 1);
    assert_eq!(then(1, 3.0), Vec::<String>::new());
    assert_eq!(then(1, 3.2).len(), 1);
    let unknown = asked(What::Revoke, 0, 1.0, Answer::Unavailable);
    assert_eq!(judged([unknown, asked(What::Check, 0, 9.0, Answer::Yes)], |_| {}), Vec::<String>::new());
}

#[test]
fn what_was_acknowledged_as_known_everywhere_no_node_may_call_good() {
    let revoked = asked(What::RevokeEverywhere, 0, 1.0, Answer::Yes);
    let then = |node, sent| judged([revoked.clone(), asked(What::Check, node, sent, Answer::Yes)], |_| {}).len();
    assert_eq!((then(1, 1.05), then(1, 1.2), then(0, 1.2)), (0, 1, 1));
    let earlier = asked(What::Revoke, 0, 0.5, Answer::Yes);
    assert_eq!(judged([earlier, revoked.clone(), asked(What::Check, 1, 1.2, Answer::Yes)], |_| {}).len(), 1);
    let unknown = asked(What::RevokeEverywhere, 0, 1.0, Answer::Unavailable);
    assert_eq!(judged([unknown, asked(What::Check, 1, 9.0, Answer::Yes)], |_| {}), Vec::<String>::new());
}

#[test]
fn after_one_node_refused_it_none_may_call_it_good() {
    let unknown = asked(What::Revoke, 2, 0.5, Answer::Unavailable);
    let refused = asked(What::Check, 0, 1.0, Answer::Refused);
    let then =
        |node, sent| judged([unknown.clone(), refused.clone(), asked(What::Check, node, sent, Answer::Yes)], |_| {});
    assert_eq!(then(1, 3.0), Vec::<String>::new());
    assert_eq!(then(1, 3.2).len(), 1);
    assert_eq!(then(0, 1.2).len(), 1);
    let lifted = asked(What::Lift, 0, 1.1, Answer::Yes);
    assert_eq!(
        judged([unknown.clone(), refused.clone(), lifted, asked(What::Check, 0, 1.2, Answer::Yes)], |_| {}),
        Vec::<String>::new()
    );
}

#[test]
fn what_nobody_revoked_may_not_be_refused_unless_everybody_was_signed_out() {
    for what in [What::Check, What::Refresh] {
        let refused = || [asked(what, 0, 1.0, Answer::Refused), asked(What::Revoke, 0, 1.5, Answer::Yes)];
        assert_eq!(judged(refused(), |_| {}).len(), 1);
        assert_eq!(judged(refused(), |past| past.everyone_out = Some(at(0.5))), Vec::<String>::new());
        assert_eq!(judged(refused(), |past| past.wrong_clocks.push((0, at(0.9), at(1.2)))), Vec::<String>::new());
        assert_eq!(judged(refused(), |past| past.wrong_clocks.push((0, at(0.5), at(0.9)))).len(), 1);
        let lost = judged(refused(), |past| past.sessions_lost = Some((At::ZERO, at(0.5))));
        assert_eq!(lost.len(), usize::from(what == What::Check));
    }
}

#[test]
fn a_node_that_stood_still_decides_when_it_goes_on() {
    let revoked = asked(What::Revoke, 0, 1.5, Answer::Yes);
    let first = Asked { done: at(5.1), ..asked(What::Check, 1, 1.2, Answer::Yes) };
    assert_eq!(judged([revoked.clone(), first.clone()], |past| past.outages.push(outage(true))).len(), 1);
    assert_eq!(judged([revoked, first], |past| past.outages.push(outage(false))), Vec::<String>::new());
}

#[test]
fn an_answer_of_another_kind_is_wrong_and_so_is_none_from_a_node_that_is_up() {
    assert_eq!(judged([asked(What::Open, 0, 1.0, Answer::Wrong("500".to_owned()))], |_| {}).len(), 1);
    let silent = asked(What::Check, 1, 4.0, Answer::Silent);
    assert_eq!(judged([silent.clone()], |_| {}).len(), 1);
    assert_eq!(judged([silent], |past| past.outages.push(outage(false))), Vec::<String>::new());
}

/// A revocation at node 0 from second 1, and its lift there from second 5.
fn lifted(answer: Answer) -> [Asked; 2] {
    [asked(What::Revoke, 0, 1.0, Answer::Yes), asked(What::Lift, 0, 5.0, answer)]
}

fn after_a_lift(lift: Answer, then: &[Asked], change: impl FnOnce(&mut Past)) -> usize {
    judged([&lifted(lift)[..], then].concat(), change).len()
}

#[test]
fn an_acknowledged_lift_holds_at_once_where_it_was_made_and_elsewhere_from_the_bound_on() {
    for what in [What::Check, What::Refresh] {
        let then = |node, sent, answer| after_a_lift(Answer::Yes, &[asked(what, node, sent, answer)], |_| {});
        assert_eq!(then(0, 4.8, Answer::Yes), 1, "it was revoked before");
        assert_eq!(then(0, 4.8, Answer::Refused), 0);
        assert_eq!((then(0, 5.05, Answer::Refused), then(0, 5.05, Answer::Yes)), (0, 0), "meanwhile it is either");
        assert_eq!((then(0, 5.2, Answer::Refused), then(0, 5.2, Answer::Yes)), (1, 0));
        assert_eq!((then(1, 7.0, Answer::Refused), then(1, 7.0, Answer::Yes)), (0, 0));
        assert_eq!((then(1, 7.2, Answer::Refused), then(1, 7.2, Answer::Yes)), (1, 0));
    }
}

#[test]
fn nothing_makes_a_lift_up() {
    for answer in [Answer::Unavailable, Answer::Silent] {
        let then = |sent, answer: Answer| {
            let down = |past: &mut Past| past.outages.push(Outage { node: 0, ..outage(false) });
            after_a_lift(answer, &[asked(What::Check, 0, sent, Answer::Yes)], down)
        };
        assert_eq!(then(4.5, answer.clone()), 1);
        assert_eq!(then(9.0, answer), 0, "it may have been done");
    }
    let lost = |past: &mut Past| past.entries_lost.push((at(0.0), at(0.0)));
    assert_eq!(after_a_lift(Answer::Refused, &[asked(What::Check, 0, 9.0, Answer::Yes)], lost), 1);
    let refused = [asked(What::Check, 1, 8.0, Answer::Refused), asked(What::Check, 1, 9.0, Answer::Yes)];
    assert_eq!(after_a_lift(Answer::Unavailable, &refused, |_| {}), 0, "the lift may come late");
}

#[test]
fn a_cut_off_that_was_acknowledged_is_there_to_be_lifted() {
    assert_eq!(after_a_lift(Answer::Refused, &[], |_| {}), 1);
    assert_eq!(
        after_a_lift(Answer::Refused, &[], |past| past.entries_lost.push((at(3.0), at(3.0)))),
        0,
        "or healed elsewhere"
    );
    assert_eq!(after_a_lift(Answer::Yes, &[asked(What::Lift, 0, 6.0, Answer::Refused)], |_| {}), 0, "it was lifted");
    let unsure = [asked(What::Revoke, 0, 6.0, Answer::Unavailable), asked(What::Revoke, 0, 7.0, Answer::Yes)];
    let then = [&unsure[..], &[asked(What::Lift, 0, 8.0, Answer::Refused)]].concat();
    assert_eq!(after_a_lift(Answer::Yes, &then, |_| {}), 0, "the first try may have come after the second");
}

#[test]
fn of_what_a_clock_ahead_has_issued_nothing_follows_when_it_is_put_right() {
    let then = |answer, from, to| {
        judged([asked(What::Check, 0, 9.0, answer)], |past| {
            past.credentials[0].issued = at(5.0);
            past.from_ahead.push((at(from), at(to)));
        })
        .len()
    };
    assert_eq!((then(Answer::Refused, 4.0, 6.0), then(Answer::Refused, 6.0, 7.0)), (0, 1));
}

#[test]
fn what_is_revoked_anew_after_a_lift_is_dead_again() {
    let again = |answer| asked(What::Revoke, 1, 10.0, answer);
    let then = |again: Asked, node, sent, answer| {
        after_a_lift(Answer::Yes, &[again, asked(What::Check, node, sent, answer)], |_| {})
    };
    assert_eq!(then(again(Answer::Yes), 1, 10.2, Answer::Yes), 1);
    assert_eq!(then(again(Answer::Yes), 1, 10.2, Answer::Refused), 0);
    assert_eq!(then(again(Answer::Yes), 0, 12.0, Answer::Yes), 0);
    assert_eq!(then(again(Answer::Yes), 0, 12.2, Answer::Yes), 1);
    assert_eq!(then(again(Answer::Yes), 0, 9.0, Answer::Refused), 1, "it was not yet");
    for answer in [Answer::Yes, Answer::Refused] {
        assert_eq!(then(again(Answer::Unavailable), 0, 20.0, answer), 0, "it may have been done");
    }
    let refused = asked(What::Check, 2, 11.0, Answer::Refused);
    let then = [again(Answer::Unavailable), refused, asked(What::Check, 2, 12.0, Answer::Yes)];
    assert_eq!(after_a_lift(Answer::Yes, &then, |_| {}), 1, "it was done, and the lift was before it");
}

#[test]
fn a_revocation_of_unknown_outcome_may_come_about_after_a_lift() {
    let unknown = asked(What::Revoke, 0, 0.5, Answer::Unavailable);
    let refused = asked(What::Check, 0, 9.0, Answer::Refused);
    let all = [&[unknown][..], &lifted(Answer::Yes), &[refused]].concat();
    assert_eq!(judged(all, |_| {}), Vec::<String>::new());
}

#[test]
fn a_lift_that_the_store_lost_may_be_undone_only_where_not_every_node_had_read_it() {
    let refused = [asked(What::Check, 1, 20.0, Answer::Refused)];
    let lost = |unread: f64, gone: f64| {
        after_a_lift(Answer::Yes, &refused, |past| past.entries_lost.push((at(unread), at(gone))))
    };
    assert_eq!((lost(5.2, 5.2), lost(6.9, 6.9)), (0, 0));
    assert_eq!(lost(6.9, 9.0), 0, "the store was away for longer than the bound before it had lost it");
    assert_eq!(lost(7.2, 9.0), 1, "every node had it by then");
    assert_eq!(lost(2.0, 2.0), 1, "it was made after the loss");
}
