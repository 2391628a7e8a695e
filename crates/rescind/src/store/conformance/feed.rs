//! Cases: reading the log after a position.

use super::cases;
use super::stage::{Stage, assert_chained, of_subject};
use crate::log::ChainTag;
use crate::position::Seq;
use crate::testing::{cut_off, lift};

cases!(
    resumes_at_every_position_with_every_limit,
    an_empty_batch_stands_at_the_head,
    above_the_head_the_log_is_gone,
    a_limit_of_nothing_reads_nothing,
    an_incarnation_is_set_once,
);

/// Twelve entries in batches, a lift among them.
async fn write(stage: &Stage) -> Seq {
    for size in [1, 4, 2, 3] {
        stage.append((0..size).map(|n| cut_off(of_subject(&format!("user {n}")))).collect()).await;
        stage.pass(1);
    }
    let seq = stage.cut(of_subject("alice")).await;
    stage.append(vec![lift(of_subject("alice"), seq)]).await[0].seq
}

async fn resumes_at_every_position_with_every_limit(stage: Stage) {
    let end = write(&stage).await;
    let whole = stage.batch(Seq::ZERO, usize::MAX).await;
    assert_chained(&whole, Seq::ZERO);
    assert_eq!(whole.prev_tag, ChainTag::genesis(whole.head.incarnation));
    let mut tags = vec![whole.prev_tag];
    for entry in &whole.entries {
        tags.push(tags[tags.len() - 1].next(entry));
    }
    for from in 0..=whole.entries.len() {
        for limit in 1..=whole.entries.len() + 1 {
            let after = Seq::new(from as u64);
            let to = (from + limit).min(whole.entries.len());
            let part = stage.batch(after, limit).await;
            assert_chained(&part, after);
            assert_eq!(part.entries, whole.entries[from..to], "{limit} after {from}");
            assert_eq!((part.prev_tag, part.tag), (tags[from], tags[to]), "{limit} after {from}");
            assert_eq!(part.head, whole.head);
        }
    }
    assert_eq!((whole.head.seq, whole.head.tag, whole.head.now), (end, tags[tags.len() - 1], stage.now()));
}

async fn an_empty_batch_stands_at_the_head(stage: Stage) {
    let batch = stage.batch(Seq::ZERO, 10).await;
    let genesis = ChainTag::genesis(batch.head.incarnation);
    assert_eq!((batch.prev_tag, batch.tag, batch.entries.len()), (genesis, genesis, 0));
    let end = write(&stage).await;
    stage.pass(9);
    let batch = stage.batch(end, 10).await;
    assert_eq!((batch.prev_tag, batch.tag, batch.entries.len()), (batch.head.tag, batch.head.tag, 0));
    assert_eq!(batch.head, stage.head().await, "with the present time");
    assert_eq!(batch.head.now, stage.now());
}

async fn above_the_head_the_log_is_gone(stage: Stage) {
    assert_eq!(stage.gone(Seq::new(1)).await, stage.head().await, "in an empty store");
    let end = write(&stage).await;
    for after in [end.next(), end.plus(Seq::JUMP), Seq::MAX] {
        assert_eq!(stage.gone(after).await, stage.head().await);
    }
}

async fn a_limit_of_nothing_reads_nothing(stage: Stage) {
    write(&stage).await;
    let after = Seq::new(3);
    let (none, one) = (stage.batch(after, 0).await, stage.batch(after, 1).await);
    assert_eq!((none.entries.len(), none.prev_tag, none.tag), (0, one.prev_tag, one.prev_tag));
}

async fn an_incarnation_is_set_once(stage: Stage) {
    let here = stage.head().await.incarnation;
    assert_ne!(here.as_bytes(), &[0; 16], "no incarnation is left blank");
    stage.cut(of_subject("alice")).await;
    assert_eq!(stage.head().await.incarnation, here, "writing does not change it");
}
