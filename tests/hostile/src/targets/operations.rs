//! Operations against the model: the choices make a life of sign-ins, refreshes, revocations, lifts, logouts, time and
//! restarts, and after every step each token is worth what the naive model of the rule says.

use rescind::LogoutScope;

use crate::dice::Dice;
use crate::ground;
use crate::model::{Run, Step};

/// Each step is compared with all tokens before it, so that more would only be slower.
const STEPS: usize = 40;

/// A life.
pub(super) fn operations(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    ground::run(async {
        let mut run = Run::new().await;
        for _ in 0..STEPS {
            if dice.is_empty() {
                break;
            }
            let step = step(&mut dice);
            run.step(&step).await;
            run.compare(&step).await;
        }
    });
}

fn step(dice: &mut Dice<'_>) -> Step {
    let any = |dice: &mut Dice<'_>| usize::from(dice.byte());
    match dice.below(16) {
        0 | 1 => Step::Open { subject: dice.below(3), client: dice.below(2) },
        2..=5 => Step::Refresh { session: any(dice), back: dice.below(4) },
        6..=8 => Step::Revoke { kind: dice.below(6), session: any(dice), token: any(dice) },
        9 => Step::LiftNewest { of: any(dice) },
        10 => Step::Lift { seq: dice.number() },
        11 | 12 => {
            let scope = *dice.one(&[LogoutScope::Session, LogoutScope::Others, LogoutScope::All]);
            Step::Logout { session: any(dice), scope, with_refresh: dice.below(2) == 1 }
        }
        13 => Step::RotateKeys,
        14 => Step::Restart,
        _ => Step::Pass { seconds: *dice.one(&[1, 10, 11, 300, 901]) },
    }
}
