//! A store that lost something which a node knows that is slow to find that: its record in the store says how far it had read,
//! and the others go by that.

use std::time::Duration;

use crate::healing_starts::without_a_mark;
use crate::support::cluster::{Answer, Cluster, answer, pass};
use crate::support::{ms, secs};
use rescind::log::Scope;
use rescind::store::{Fault, Gate, Operation};

const LONG: Duration = secs(4);

// Found by the simulation, seeds 21898 and 30664.
#[tokio::test(start_paused = true)]
async fn who_is_back_hears_of_a_loss_from_the_record_of_who_is_slow_to_find_it() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let dead = a.login("bob").await;
    pass(LONG).await;
    let replica = cluster.lagging();
    b.cut();
    a.revoke(Scope::session(dead.session_id)).await;
    pass(secs(3)).await;
    let slow = Gate::new();
    a.fail(Operation::After, Fault::HangBefore(slow.clone()));
    slow.reached().await;
    cluster.promote(replica);
    pass(ms(600)).await;
    b.mend();
    let c = without_a_mark(&cluster, 3).await;
    for _ in 0..10 {
        assert!(b.rescind.refresh(&dead.refresh_token, rescind::Refresh::default()).await.is_err());
        assert_ne!(b.check(&dead).await, Answer::Valid);
        assert_ne!(answer(&c, &dead).await, Answer::Valid);
        pass(ms(100)).await;
    }
    a.mend();
    slow.release();
    pass(LONG).await;
    assert_eq!([a.check(&dead).await, b.check(&dead).await, answer(&c, &dead).await], [Answer::Refused; 3]);
    assert!(!cluster.everything_is_cut_off().await);
}

// Found by the simulation, seeds 88585 and 189130.
#[tokio::test(start_paused = true)]
async fn who_was_silent_and_is_back_is_waited_for_where_its_record_tells_of_a_loss() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node(1).await, cluster.node(2).await);
    let dead = a.login("bob").await;
    pass(LONG).await;
    a.cut();
    pass(secs(6)).await;
    a.mend();
    pass(secs(1)).await;
    let replica = cluster.lagging();
    b.cut_reads();
    a.revoke(Scope::session(dead.session_id)).await;
    let slow = Gate::new();
    a.fail(Operation::After, Fault::HangBefore(slow.clone()));
    slow.reached().await;
    pass(secs(2)).await;
    cluster.promote(replica);
    pass(ms(500)).await;
    b.mend();
    for _ in 0..14 {
        assert!(b.rescind.refresh(&dead.refresh_token, rescind::Refresh::default()).await.is_err());
        assert_ne!(b.check(&dead).await, Answer::Valid);
        pass(ms(100)).await;
    }
    a.mend();
    slow.release();
    pass(LONG).await;
    assert_eq!([a.check(&dead).await, b.check(&dead).await], [Answer::Refused; 2]);
    assert!(!cluster.everything_is_cut_off().await);
}
