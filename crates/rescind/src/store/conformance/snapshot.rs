//! Cases: the snapshot of active cut-offs.

use super::cases;
use super::stage::{Stage, of_subject};
use crate::id::KeyId;
use crate::log::{CutOff, Scope};
use crate::position::Seq;
use crate::testing::{client, cut_off, jti, sid};
use crate::time::Timestamp;

cases!(
    an_empty_store_has_an_empty_snapshot_with_a_head,
    has_the_newest_active_cut_off_of_each_scope_in_order,
    leaves_out_what_was_appended_before_since,
    has_the_head_of_the_same_moment,
);

async fn an_empty_store_has_an_empty_snapshot_with_a_head(stage: Stage) {
    let snapshot = stage.snapshot(Timestamp::EPOCH).await;
    assert_eq!((snapshot.head, snapshot.cut_offs), (stage.head().await, Vec::new()));
}

async fn has_the_newest_active_cut_off_of_each_scope_in_order(stage: Stage) {
    let scopes = [
        Scope::All,
        of_subject("zoe"),
        Scope::token(jti(3)),
        of_subject("alice"),
        Scope::session(sid(2)),
        Scope::Key(KeyId::new("k1").unwrap()),
        Scope::Client(client("app")),
    ];
    let mut active = Vec::new();
    for scope in &scopes {
        let seq = stage.cut(scope.clone()).await;
        active.push(CutOff { scope: scope.clone(), seq, at: stage.now() });
        stage.pass(1);
    }
    assert_eq!(stage.active().await, active);
    // A newer one on the second scope, the third lifted, the fourth lifted and cut off again.
    stage.cut(scopes[1].clone()).await;
    stage.lift(scopes[2].clone(), active[2].seq).await;
    stage.lift(scopes[3].clone(), active[3].seq).await;
    let again = stage.append(vec![cut_off(scopes[3].clone())]).await;
    let seqs: Vec<_> = stage.active().await.into_iter().map(|cut_off| (cut_off.seq.get(), cut_off.scope)).collect();
    let expected = [(1, 0), (5, 4), (6, 5), (7, 6), (8, 1), (11, 3)].map(|(seq, scope)| (seq, scopes[scope].clone()));
    assert_eq!(seqs, expected, "in the order of their positions");
    assert_eq!(again[0].seq, Seq::new(11));
}

async fn leaves_out_what_was_appended_before_since(stage: Stage) {
    let early = stage.cut(of_subject("early")).await;
    let renewed = stage.cut(of_subject("renewed")).await;
    stage.pass(10);
    let since = stage.now();
    let exact = stage.cut(of_subject("exact")).await;
    stage.pass(10);
    let newer = stage.cut(of_subject("renewed")).await;
    let seqs = async |since| stage.snapshot(since).await.cut_offs.iter().map(|c| c.seq).collect::<Vec<_>>();
    assert!(early < renewed);
    assert_eq!(seqs(Timestamp::EPOCH).await, [early, exact, newer]);
    assert_eq!(seqs(since).await, [exact, newer], "at or after");
    assert_eq!(seqs(Timestamp::from_millis(since.as_millis() + 1)).await, [newer]);
    assert_eq!(seqs(Timestamp::from_millis(stage.now().as_millis() + 1)).await, []);
    let last = Timestamp::from_millis(i64::MAX.unsigned_abs());
    assert_eq!(stage.snapshot(last).await.head, stage.head().await, "the head has nothing to do with since");
}

async fn has_the_head_of_the_same_moment(stage: Stage) {
    for n in 1..=5 {
        stage.cut(of_subject(&format!("user {n}"))).await;
        stage.pass(1);
        let snapshot = stage.snapshot(Timestamp::EPOCH).await;
        assert_eq!(snapshot.head, stage.head().await);
        assert_eq!((snapshot.head.seq, snapshot.head.now), (Seq::new(n), stage.now()));
    }
}
