//! The handle against a naive model of the whole rule (`naive.rs`). Random rounds of opening, refreshing, revoking,
//! lifting, logging out and restarting; after every step each token ever minted is asked.

use proptest::collection::vec;
use proptest::prelude::*;
use rescind::LogoutScope;

use crate::naive::{Run, Step};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let logout = prop_oneof![Just(LogoutScope::Session), Just(LogoutScope::Others), Just(LogoutScope::All)];
    let step = prop_oneof![
        4 => (0..3_usize, 0..2_usize).prop_map(|(subject, client)| Step::Open { subject, client }),
        6 => (any::<usize>(), 0..4_usize).prop_map(|(session, back)| Step::Refresh { session, back }),
        4 => (0..6_usize, any::<usize>(), any::<usize>())
            .prop_map(|(kind, session, token)| Step::Revoke { kind, session, token }),
        2 => any::<usize>().prop_map(|of| Step::LiftNewest { of }),
        1 => (0..40_u64).prop_map(|seq| Step::Lift { seq }),
        2 => (any::<usize>(), logout, any::<bool>())
            .prop_map(|(session, scope, with_refresh)| Step::Logout { session, scope, with_refresh }),
        1 => Just(Step::RotateKeys),
        1 => Just(Step::Restart),
        1 => prop_oneof![Just(1), Just(10), Just(11), Just(300)].prop_map(|seconds| Step::Pass { seconds }),
    ];
    vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // holds: R15
    #[test]
    fn the_handle_agrees_with_the_rule_after_every_step(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in &steps {
                run.step(step).await;
                run.compare(step).await;
            }
        });
    }
}
