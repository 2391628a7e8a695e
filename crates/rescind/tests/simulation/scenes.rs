//! Scenes that chance alone would hardly ever play: a process that is stopped between reading and signing for longer than
//! cut-offs are kept, a thief who is one step behind, a clock that is days ahead while the store is swept.

use std::sync::Arc;
use std::time::Duration;

use rescind::log::Scope;
use rescind::testing::{client, subject};
use rescind::{OpenSession, Rejection};
use tokio::time::timeout;

use super::browser::NAMES;
use super::clocks::pass;
use super::dice::Dice;
use super::judge::Outcome;
use super::world::World;

/// So long all machines are suspended, twice: no cut-off is in any view any more.
const LONG: u64 = 3 * 3_600_000;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Scene {
    Thief,
    Sleeper,
    LateRotation,
    DaysAhead,
}

impl Scene {
    pub(crate) const EVERY: [Self; 4] = [Self::Thief, Self::LateRotation, Self::Sleeper, Self::DaysAhead];

    /// In so many lives of a thousand.
    pub(crate) const fn per_mille(self) -> u64 {
        match self {
            Self::Thief => 400,
            Self::LateRotation => 300,
            Self::Sleeper => 250,
            Self::DaysAhead => 40,
        }
    }
}

pub(crate) async fn play(world: &Arc<World>, dice: &Dice, scene: Scene) {
    world.say(&format!("{scene:?}"));
    let played = match scene {
        Scene::Thief => thief(world, dice).await,
        Scene::Sleeper => sleeper(world, dice).await,
        Scene::LateRotation => late_rotation(world, dice).await,
        Scene::DaysAhead => days_ahead(world, dice).await,
    };
    if played.is_some() {
        world.trace.count(match scene {
            Scene::Thief => "thieves",
            Scene::Sleeper => "stops between reading and signing",
            Scene::LateRotation => "rotations that came late",
            Scene::DaysAhead => "sweeps by a clock days ahead",
        });
    }
}

fn opening(dice: &Dice) -> OpenSession {
    OpenSession::new(subject(dice.one_of(&NAMES)), client("app"))
}

/// A thief is one step behind, tries again and again within grace, and is found as soon as that is over.
async fn thief(world: &Arc<World>, dice: &Dice) -> Option<()> {
    let node = world.any_node(dice)?;
    let pair = world.login(node, opening(dice)).await?;
    let (sid, stolen) = (pair.session_id, pair.refresh_token);
    let Outcome::Pair(second) = world.refresh(node, &stolen, sid).await else { return None };
    let rotated = world.now();
    let grace = u64::try_from(world.settings.grace.as_millis()).ok()?;
    for _ in 0..dice.below(3) {
        pass(grace / 4).await;
        world.refresh(world.any_node(dice)?, &stolen, sid).await;
    }
    pass((rotated + grace + 1000).saturating_sub(world.now())).await;
    let at = world.any_node(dice)?;
    match world.refresh(at, &stolen, sid).await {
        Outcome::Pair(_) => world.violate(format!("{sid}: a spent token was answered outside of grace")),
        Outcome::Refused(Rejection::Reused) => {
            // Both are out.
            if let Outcome::Pair(_) = world.refresh(at, &second.refresh_token, sid).await {
                world.violate(format!("{sid} was reused and goes on"));
            }
        }
        // Its session was ended by somebody else, or nobody answered: no thief was found.
        Outcome::Refused(_) | Outcome::Nothing => return None,
    }
    Some(())
}

/// A process is stopped after the store has answered an opening, until no view has the cut-off any more that came then.
async fn sleeper(world: &Arc<World>, dice: &Dice) -> Option<()> {
    let node = world.any_node(dice)?;
    let running = world.running(node)?;
    running.link.stop_before_minting();
    let opening = opening(dice);
    let (name, at) = (opening.subject.clone(), Arc::clone(world));
    let login = tokio::spawn(async move { at.login(node, opening).await });
    pass(100).await;
    let other = world.any_node(dice)?;
    let revoking = tokio::spawn(Arc::clone(world).revoke(other, Scope::Subject(name)));
    pass(500).await;
    for _ in 0..2 {
        world.time.leap(LONG);
        pass(1500).await;
    }
    running.link.go_on();
    let revoked = timeout(Duration::from_secs(5), revoking).await.ok()?.ok()?;
    let pair = timeout(Duration::from_secs(5), login).await.ok()?.ok()??;
    revoked?;
    let newest = world.model.tokens().checked_sub(1)?;
    for node in world.up() {
        world.check(node, newest, None).await;
    }
    world.refresh(other, &pair.refresh_token, pair.session_id).await;
    Some(())
}

/// A rotation hangs between reading and writing while the same token is used elsewhere, and its successor, too.
async fn late_rotation(world: &Arc<World>, dice: &Dice) -> Option<()> {
    let (first, second) = (world.any_node(dice)?, world.any_node(dice)?);
    let pair = world.login(first, opening(dice)).await?;
    let (sid, token) = (pair.session_id, pair.refresh_token);
    let hold = dice.between(1, 6);
    let (at, early) = (Arc::clone(world), token.clone());
    let slow = tokio::spawn(async move { at.refresh(first, &early, sid).await });
    pass(hold).await;
    let mut newest = token;
    for _ in 0..3 {
        if let Outcome::Pair(next) = world.refresh(second, &newest, sid).await {
            newest = next.refresh_token;
        }
    }
    slow.await.ok();
    if let Outcome::Pair(next) = world.refresh(second, &newest, sid).await {
        world.refresh(first, &next.refresh_token, sid).await;
    }
    Some(())
}

/// A node's wall clock is ahead by more than any session lives while the store is swept.
async fn days_ahead(world: &Arc<World>, dice: &Dice) -> Option<()> {
    if world.now() > LONG {
        return None;
    }
    let node = world.any_node(dice)?;
    let pair = world.login(node, opening(dice)).await?;
    let clock = world.clock(node);
    clock.step_to(40 * 24 * 3_600_000);
    pass(1000).await;
    // Nothing is swept before the clock was steady for long.
    world.time.leap(LONG);
    pass(31_000).await;
    clock.step_to(0);
    pass(3000).await;
    for node in world.up() {
        world.refresh(node, &pair.refresh_token, pair.session_id).await;
    }
    Some(())
}
